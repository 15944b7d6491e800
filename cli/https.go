package cli

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"devtool.internal/config"
	"devtool.internal/emulator/certificate"
	"devtool.internal/emulator/control/client"
)

// The environment variables from which wrangler also takes these paths.
const (
	envHTTPSKey  = "WRANGLER_HTTPS_KEY_PATH"
	envHTTPSCert = "WRANGLER_HTTPS_CERT_PATH"
)

const (
	plainHTTP  = "http"
	secureHTTP = "https"
)

// urlOptions are the options for the URL of a project, and for the URL that its worker sees.
type urlOptions struct {
	localProtocol    string
	httpsKey         string
	httpsCert        string
	host             string
	upstreamProtocol string
}

func (o *urlOptions) flags() []flag {
	return []flag{
		{name: "local-protocol", value: "PROTOCOL", target: &o.localProtocol,
			usage: "http, or https with a certificate that is made once (default: http)"},
		{name: "https-cert-path", value: "FILE", target: &o.httpsCert,
			usage: "use this certificate for https (also: " + envHTTPSCert + ")"},
		{name: "https-key-path", value: "FILE", target: &o.httpsKey,
			usage: "and this key, both in PEM (also: " + envHTTPSKey + ")"},
		{name: "host", value: "HOST", target: &o.host,
			usage: "what the worker takes for its own host (default: the first route's)"},
		{name: "upstream-protocol", value: "PROTOCOL", target: &o.upstreamProtocol,
			usage: "and for its own protocol (default: as --local-protocol)"},
	}
}

// check returns an error for options that make no sense.
func (o *urlOptions) check() error {
	for _, protocol := range []string{o.localProtocol, o.upstreamProtocol} {
		if protocol != "" && protocol != plainHTTP && protocol != secureHTTP {
			return misuse("choose http or https", "there is no protocol %q", protocol)
		}
	}
	if o.host != "" && !config.IsHost(o.host) {
		return misuse("write it like shop.example", "%q is not the name of a host", o.host)
	}
	return nil
}

// tls returns the front door's configuration for HTTPS, or nil for HTTP.
func (s Streams) tls(o urlOptions, c config.Dev) (*tls.Config, error) {
	if cmp.Or(o.localProtocol, c.LocalProtocol, plainHTTP) == plainHTTP {
		if o.httpsKey != "" || o.httpsCert != "" {
			return nil, misuse("add --local-protocol https", "a certificate is of no use over http")
		}
		return nil, nil
	}
	key, cert := cmp.Or(o.httpsKey, s.Env(envHTTPSKey)), cmp.Or(o.httpsCert, s.Env(envHTTPSCert))
	if (key == "") != (cert == "") {
		return nil, misuse("give both, or none for a certificate that is made",
			"a certificate (--https-cert-path) needs its key (--https-key-path), and a key its certificate")
	}
	var pair tls.Certificate
	var err error
	if key != "" {
		pair, err = certificate.Load(s.path(cert), s.path(key))
	} else {
		pair, err = s.keptCertificate()
	}
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}, nil
}

// keptCertificate returns the certificate that all projects of this user share.
func (s Streams) keptCertificate() (tls.Certificate, error) {
	folder, err := certificateFolder()
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := certificate.FindOrCreate(folder, time.Now())
	if err != nil {
		return pair, failure("use one of your own: --https-key-path and --https-cert-path", "%v", err)
	}
	return pair, nil
}

// certificateFolder returns the folder of the kept certificate, in the user's folder for settings.
func certificateFolder() (string, error) {
	settings, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for the certificate: %w", err)
	}
	return filepath.Join(settings, "devtool", "https"), nil
}

// trustedCertificate returns the fingerprint of the kept certificate, or nothing if there is none.
func trustedCertificate() string {
	folder, err := certificateFolder()
	if err != nil {
		return ""
	}
	pair, err := certificate.Find(folder)
	if err != nil {
		return ""
	}
	return client.Fingerprint(pair.Certificate[0])
}
