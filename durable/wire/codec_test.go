package wire_test

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

// diff compares two messages. A missing list and an empty one are the same on the wire.
func diff(got, want wire.Message) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

func TestMessagesConsistOfTheirFieldsInOrder(t *testing.T) {
	for _, m := range messages {
		t.Run(typeName(m), rapid.MakeCheck(func(t *rapid.T) {
			m := drawn(t, m)
			got, want := wire.Encode(m), appendSpecified(nil, reflect.ValueOf(m).Elem())
			if !bytes.Equal(got, want) {
				t.Errorf("Encode(%+v)\n got %q\nwant %q", m, got, want)
			}
		}))
	}
}

func TestMessagesRoundTrip(t *testing.T) {
	for _, m := range messages {
		t.Run(typeName(m), rapid.MakeCheck(func(t *rapid.T) {
			want, got := drawn(t, m), like(m)
			if err := wire.Decode(wire.Encode(want), got); err != nil {
				t.Fatal(err)
			}
			if d := diff(got, want); d != "" {
				t.Errorf("message changed (-sent +arrived):\n%s", d)
			}
		}))
	}
}

func TestNumbersAreVarints(t *testing.T) {
	tests := []struct {
		m    wire.Message
		want string
	}{
		{&wire.Operation{Event: 0}, "\x00"},
		{&wire.Operation{Event: 127}, "\x7f"},
		{&wire.Operation{Event: 128}, "\x80\x01"},
		{&wire.Operation{Event: math.MaxUint64}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{&wire.Time{Time: 0}, "\x00"},
		{&wire.Time{Time: -1}, "\x01"},
		{&wire.Time{Time: 1}, "\x02"},
		{&wire.Time{Time: -2}, "\x03"},
		{&wire.Time{Time: math.MaxInt64}, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{&wire.Time{Time: math.MinInt64}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
	}
	for _, tt := range tests {
		if got := string(wire.Encode(tt.m)); got != tt.want {
			t.Errorf("Encode(%+v) = %q, want %q", tt.m, got, tt.want)
		}
		got := like(tt.m)
		if err := wire.Decode([]byte(tt.want), got); err != nil || !cmp.Equal(got, tt.m) {
			t.Errorf("Decode(%q) = %+v, %v, want %+v", tt.want, got, err, tt.m)
		}
	}
}

func TestDecodeRejectsIncompleteMessages(t *testing.T) {
	for _, m := range messages {
		b := wire.Encode(full(m))
		for n := range b {
			if err := wire.Decode(b[:n], like(m)); err == nil {
				t.Errorf("%s: the first %d of %d bytes decode", typeName(m), n, len(b))
			}
		}
	}
}

func TestDecodeRejectsTrailingBytes(t *testing.T) {
	for _, m := range messages {
		err := wire.Decode(append(wire.Encode(full(m)), 0, 0), like(m))
		if err == nil || !strings.Contains(err.Error(), "2 bytes too many") {
			t.Errorf("%s with 2 bytes behind it: %v", typeName(m), err)
		}
	}
}

func TestErrorsOfDecodeNameTheCause(t *testing.T) {
	tests := []struct {
		name string
		b    string
		m    wire.Message
		want string
	}{
		{"nothing", "", new(wire.Operation), "decode *wire.Operation: message ends too early"},
		{"unfinished number", "\x80", new(wire.Operation), "decode *wire.Operation: message ends too early"},
		{
			"number of 65 bits",
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
			new(wire.Operation),
			"decode *wire.Operation: number larger than 64 bits",
		},
		{"endless number", strings.Repeat("\x80", 20), new(wire.Time), "decode *wire.Time: number larger than 64 bits"},
		{"boolean that is neither", "\x02", new(wire.Existed), "decode *wire.Existed: boolean 2"},
		{"missing boolean", "\x00", new(wire.Listed), "decode *wire.Listed: message ends too early"},
		{
			"bytes longer than the message",
			"\x01\x05abcd",
			new(wire.Value),
			"decode *wire.Value: message ends too early",
		},
		{
			"length of 64 bits",
			"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
			new(wire.Value),
			"decode *wire.Value: message ends too early",
		},
		{
			"more items than bytes",
			"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
			new(wire.Listed),
			"decode *wire.Listed: message ends too early",
		},
		{
			"text that is not UTF-8",
			"\x01\x01\x02v\xff\x00\x00",
			new(wire.Hello),
			"decode *wire.Hello: text that is not UTF-8",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := wire.Decode([]byte(tt.b), tt.m)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

// eachString calls visit with every string in v, which is called name.
func eachString(v reflect.Value, name string, visit func(v reflect.Value, name string)) {
	switch v.Kind() {
	case reflect.String:
		visit(v, name)
	case reflect.Slice:
		for i := range v.Len() {
			eachString(v.Index(i), name, visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			eachString(v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name, visit)
		}
	}
}

func TestTextIsUTF8AndOtherStringsAreAnyBytes(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range messages {
		m := full(m)
		eachString(reflect.ValueOf(m).Elem(), "", func(v reflect.Value, name string) {
			seen[name] = true
			good := v.String()
			v.SetString("\xc3\x28")
			err := wire.Decode(wire.Encode(m), like(m))
			v.SetString(good)
			if got, want := err == nil, !slices.Contains(text, name); got != want {
				t.Errorf("%s takes bytes that are not UTF-8: %t, want %t", name, got, want)
			}
		})
	}
	for _, name := range text {
		if !seen[name] {
			t.Errorf("there is no string %s", name)
		}
	}
}

func TestDecodedBytesAliasTheMessageAndNothingBehindThem(t *testing.T) {
	b := wire.Encode(&wire.Listed{Entries: []wire.Entry{{Key: "k", Value: []byte("one")}}, More: true})
	var m wire.Listed
	if err := wire.Decode(b, &m); err != nil {
		t.Fatal(err)
	}
	value := m.Entries[0].Value
	copy(b[bytes.Index(b, []byte("one")):], "two")
	if got := string(value); got != "two" {
		t.Errorf("value is %q after the message was changed, want two", got)
	}
	before := slices.Clone(b)
	_ = append(value, 0xee)
	if !bytes.Equal(b, before) {
		t.Errorf("appending to a value wrote into the message: %q, was %q", b, before)
	}
}

// footprint returns how many bytes v holds on to.
func footprint(v reflect.Value) int {
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Slice:
		n := v.Cap() * int(v.Type().Elem().Size())
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return n
		}
		for i := range v.Len() {
			n += footprint(v.Index(i))
		}
		return n
	case reflect.Struct:
		n := 0
		for i := range v.NumField() {
			n += footprint(v.Field(i))
		}
		return n
	}
	return 0
}

// Bytes that decode can be encoded and decode to the same again. Other bytes are an error and never
// a panic. Neither takes memory out of proportion.
func FuzzDecode(f *testing.F) {
	for i, m := range messages {
		f.Add(byte(i), wire.Encode(full(m)))
		f.Add(byte(i), wire.Encode(like(m)))
	}
	f.Add(byte(15), []byte("\xff\xff\xff\x7f\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		m := messages[int(which)%len(messages)]
		first := like(m)
		err := wire.Decode(b, first)
		if got, limit := footprint(reflect.ValueOf(first).Elem()), 64*(1+len(b)); got > limit {
			t.Errorf("%d bytes decode to %d", len(b), got)
		}
		if err != nil {
			return
		}
		again := like(m)
		if err := wire.Decode(wire.Encode(first), again); err != nil {
			t.Fatalf("%+v does not decode after Encode: %v", first, err)
		}
		if d := diff(again, first); d != "" {
			t.Errorf("message changed (-first +again):\n%s", d)
		}
	})
}
