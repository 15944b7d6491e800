package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// A Message is one of the types in message.go. Its fields method lists each field once, in the
// order of the wire, for both directions. So encoding and decoding cannot drift apart.
type Message interface {
	fields(c *codec)
}

// Encode returns the bytes of m.
func Encode(m Message) []byte {
	return appendMessage(nil, m)
}

func appendMessage(b []byte, m Message) []byte {
	c := codec{buf: b}
	m.fields(&c)
	return c.buf
}

// Decode decodes b into m, which must be a zero value. Byte slices in m share memory with b.
func Decode(b []byte, m Message) error {
	c := codec{buf: b, decoding: true}
	m.fields(&c)
	if c.err == nil && len(c.buf) > 0 {
		c.err = fmt.Errorf("%d bytes too many", len(c.buf))
	}
	if c.err != nil {
		return fmt.Errorf("decode %T: %w", m, c.err)
	}
	return nil
}

var errShort = errors.New("message ends too early")

// A codec appends fields to buf, or takes them from its front.
type codec struct {
	buf      []byte
	decoding bool
	err      error // the first error of decoding, which stays
}

func (c *codec) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.buf = nil
}

func (c *codec) uint(v *uint64) {
	if !c.decoding {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	u, n := binary.Uvarint(c.buf)
	switch {
	case n == 0:
		c.fail(errShort)
	case n < 0:
		c.fail(errors.New("number larger than 64 bits"))
	default:
		*v, c.buf = u, c.buf[n:]
	}
}

func (c *codec) int(v *int64) {
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	c.uint(&u)
	if c.decoding {
		*v = int64(u>>1) ^ -int64(u&1)
	}
}

func (c *codec) bool(v *bool) {
	if !c.decoding {
		b := byte(0)
		if *v {
			b = 1
		}
		c.buf = append(c.buf, b)
		return
	}
	switch {
	case len(c.buf) == 0:
		c.fail(errShort)
	case c.buf[0] > 1:
		c.fail(fmt.Errorf("boolean %d", c.buf[0]))
	default:
		*v, c.buf = c.buf[0] == 1, c.buf[1:]
	}
}

// take removes the next length-prefixed bytes from the front of buf.
func (c *codec) take() []byte {
	var n uint64
	c.uint(&n)
	if c.err != nil {
		return nil
	}
	if n > uint64(len(c.buf)) {
		c.fail(errShort)
		return nil
	}
	b := c.buf[:n:n]
	c.buf = c.buf[n:]
	return b
}

func (c *codec) bytes(v *[]byte) {
	if c.decoding {
		*v = c.take()
		return
	}
	c.buf = binary.AppendUvarint(c.buf, uint64(len(*v)))
	c.buf = append(c.buf, *v...)
}

// string encodes and decodes text. Bytes that are not UTF-8 do not decode.
func (c *codec) string(v *string) {
	c.rawString(v)
	if c.decoding && !utf8.ValidString(*v) {
		*v = ""
		c.fail(errors.New("text that is not UTF-8"))
	}
}

// rawString encodes and decodes bytes that Go holds in a string.
func (c *codec) rawString(v *string) {
	if c.decoding {
		*v = string(c.take())
		return
	}
	c.buf = binary.AppendUvarint(c.buf, uint64(len(*v)))
	c.buf = append(c.buf, *v...)
}

// The types of SQL values.
const (
	sqlNull = iota
	sqlInteger
	sqlReal
	sqlText
	sqlBlob
)

// sqlValue encodes and decodes a nil, int64, float64, string or []byte.
func (c *codec) sqlValue(v *any) {
	if !c.decoding {
		c.appendSQL(*v)
		return
	}
	if len(c.buf) == 0 {
		c.fail(errShort)
		return
	}
	kind := c.buf[0]
	c.buf = c.buf[1:]
	switch kind {
	case sqlNull:
	case sqlInteger:
		var n int64
		c.int(&n)
		*v = n
	case sqlReal:
		if len(c.buf) < 8 {
			c.fail(errShort)
			return
		}
		*v = math.Float64frombits(binary.BigEndian.Uint64(c.buf))
		c.buf = c.buf[8:]
	case sqlText:
		*v = string(c.take())
	case sqlBlob:
		*v = c.take()
	default:
		c.fail(fmt.Errorf("type %d of an SQL value", kind))
	}
}

func (c *codec) appendSQL(v any) {
	switch v := v.(type) {
	case nil:
		c.buf = append(c.buf, sqlNull)
	case int64:
		c.buf = append(c.buf, sqlInteger)
		c.int(&v)
	case float64:
		c.buf = append(c.buf, sqlReal)
		c.buf = binary.BigEndian.AppendUint64(c.buf, math.Float64bits(v))
	case string:
		c.buf = append(c.buf, sqlText)
		c.rawString(&v)
	case []byte:
		c.buf = append(c.buf, sqlBlob)
		c.bytes(&v)
	default:
		panic(fmt.Sprintf("wire: a %T is not an SQL value", v))
	}
}

// list encodes and decodes a list of items. Each item is at least one byte long on the wire. That
// limits the memory that a wrong count can make list allocate.
func list[T any](c *codec, v *[]T, item func(*codec, *T)) {
	n := uint64(len(*v))
	c.uint(&n)
	if !c.decoding {
		for i := range *v {
			item(c, &(*v)[i])
		}
		return
	}
	if n > uint64(len(c.buf)) {
		c.fail(errShort)
		return
	}
	for range n {
		var t T
		item(c, &t)
		if c.err != nil {
			return
		}
		*v = append(*v, t)
	}
}
