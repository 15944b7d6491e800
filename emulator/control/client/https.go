package client

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
)

// How a command knows the emulator that speaks HTTPS. Its certificate is self-signed, or for a name
// that is not localhost, so no authority helps: the emulator announces the fingerprint in a file
// that its user alone can write.

// Fingerprint names a certificate, given in DER.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// trusting takes the certificate with that fingerprint for any server, and every other one as
// usual.
func trusting(fingerprint, server string) *tls.Config {
	if fingerprint == "" {
		return nil
	}
	return &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection does what it would
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

// untrusted returns why err says that a certificate is no good, or nil if it does not.
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
