package cli_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/certificate"
	"devtool.internal/emulator/control"
)

// startWith is start with the user's settings in the folder settings.
func (p project) startWith(settings string, args ...string) *server {
	p.t.Helper()
	return p.startAs(settingsIn(p.t, settings), args...)
}

// settingsIn returns the variables that, on each system, move the user's settings and tokens to
// folder. Go's build cache stays where it is.
func settingsIn(t *testing.T, folder string) []string {
	t.Helper()
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"XDG_CONFIG_HOME=" + folder,
		"XDG_RUNTIME_DIR=" + folder,
		"HOME=" + folder,
		"AppData=" + folder,
		"GOCACHE=" + strings.TrimSpace(string(cache)),
	}
}

// trust makes the client trust the certificates in a PEM file, and no others.
func (s *server) trust(file string) {
	s.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		s.t.Fatalf("no certificate in %s", file)
	}
	s.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
}

// kept returns the path of the certificate that devtool keeps in the user's settings.
func kept(t *testing.T, settings string) string {
	t.Helper()
	// On macOS it is below Library.
	found, err := filepath.Glob(filepath.Join(settings, "*", "devtool", "https", "certificate.pem"))
	if err != nil || len(found) == 0 {
		return certificate.File(filepath.Join(settings, "devtool", "https"))
	}
	return found[0]
}

func TestHTTPSKeepsItsCertificate(t *testing.T) {
	t.Parallel()
	settings := t.TempDir()
	p := handlerProject(t, "basic")
	p.edit("wrangler.jsonc", `"vars"`, `"dev": { "local_protocol": "https" }, "vars"`)
	s := p.startWith(settings, "--port", "0", "--frozen")
	s.awaitReady()
	s.trust(kept(t, settings))
	if got, want := s.URL, "https://localhost:"; !strings.HasPrefix(got, want) {
		t.Fatalf("URL: got %s, want %s…", got, want)
	}
	if got, want := s.get("/var"), "hello"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var header http.Header
	if err := json.Unmarshal([]byte(s.get("/headers")), &header); err != nil {
		t.Fatal(err)
	}
	if got, want := header.Get("X-Forwarded-Proto"), "https"; got != want {
		t.Errorf("X-Forwarded-Proto: got %q, want %q", got, want)
	}

	// Commands find the emulator by the project, and by its URL if they have the same settings.
	s.post("/", "")
	if got, want := len(p.alarms().Alarms), 1; got != want {
		t.Errorf("alarms: got %d, want %d", got, want)
	}
	p.advance("2h")
	for settings, want := range map[string]string{
		settings:    "",
		t.TempDir(): "the certificate of " + s.URL + " is not trusted",
	} {
		cmd := command(t, t.TempDir(), "time", "now", "--json")
		cmd.Env = append(append(cmd.Env, "DEVTOOL_URL="+s.URL), settingsIn(t, settings)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if (err == nil) != (want == "") || !strings.Contains(errs.String(), want) || err == nil && !json.Valid(out) {
			t.Errorf("devtool time now with DEVTOOL_URL: got %s%s, %v, want error %q", out, &errs, err, want)
		}
	}
	// The emulator of `devtool exec` still speaks HTTP.
	if got := p.devtool("exec", "--", "go", "env", "GOVERSION"); got.code != 0 {
		t.Errorf("devtool exec: got exit code %d: %s", got.code, got.err)
	}

	// The next emulator has the same certificate.
	s.interrupt()
	again := p.startWith(settings, "--port", "0")
	again.awaitReady()
	again.client = s.client
	again.get("/var")
}

func TestHTTPSWithACertificateOfTheUsersOwn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, err := certificate.FindOrCreate(folder, time.Now()); err != nil {
		t.Fatal(err)
	}
	key, cert := filepath.Join(folder, "key.pem"), certificate.File(folder)
	settings := t.TempDir()
	p := handlerProject(t, "basic")
	content, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	p.write("key.pem", string(content))
	s := p.startWith(settings, "--port", "0", "--local-protocol", "https",
		"--https-key-path", "key.pem", "--https-cert-path", cert)
	s.awaitReady()
	s.trust(cert)
	s.get("/var")
	p.time() // the command trusts the certificate
	if _, err := os.Stat(kept(t, settings)); err == nil {
		t.Error("devtool made a certificate of its own")
	}
	s.interrupt()

	for name, test := range map[string]struct {
		args []string
		want string
		code int
	}{
		"a key alone": {
			[]string{"--local-protocol", "https", "--https-key-path", key},
			"needs its key (--https-key-path), and a key its certificate", 2,
		},
		"no such file": {
			[]string{"--local-protocol", "https", "--https-key-path", "none", "--https-cert-path", cert},
			"read key of the certificate: open ", 1,
		},
		"over http": {
			[]string{"--https-key-path", key, "--https-cert-path", cert},
			"a certificate is of no use over http\n  Add --local-protocol https", 2,
		},
		"an unknown protocol": {
			[]string{"--local-protocol", "htps"},
			`there is no protocol "htps"`, 2,
		},
		"a bad host": {
			[]string{"--host", "http://a"},
			`"http://a" is not the name of a host`, 2,
		},
		"an unknown upstream protocol": {
			[]string{"--upstream-protocol", "ftp"},
			`there is no protocol "ftp"`, 2,
		},
	} {
		got := p.devtool(append([]string{"dev", "--port", "0"}, test.args...)...)
		if got.code != test.code || !strings.Contains(got.err, test.want) {
			t.Errorf("%s: got exit code %d and %q, want %d and %q", name, got.code, got.err, test.code, test.want)
		}
	}
}

