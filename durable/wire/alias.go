package wire

import (
	"devtool.internal/durable/objectid"
	"devtool.internal/durable/stored"
)

// This file exists for the emulator until it imports packages objectid and stored itself.
// Then it can be deleted.

// ID is objectid.ID.
type ID = objectid.ID

// The errors of ParseID and ParseIDIn.
var (
	ErrMalformedID = objectid.ErrMalformed
	ErrForeignID   = objectid.ErrForeign
)

// UniqueKey is objectid.UniqueKey.
func UniqueKey(worker, class string) string { return objectid.UniqueKey(worker, class) }

// Jurisdictions is objectid.Jurisdictions.
func Jurisdictions() []string { return objectid.Jurisdictions() }

// IDFromName is objectid.FromName without a jurisdiction.
func IDFromName(uniqueKey, name string) ID { return objectid.FromName(uniqueKey, "", name) }

// IDFromNameIn is objectid.FromName.
func IDFromNameIn(uniqueKey, jurisdiction, name string) ID {
	return objectid.FromName(uniqueKey, jurisdiction, name)
}

// ParseID is objectid.Parse without the jurisdiction.
func ParseID(uniqueKey, s string) (ID, error) {
	id, _, err := objectid.Parse(uniqueKey, s)
	return id, err
}

// ParseIDIn is objectid.Parse.
func ParseIDIn(uniqueKey, s string) (id ID, jurisdiction string, err error) {
	return objectid.Parse(uniqueKey, s)
}

// EncodeValue is stored.Encode.
func EncodeValue(v any) ([]byte, error) { return stored.Encode(v) }

// DecodeValue is stored.Decode.
func DecodeValue(b []byte, v any) error { return stored.Decode(b, v) }
