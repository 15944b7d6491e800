package certificate_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/certificate"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func saved(t *testing.T, folder string, at time.Time) *x509.Certificate {
	t.Helper()
	pair, err := certificate.FindOrCreate(folder, at)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestACertificateIsCreatedOnceAndRenewedBeforeItEnds(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "devtool", "https")
	first := saved(t, folder, now)
	if got := saved(t, folder, now.Add(300*day)); !got.Equal(first) {
		t.Error("the certificate was renewed after 300 days")
	}
	second := saved(t, folder, now.Add(340*day))
	if second.Equal(first) {
		t.Error("the certificate was not renewed 25 days before it expires")
	}
	if got, want := second.NotAfter, now.Add(340*day); got.Before(want.Add(300 * day)) {
		t.Errorf("the renewed certificate ends at %s", got)
	}
	// The clock was ahead, and has been set back.
	if got := saved(t, folder, now); got.Equal(second) || now.Before(got.NotBefore) {
		t.Error("a certificate that is not valid yet is used")
	}
}

func TestACertificateIsForTheNamesOfThisMachineAndIsNoAuthority(t *testing.T) {
	leaf := saved(t, t.TempDir(), now)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	for name, want := range map[string]bool{
		"localhost": true, "app.localhost": true, "127.0.0.1": true, "::1": true,
		"example.com": false, "192.0.2.2": false, "a.b.localhost": false,
	} {
		_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: now})
		if got := err == nil; got != want {
			t.Errorf("valid for %s: got %v (%v), want %v", name, got, err, want)
		}
	}
	if leaf.IsCA {
		t.Error("the certificate is an authority: its key can sign for any name")
	}
	if got, longest := leaf.NotAfter.Sub(leaf.NotBefore), 398*day; got > longest {
		t.Errorf("the certificate is valid for %s, but browsers accept at most %s", got, longest)
	}
}

func TestAServerIsTrustedByTheCertificateFile(t *testing.T) {
	folder := t.TempDir()
	pair, err := certificate.FindOrCreate(folder, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	defer server.Close()
	content, err := os.ReadFile(certificate.File(folder))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(content)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}

func TestOnlyTheUserCanReadTheKey(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // Windows keeps permissions in the folder
	}
	folder := filepath.Join(t.TempDir(), "https")
	saved(t, folder, now)
	for name, want := range map[string]fs.FileMode{".": 0o700, "key.pem": 0o600, "certificate.pem": 0o644} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("permissions of %s: got %o, want %o", name, got, want)
		}
	}
	public, err := os.ReadFile(certificate.File(folder))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(public, []byte("PRIVATE")) {
		t.Error("certificate.pem has a private key")
	}
	left, err := filepath.Glob(filepath.Join(folder, ".new-*"))
	if len(left) > 0 || err != nil {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

func TestADamagedCertificateIsReplaced(t *testing.T) {
	folder := t.TempDir()
	first := saved(t, folder, now)
	for name, content := range map[string]string{"key.pem": "no key", "certificate.pem": "no certificate"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second := saved(t, folder, now)
	if second.Equal(first) {
		t.Fatal("the damaged certificate was used without its key")
	}
	public, err := os.ReadFile(certificate.File(folder))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(public) {
		t.Errorf("certificate.pem: got %q", public)
	}
	if _, err := second.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		t.Errorf("certificate.pem has another certificate: %v", err)
	}
}

func TestAFolderThatCannotBeCreatedIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := certificate.FindOrCreate(filepath.Join(file, "below"), now)
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got error %v, want one that names %s", err, file)
	}
}

func TestLoadReadsAUsersOwnCertificate(t *testing.T) {
	folder := t.TempDir()
	leaf := saved(t, folder, now)
	key := filepath.Join(folder, "key.pem")
	pair, err := certificate.Load(certificate.File(folder), key)
	if err != nil {
		t.Fatal(err)
	}
	if !pair.Leaf.Equal(leaf) {
		t.Error("Load returns another certificate")
	}
	other := t.TempDir()
	saved(t, other, now)
	for name, test := range map[string]struct{ cert, key, want string }{
		"no certificate": {filepath.Join(folder, "none.pem"), key, "read certificate: open "},
		"no key": {
			certificate.File(folder), filepath.Join(folder, "none.pem"), "read key of the certificate: open ",
		},
		"another's key": {
			certificate.File(folder), filepath.Join(other, "key.pem"), "private key does not match public key",
		},
		"no PEM": {certificate.File(folder), certificate.File(folder), "certificate.pem: tls: "},
	} {
		if _, err := certificate.Load(test.cert, test.key); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q in it", name, err, test.want)
		}
	}
}
