// Package certificate provides the certificate with which a dev server speaks HTTPS. Load reads one
// that the user has; FindOrCreate makes one for the names of this machine. That one is stored for
// all projects, so that a browser has to accept it only once.
//
// Its folder holds two files. key.pem holds the private key and the certificate together, so that
// the two always match, and only its user can read it. certificate.pem is a copy of the
// certificate, for programs that are to trust it.
package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"devtool.internal/internal/safefile"
)

const (
	// lifetime is short enough for every system that limits the lifetime of a trusted certificate.
	lifetime = 365 * 24 * time.Hour
	// renewal is how long before its end a certificate is replaced.
	renewal = 30 * 24 * time.Hour
)

const (
	keyFile  = "key.pem"
	certFile = "certificate.pem"
)

const (
	// maxFile bounds a file with certificates or a key, in bytes.
	maxFile = 1 << 20
	// pipePatience is how long a pipe may have no writer, in real time, as for a configuration.
	pipePatience = 10 * time.Second
)

// File returns the path of the stored certificate in folder, for programs that are to trust it.
func File(folder string) string { return filepath.Join(folder, certFile) }

// Load reads a certificate, with its chain, and its key from PEM files.
func Load(certPath, keyPath string) (tls.Certificate, error) {
	certs, err := safefile.ReadGiven(certPath, maxFile, pipePatience)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	key, err := safefile.ReadGiven(keyPath, maxFile, pipePatience)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key of the certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certs, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate %s with key %s: %w", certPath, keyPath, err)
	}
	return pair, nil
}

// Find returns the stored certificate in folder. The error wraps fs.ErrNotExist if there is none.
func Find(folder string) (tls.Certificate, error) {
	path := filepath.Join(folder, keyFile)
	both, err := safefile.ReadSource(path, maxFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(both, both)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate %s: %w", path, err)
	}
	return pair, nil
}

// FindOrCreate returns the stored certificate in folder. If there is none, or it is damaged or ends
// within 30 days of now, it creates one.
func FindOrCreate(folder string, now time.Time) (tls.Certificate, error) {
	pair, err := Find(folder)
	if err == nil && now.Before(pair.Leaf.NotAfter.Add(-renewal)) && !now.Before(pair.Leaf.NotBefore) {
		return pair, updateCopy(folder, pair)
	}
	if err != nil && errors.Is(err, fs.ErrPermission) {
		return pair, err
	}
	both, err := create(now)
	if err != nil {
		return pair, fmt.Errorf("create certificate: %w", err)
	}
	if err := save(folder, both); err != nil {
		return pair, fmt.Errorf("save certificate: %w", err)
	}
	// Another devtool may have done the same meanwhile. The file that is there now counts.
	if pair, err = Find(folder); err != nil {
		return pair, err
	}
	return pair, updateCopy(folder, pair)
}

// create makes a key and a certificate for the names of this machine, both in one PEM text.
func create(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "localhost", Organization: []string{"devtool dev (self-signed)"}},
		NotBefore:    now.Add(-time.Hour), // clocks may differ, as those of containers do
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost", "*.localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		// The certificate is not an authority: trusting it means trusting no other certificate.
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(encode("PRIVATE KEY", private), encode("CERTIFICATE", der)...), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// save writes the key and the certificate into folder in one step, and replaces what was there.
func save(folder string, both []byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return replace(filepath.Join(folder, keyFile), both, 0o600)
}

// updateCopy writes certificate.pem if it differs from pair's certificate.
func updateCopy(folder string, pair tls.Certificate) error {
	want := encode("CERTIFICATE", pair.Leaf.Raw)
	if got, err := safefile.ReadSource(File(folder), maxFile); err == nil && bytes.Equal(got, want) {
		return nil
	}
	if err := replace(File(folder), want, 0o644); err != nil {
		return fmt.Errorf("save certificate: %w", err)
	}
	return nil
}

// replace writes the file at path by a rename, so that readers never see half of it.
func replace(path string, content []byte, mode os.FileMode) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // only this user may read it
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	if _, err := temporary.Write(content); err != nil {
		return errors.Join(err, temporary.Close())
	}
	if err := errors.Join(temporary.Close(), os.Chmod(temporary.Name(), mode)); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
