package client_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// secureServer starts a server that answers as an emulator does. Its certificate is for 127.0.0.1
// and example.com, and no authority has signed it.
func secureServer(t *testing.T) (server *httptest.Server, fingerprint string) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"worker": "secure"}`)) //nolint:errcheck // the client says
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, client.Fingerprint(server.Certificate().Raw)
}

func TestAClientTrustsTheCertificateThatIsAnnouncedAndNoOther(t *testing.T) {
	server, fingerprint := secureServer(t)
	elsewhere := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // which is not in the certificate
	untrusted := "the certificate of " + server.URL + " is not trusted: x509: "
	for name, test := range map[string]struct {
		url, certificate string
		want             string // of the error, or empty
	}{
		"announced":                {server.URL, fingerprint, ""},
		"announced, by any name":   {elsewhere, fingerprint, ""},
		"none is announced":        {server.URL, "", untrusted},
		"another one is announced": {server.URL, client.Fingerprint(nil), untrusted},
	} {
		client := client.Client{URL: test.url, Certificate: test.certificate}
		status, err := client.Status(t.Context())
		if test.want == "" {
			if err != nil || status.Worker != "secure" {
				t.Errorf("%s: got %+v, %v", name, status, err)
			}
			continue
		}
		refused := (*control.Error)(nil)
		if !errors.As(err, &refused) || !strings.Contains(refused.Message, test.want) || refused.Hint == "" {
			t.Errorf("%s: got error %v, want %q in it and a hint", name, err, test.want)
		}
	}
}

// With a fingerprint, a client still accepts certificates that the system trusts. It does not
// accept one that is for another server.
func TestAFingerprintDoesNotReplaceTheUsualCheck(t *testing.T) {
	server, _ := secureServer(t)
	name := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	client := client.Client{URL: name, Certificate: client.Fingerprint(nil)}
	_, err := client.Status(t.Context())
	const want = "certificate is valid for example.com, *.example.com, not localhost"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a certificate for another name: got error %v", err)
	}
}

func TestAClientOfPlainHTTPLearnsThatTheServerSpeaksHTTPS(t *testing.T) {
	server, _ := secureServer(t)
	client := client.Client{URL: strings.Replace(server.URL, "https://", "http://", 1)}
	_, err := client.Status(t.Context())
	if refused := (*control.Error)(nil); !errors.As(err, &refused) || refused.Hint != "begin the URL with https://" {
		t.Errorf("got error %v", err)
	}
}

func TestAClientOfHTTPSLearnsThatTheServerSpeaksPlainHTTP(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	url := strings.Replace(server.URL, "http://", "https://", 1)
	client := client.Client{URL: url, Certificate: client.Fingerprint(nil)}
	_, err := client.Status(t.Context())
	if refused := (*control.Error)(nil); !errors.As(err, &refused) || refused.Hint != "begin the URL with http://" {
		t.Errorf("got error %v", err)
	}
}