func TestTheWorkerIsExposedAndTheControlAPINever(t *testing.T) {
	t.Parallel()
	address := ownAddress(t)
	for _, ip := range []string{"0.0.0.0", address} {
		p := handlerProject(t, "basic")
		s := p.dev("--ip", ip)
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		// A request to this machine's own address also comes from that address, not from loopback.
		s.URL = "http://" + net.JoinHostPort(address, u.Port())
		if got, want := s.get("/var"), "hello"; got != want {
			t.Errorf("--ip %s: the worker answered %q, want %q", ip, got, want)
		}
		for _, host := range []string{"localhost", address} {
			for _, path := range []string{control.Prefix + "status", "/cdn-cgi/anything"} {
				r := s.request(http.MethodGet, path, nil)
				r.Host = host
				for _, name := range []string{"X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP", "Forwarded"} {
					r.Header.Set(name, "127.0.0.1")
				}
				status, body, err := s.send(r)
				if err != nil {
					t.Fatal(err)
				}
				if status != http.StatusForbidden || !strings.Contains(body, "Invalid remote address") {
					t.Errorf("--ip %s: %s with Host %s: got %d %s, want 403", ip, path, host, status, body)
				}
			}
		}
		// A path that leads to the control API only after cleaning or decoding must not reach it.
		for _, target := range []string{
			"/x/../cdn-cgi/devtool/v1/status",
			"//cdn-cgi/devtool/v1/status",
			"/%63dn-cgi/devtool/v1/status",
		} {
			got := rawGet(t, net.JoinHostPort(address, u.Port()), target)
			if strings.Contains(got, `"worker":"basic"`) {
				t.Errorf("--ip %s: %s: got %s", ip, target, got)
			}
		}
		p.time() // commands on this machine still work
	}
}

// rawGet sends a GET with the path unchanged, where an HTTP client would clean it, and returns the
// whole response.
func rawGet(t *testing.T, address, path string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := bufio.NewReader(conn).WriteTo(&got); err != nil {
		t.Fatal(err)
	}
	return got.String()
}

// ownAddress returns an address of this machine that others can reach.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("this machine has no address besides the loopback's")
	return ""
}

func TestTheWorkerSeesTheHostOfTheFirstRoute(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.edit("wrangler.jsonc", `"vars"`, `"routes": ["*.shop.example/*"], "vars"`)
	s := p.dev()
	if got, want := s.get("/host"), "shop.example"; got != want {
		t.Errorf("host: got %q, want %q", got, want)
	}
	load := startLoad(s, "/host")
	load.awaitAnswer("shop.example")
	p.edit("wrangler.jsonc", "shop.example", "bakery.example")
	load.awaitAnswer("bakery.example")
	load.stop()
	// A changed port needs a restart.
	p.edit("wrangler.jsonc", `"vars"`, `"dev": { "port": 1 }, "vars"`)
	s.awaitLog("the dev address changed in the configuration; restart devtool to apply it")
	s.interrupt()
	s = p.dev("--host", "dev.example:81")
	if got, want := s.get("/host"), "dev.example:81"; got != want {
		t.Errorf("host of --host: got %q, want %q", got, want)
	}
}

func TestTheClientsAddressDoesNotLeaveTheMachine(t *testing.T) {
	t.Parallel()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(r.Header) //nolint:errcheck // the client notices
	}))
	defer outside.Close()
	s := handlerProject(t, "basic").dev()
	var header http.Header
	if err := json.Unmarshal([]byte(s.get("/proxy?url="+url.QueryEscape(outside.URL))), &header); err != nil {
		t.Fatal(err)
	}
	if header.Get("CF-Connecting-IP") != "" || header.Get("X-Real-IP") != "127.0.0.1" {
		t.Errorf("headers of a request to the outside: got %v, want X-Real-IP and no CF-Connecting-IP", header)
	}
}
