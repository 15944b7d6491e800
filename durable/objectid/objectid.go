// Package objectid derives and reads the ids of objects, exactly as workerd does
// (src/workerd/server/actor-id-impl.c++). So a name means the same object in the emulator, in
// workerd and in production.
//
// An id is 32 bytes. The first 16, the base, identify the object. The last 16, the proof, show
// that the base belongs to the namespace. A namespace is known by its unique key (see UniqueKey):
//
//	K     = SHA-256(unique key)
//	base  = the first 16 bytes of HMAC-SHA-256(K, name), or 16 random ones
//	proof = the first 16 bytes of HMAC-SHA-256(K, base)
//
// An id that is restricted to a jurisdiction has a K of its own, and is otherwise the same:
//
//	K     = SHA-256(SHA-256(unique key) ‖ jurisdiction)
//
// The second K is this project's own. Workerd has no jurisdictions, and how production derives
// such ids is not published. A name therefore leads to another object in each jurisdiction.
// The jurisdiction of an id is the one whose K makes the proof: the digits and the namespace
// decide it, and nobody can change it by changing digits.
//
// The proof rejects ids of other classes and typing errors. It keeps no secrets: anybody who
// knows the names of worker and class can compute it.
package objectid

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
)

// An ID identifies an object. Two ids are equal if they identify the same object.
type ID [32]byte

// UniqueKey returns the unique key of a class's namespace.
func UniqueKey(worker, class string) string { return worker + "-" + class }

// The jurisdictions there are. Source: the platform's documentation and types.
var jurisdictions = []string{"eu", "us", "fedramp", "fedramp-high"}

// Jurisdictions returns the jurisdictions that an id can be restricted to. The caller may change
// the slice.
func Jurisdictions() []string { return slices.Clone(jurisdictions) }

// FromName derives the id of a name in a jurisdiction, or in none if jurisdiction is empty.
func FromName(uniqueKey, jurisdiction, name string) ID {
	key := keyOf(uniqueKey, jurisdiction)
	return seal(key, mac(key, []byte(name)))
}

// NewUnique returns a random id in a jurisdiction, or in none if jurisdiction is empty. No name
// leads to it.
func NewUnique(uniqueKey, jurisdiction string) ID {
	var base [16]byte
	rand.Read(base[:]) //nolint:errcheck // never fails since Go 1.24
	return seal(keyOf(uniqueKey, jurisdiction), base)
}

// The errors of Parse and Decode, in the platform's words.
var (
	ErrMalformed = errors.New("Invalid Durable Object ID: must be 64 hex digits")
	ErrForeign   = errors.New("Durable Object ID is not valid for this namespace")
)

// Parse reads an id of the namespace from its 64 hex digits. It also returns the id's jurisdiction,
// which is empty if the id has none. The error is ErrMalformed or ErrForeign.
func Parse(uniqueKey, s string) (id ID, jurisdiction string, err error) {
	id, err = Decode(s)
	if err != nil {
		return ID{}, "", err
	}
	if id.sealedWith(keyOf(uniqueKey, "")) {
		return id, "", nil
	}
	for _, j := range jurisdictions {
		if id.sealedWith(keyOf(uniqueKey, j)) {
			return id, j, nil
		}
	}
	return ID{}, "", ErrForeign
}

// Decode reads an id from its 64 hex digits and does not check the namespace. The error is
// ErrMalformed.
func Decode(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return ID{}, ErrMalformed
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, ErrMalformed
	}
	return id, nil
}

// String returns the 64 hex digits of id, in lower case.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// keyOf returns K.
func keyOf(uniqueKey, jurisdiction string) [32]byte {
	key := sha256.Sum256([]byte(uniqueKey))
	if jurisdiction == "" {
		return key
	}
	return sha256.Sum256(append(key[:], jurisdiction...))
}

// seal appends the proof to base.
func seal(key [32]byte, base [16]byte) ID {
	proof := mac(key, base[:])
	var id ID
	copy(id[:16], base[:])
	copy(id[16:], proof[:])
	return id
}

func (id ID) sealedWith(key [32]byte) bool { return seal(key, [16]byte(id[:16])) == id }

func mac(key [32]byte, data []byte) [16]byte {
	h := hmac.New(sha256.New, key[:])
	h.Write(data)
	return [16]byte(h.Sum(nil)[:16])
}
