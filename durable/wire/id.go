package wire

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
)

// ID is the id of an object: 16 bytes that say which, the base, and 16 that prove
// that they belong to the namespace. Both ends derive ids exactly as workerd does
// (src/workerd/server/actor-id-impl.c++), so that a name means the same object there:
//
//	K     = SHA-256(unique key)
//	base  = the first 16 bytes of HMAC-SHA-256(K, name), or 16 random ones
//	proof = the first 16 bytes of HMAC-SHA-256(K, base)
//
// An id that is restricted to a jurisdiction has a K of its own, and is otherwise the same:
//
//	K     = SHA-256(SHA-256(unique key) ‖ jurisdiction)
//
// That part is ours, for workerd has no jurisdictions and how production derives
// such ids is not published. So the same name is another object in each jurisdiction, and the
// digits alone, with the namespace that they belong to, tell the jurisdiction: it is the one
// whose K makes the proof. An id can't be given another jurisdiction by changing digits.
//
// The proof keeps ids of other classes and typing errors out. It keeps no secrets: whoever
// knows the names of worker and class can make it.
type ID [32]byte

// UniqueKey is what the ids of a class are derived from.
func UniqueKey(worker, class string) string { return worker + "-" + class }

// The jurisdictions there are. Source: the platform's documentation and types.
var jurisdictions = []string{"eu", "us", "fedramp", "fedramp-high"}

// Jurisdictions returns what an id can be restricted to.
func Jurisdictions() []string { return slices.Clone(jurisdictions) }

// IDFromName derives the id of a name, without jurisdiction.
func IDFromName(uniqueKey, name string) ID { return IDFromNameIn(uniqueKey, "", name) }

// IDFromNameIn derives the id of a name in a jurisdiction, or in none if that is empty.
func IDFromNameIn(uniqueKey, jurisdiction, name string) ID {
	key := keyOf(uniqueKey, jurisdiction)
	return seal(key, mac(key, []byte(name)))
}

// NewUniqueID returns an id that no name leads to, without jurisdiction.
func NewUniqueID(uniqueKey string) ID { return NewUniqueIDIn(uniqueKey, "") }

// NewUniqueIDIn returns an id in a jurisdiction, or in none if that is empty, that
// no name leads to.
func NewUniqueIDIn(uniqueKey, jurisdiction string) ID {
	var base [16]byte
	rand.Read(base[:]) //nolint:errcheck // never fails since Go 1.24
	return seal(keyOf(uniqueKey, jurisdiction), base)
}

// The errors of ParseID, in the platform's words.
var (
	ErrMalformedID = errors.New("Invalid Durable Object ID: must be 64 hex digits")
	ErrForeignID   = errors.New("Durable Object ID is not valid for this namespace")
)

// ParseID reads an id of the namespace, of whatever jurisdiction, from its 64 hex digits.
func ParseID(uniqueKey, s string) (ID, error) {
	id, _, err := ParseIDIn(uniqueKey, s)
	return id, err
}

// ParseIDIn is ParseID, and returns the id's jurisdiction or, if it has none, nothing.
func ParseIDIn(uniqueKey, s string) (id ID, jurisdiction string, err error) {
	if len(s) != 2*len(id) {
		return ID{}, "", ErrMalformedID
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, "", ErrMalformedID
	}
	if id.sealedWith(keyOf(uniqueKey, "")) {
		return id, "", nil
	}
	for _, j := range jurisdictions {
		if id.sealedWith(keyOf(uniqueKey, j)) {
			return id, j, nil
		}
	}
	return ID{}, "", ErrForeignID
}

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// keyOf returns K.
func keyOf(uniqueKey, jurisdiction string) [32]byte {
	key := sha256.Sum256([]byte(uniqueKey))
	if jurisdiction == "" {
		return key
	}
	return sha256.Sum256(append(key[:], jurisdiction...))
}

// seal puts the proof behind base.
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
