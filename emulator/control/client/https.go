package client

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
)

// How a command recognizes an emulator that speaks HTTPS. Its certificate is self-signed, or for a
// name other than localhost, so no authority can vouch for it. Instead, the emulator announces the
// fingerprint in a file that only its user can write.

// Fingerprint returns the fingerprint of a certificate in DER.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// trusting returns a configuration that accepts the certificate with this fingerprint for any
// server. It checks every other certificate as usual.
func trusting(fingerprint, server string) *tls.Config {
	if fingerprint == "" {
		return nil
	}
	return &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection does the usual check
		VerifyConnection: func(state tls.ConnectionState) error {
			leaf, others := state.PeerCertificates[0], state.PeerCertificates[1:]
			if Fingerprint(leaf.Raw) == fingerprint {
				return nil
			}
			o := x509.VerifyOptions{DNSName: server, Intermediates: x509.NewCertPool()}
			for _, c := range others {
				o.Intermediates.AddCert(c)
			}
			_, err := leaf.Verify(o)
			return err
		},
	}
}

// untrusted returns the reason in err why a certificate is not trusted, or nil if err is another
// error.
func untrusted(err error) error {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &authority):
		return authority
	case errors.As(err, &name):
		return name
	case errors.As(err, &invalid):
		return invalid
	}
	return nil
}
