package wire

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ID is the id of an object: 16 bytes that say which, and 16 that prove that
// they belong to the namespace. Both ends derive ids exactly as workerd does
// (src/workerd/server/actor-id-impl.c++), so that a name means the same object there.
type ID [32]byte

// UniqueKey is what the ids of a class are derived from.
func UniqueKey(worker, class string) string { return worker + "-" + class }

// IDFromName derives the id of a name.
func IDFromName(uniqueKey, name string) ID {
	key := sha256.Sum256([]byte(uniqueKey))
	return seal(key, mac(key, []byte(name)))
}

// NewUniqueID returns an id that no name leads to.
func NewUniqueID(uniqueKey string) ID {
	var base [16]byte
	rand.Read(base[:]) //nolint:errcheck // never fails since Go 1.24
	return seal(sha256.Sum256([]byte(uniqueKey)), base)
}

// The errors of ParseID, in the platform's words.
var (
	ErrMalformedID = errors.New("Invalid Durable Object ID: must be 64 hex digits")
	ErrForeignID   = errors.New("Durable Object ID is not valid for this namespace")
)

// ParseID reads an id of the namespace from its 64 hex digits.
func ParseID(uniqueKey, s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, ErrMalformedID
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, ErrMalformedID
	}
	if seal(sha256.Sum256([]byte(uniqueKey)), [16]byte(id[:16])) != id {
		return ID{}, ErrForeignID
	}
	return id, nil
}

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// seal puts the proof behind base.
func seal(key [32]byte, base [16]byte) ID {
	proof := mac(key, base[:])
	var id ID
	copy(id[:16], base[:])
	copy(id[16:], proof[:])
	return id
}

func mac(key [32]byte, data []byte) [16]byte {
	h := hmac.New(sha256.New, key[:])
	h.Write(data)
	return [16]byte(h.Sum(nil)[:16])
}
