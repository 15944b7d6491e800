package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"
)

// Stored values begin with a byte that says what follows. None of them is 0xff,
// with which values written by workerd begin.
const (
	valueJSON  = 'J' // JSON text
	valueBytes = 'B' // the bytes themselves
	valueTime  = 'T' // milliseconds since 1970, 8 bytes big endian
)

// EncodeValue returns v as it is stored: a []byte and a time.Time as themselves
// (the time cut to milliseconds, in UTC), everything else as JSON.
func EncodeValue(v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) { // JSON would put U+FFFD in the place of what is not
			return nil, errors.New("the text is not UTF-8: store it as []byte")
		}
	case []byte:
		return append([]byte{valueBytes}, v...), nil
	case time.Time:
		return binary.BigEndian.AppendUint64([]byte{valueTime}, uint64(v.UnixMilli())), nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte{valueJSON}, text...), nil
}

// DecodeValue stores the value b in what v points to. Into an interface it
// decodes as encoding/json does, and to []byte and time.Time for these.
func DecodeValue(b []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("decode into %T: need a pointer", v)
	}
	if len(b) == 0 {
		return errors.New("value is empty")
	}
	kind, rest := b[0], b[1:]
	switch kind {
	case valueJSON:
		return json.Unmarshal(rest, v)
	case valueBytes:
		return assign(p.Elem(), append([]byte{}, rest...))
	case valueTime:
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
