// Package stored encodes and decodes the values that objects store. The SDK uses it for handlers,
// the emulator for people who read and write entries from outside.
//
// A stored value begins with a byte that says what follows. That byte is never 0xff, with which
// values written by workerd begin.
package stored

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"
)

// The kinds of stored values.
const (
	kindJSON  = 'J' // JSON text
	kindBytes = 'B' // the bytes themselves
	kindTime  = 'T' // milliseconds since 1970, 8 bytes big endian
)

// Encode returns v as it is stored: a []byte and a time.Time as themselves (the time cut to
// milliseconds, in UTC), everything else as JSON. An integer beyond ±2^53 anywhere in v is an
// error.
func Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) { // JSON would replace the invalid bytes with U+FFFD
			return nil, errors.New("the text is not UTF-8: store it as []byte")
		}
	case []byte:
		return append([]byte{kindBytes}, v...), nil
	case time.Time:
		return binary.BigEndian.AppendUint64([]byte{kindTime}, uint64(v.UnixMilli())), nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if err := checkIntegers(v, text); err != nil {
		return nil, err
	}
	return append([]byte{kindJSON}, text...), nil
}

// Decode stores the value b in the variable that v points to. Into an interface it decodes JSON as
// encoding/json does, bytes as []byte and a time as time.Time.
func Decode(b []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("decode into %T: need a pointer", v)
	}
	if len(b) == 0 {
		return errors.New("value is empty")
	}
	kind, rest := b[0], b[1:]
	switch kind {
	case kindJSON:
		return json.Unmarshal(rest, v)
	case kindBytes:
		return assign(p.Elem(), append([]byte{}, rest...))
	case kindTime:
		if len(rest) != 8 {
			return fmt.Errorf("time of %d bytes", len(rest))
		}
		return assign(p.Elem(), time.UnixMilli(int64(binary.BigEndian.Uint64(rest))).UTC())
	case 0xff:
		return errors.New("value was written by JavaScript: only workerd can read it")
	}
	return fmt.Errorf("value of unknown kind %#x", kind)
}

func assign(dst reflect.Value, v any) error {
	src := reflect.ValueOf(v)
	if !src.Type().AssignableTo(dst.Type()) {
		return fmt.Errorf("value is a %T, not a %s", v, dst.Type())
	}
	dst.Set(src)
	return nil
}
