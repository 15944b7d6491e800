package stored_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/durable/stored"
)

type order struct {
	ID    int               `json:"id"`
	Lines []string          `json:"lines,omitempty"`
	Tags  map[string]string `json:"tags"`
	At    time.Time         `json:"at"`
	Blob  []byte            `json:"blob"`
}

func mustEncode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := stored.Encode(v)
	if err != nil {
		t.Fatalf("Encode(%v): %v", v, err)
	}
	return b
}

// decodeLike decodes b into a new variable of want's type.
func decodeLike[T any](b []byte, _ T) (any, error) {
	var got T
	err := stored.Decode(b, &got)
	return got, err
}

func TestValuesKeepTheirType(t *testing.T) {
	at := time.UnixMilli(0x010203040506).UTC()
	type blob []byte
	tests := []struct {
		name   string
		value  any
		stored string
		decode func([]byte) (any, error)
	}{
		{"string", "a<b", `J"a\u003cb"`, func(b []byte) (any, error) { return decodeLike(b, "") }},
		{"int", -7, "J-7", func(b []byte) (any, error) { return decodeLike(b, 0) }},
		{
			"large int",
			int64(1 << 53),
			"J9007199254740992",
			func(b []byte) (any, error) { return decodeLike(b, int64(0)) },
		},
		{"float", 1.5, "J1.5", func(b []byte) (any, error) { return decodeLike(b, 0.0) }},
		{"bool", true, "Jtrue", func(b []byte) (any, error) { return decodeLike(b, false) }},
		{"list", []string{"a", "b"}, `J["a","b"]`, func(b []byte) (any, error) { return decodeLike(b, []string(nil)) }},
		{
			"struct",
			order{ID: 1, Tags: map[string]string{"k": "v"}, At: at, Blob: []byte("\x00\xff")},
			`J{"id":1,"tags":{"k":"v"},"at":"2005-02-11T20:02:37.446Z","blob":"AP8="}`,
			func(b []byte) (any, error) { return decodeLike(b, order{}) },
		},
		{"bytes", []byte("\x00\xffJ"), "B\x00\xffJ", func(b []byte) (any, error) { return decodeLike(b, []byte(nil)) }},
		{"no bytes", []byte{}, "B", func(b []byte) (any, error) { return decodeLike(b, []byte(nil)) }},
		{
			"time",
			at,
			"T\x00\x00\x01\x02\x03\x04\x05\x06",
			func(b []byte) (any, error) { return decodeLike(b, time.Time{}) },
		},
		{"own type of bytes", blob("\x00"), `J"AA=="`, func(b []byte) (any, error) { return decodeLike(b, blob(nil)) }},
		{
			"raw JSON",
			json.RawMessage(`{"a":[1]}`),
			`J{"a":[1]}`,
			func(b []byte) (any, error) { return decodeLike(b, json.RawMessage(nil)) },
		},

		{"bytes as any", []byte("x"), "Bx", decodeAny},
		{"time as any", at, "T\x00\x00\x01\x02\x03\x04\x05\x06", decodeAny},
		{"string as any", "x", `J"x"`, decodeAny},
		{"number as any", 2.0, "J2", decodeAny},
		{"object as any", map[string]any{"a": []any{nil, true}}, `J{"a":[null,true]}`, decodeAny},
		{"nothing as any", nil, "Jnull", decodeAny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := mustEncode(t, tt.value)
			if string(b) != tt.stored {
				t.Errorf("stored as %q, want %q", b, tt.stored)
			}
			got, err := tt.decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.value, got); d != "" {
				t.Errorf("value changed (-put +got):\n%s", d)
			}
		})
	}
}

func decodeAny(b []byte) (any, error) {
	var got any
	err := stored.Decode(b, &got)
	return got, err
}

func TestBytesFitEveryTypeOfBytes(t *testing.T) {
	var got json.RawMessage
	if err := stored.Decode(mustEncode(t, []byte("[]")), &got); err != nil || string(got) != "[]" {
		t.Errorf("got %q, %v; want []", got, err)
	}
}

func TestTimesAreCutToMillisecondsInUTC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Int64Range(-1e12, 1e12).Draw(t, "seconds")
		nanoseconds := rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")
		in := time.Unix(seconds, nanoseconds).In(time.FixedZone("", rapid.IntRange(-12, 14).Draw(t, "zone")*3600))
		b, err := stored.Encode(in)
		if err != nil {
			t.Fatal(err)
		}
		var got time.Time
		if err := stored.Decode(b, &got); err != nil {
			t.Fatal(err)
		}
		if got.UnixMilli() != in.UnixMilli() || got.Nanosecond()%1e6 != 0 {
			t.Errorf("%v became %v, want it cut to milliseconds", in, got)
		}
		if got.Location() != time.UTC {
			t.Errorf("got a time in %v, want UTC", got.Location())
		}
	})
}

// jsonValues are values as encoding/json decodes them into an interface.
func jsonValues(depth int) *rapid.Generator[any] {
	plain := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Bool().AsAny(),
		rapid.String().AsAny(),
		rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }).AsAny(),
	)
	if depth == 0 {
		return plain
	}
	inner := jsonValues(depth - 1)
	return rapid.OneOf(
		plain,
		rapid.SliceOfN(inner, 0, 3).AsAny(),
		rapid.MapOfN(rapid.String(), inner, 0, 3).AsAny(),
	)
}

func TestValuesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(jsonValues(3), rapid.SliceOf(rapid.Byte()).AsAny()).Draw(t, "value")
		b, err := stored.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		if b[0] == 0xff {
			t.Error("the value begins like one that workerd wrote")
		}
		got, err := decodeAny(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("value changed (-put +got):\n%s", d)
		}
	})
}

func TestValuesShareNoMemory(t *testing.T) {
	in := []byte("bytes")
	b := mustEncode(t, in)
	in[0] = 'X'
	before := slices.Clone(b)
	var got []byte
	if err := stored.Decode(b, &got); err != nil || string(got) != "bytes" {
		t.Fatalf("got %q, %v; the value changed after it was put", got, err)
	}
	got[0] = 'Y'
	if !slices.Equal(b, before) {
		t.Error("changing what was got changes what is stored")
	}
	b[1] = 'Z'
	if string(got) != "Yytes" {
		t.Error("changing what is stored changes what was got")
	}

	b = mustEncode(t, "text")
	var raw json.RawMessage
	if err := stored.Decode(b, &raw); err != nil {
		t.Fatal(err)
	}
	b[2] = 'X'
	if string(raw) != `"text"` {
		t.Errorf("changing what is stored changes raw JSON to %s", raw)
	}
}

func TestErrorsOfEncodeNameTheCause(t *testing.T) {
	tests := []struct {
		value any
		want  string
	}{
		{make(chan int), "chan int"},
		{func() {}, "func()"},
		{math.NaN(), "NaN"},
		{map[bool]int{true: 1}, "map[bool]int"},
		{"a\xff", "not UTF-8: store it as []byte"},
		{struct{ C chan int }{}, "chan int"},
	}
	for _, tt := range tests {
		b, err := stored.Encode(tt.value)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Encode(%T) = %q, %v; want an error about %s", tt.value, b, err, tt.want)
		}
	}
}

func TestErrorsOfDecodeNameTheCause(t *testing.T) {
	at := string(mustEncode(t, time.UnixMilli(0)))
	tests := []struct {
		name string
		b    string
		into any
		want string
	}{
		{"no pointer", `J1`, 0, "decode into int: need a pointer"},
		{"nil", `J1`, nil, "decode into <nil>: need a pointer"},
		{"nil pointer", `J1`, (*int)(nil), "decode into *int: need a pointer"},
		{"bytes into a slice, not a pointer", "B", []byte(nil), "decode into []uint8: need a pointer"},
		{"empty", "", new(any), "value is empty"},
		{"unknown kind", "Q1", new(any), "value of unknown kind 0x51"},
		{
			"written by workerd",
			"\xff\x0f\x22\x01a",
			new(any),
			"value was written by JavaScript: only workerd can read it",
		},
		{"no JSON", "J", new(any), "unexpected end of JSON input"},
		{"broken JSON", "J{", new(any), "unexpected end of JSON input"},
		{"JSON of another type", `J"x"`, new(int), "cannot unmarshal string into Go value of type int"},
		{"bytes into a string", "Bx", new(string), "value is a []uint8, not a string"},
		{"bytes into a time", "Bx", new(time.Time), "value is a []uint8, not a time.Time"},
		{"time into bytes", at, new([]byte), "value is a time.Time, not a []uint8"},
		{"time into an int", at, new(int64), "value is a time.Time, not a int64"},
		{"short time", "T\x00", new(time.Time), "time of 1 bytes"},
		{"long time", at + "\x00", new(any), "time of 9 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := stored.Decode([]byte(tt.b), tt.into)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// A value that decodes can be encoded, and decodes to the same again. Other bytes are an error and
// never a panic, for any type to decode into.
func FuzzDecode(f *testing.F) {
	for _, v := range []any{
		nil, "text", 1.5, []any{true, map[string]any{"k": nil}}, []byte("bytes"), time.UnixMilli(-1),
	} {
		f.Add(mustEncode(f, v))
	}
	f.Add([]byte(nil))
	f.Add([]byte("\xff\x0f"))
	f.Add([]byte("T\x80\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, into := range []any{
			new(string), new(int), new([]byte), new(time.Time), new(order), new(*int), new(json.RawMessage), nil, 0,
		} {
			stored.Decode(b, into)
		}
		first, err := decodeAny(b)
		if err != nil {
			return
		}
		again, err := stored.Encode(first)
		if err != nil {
			t.Fatalf("%v does not encode: %v", first, err)
		}
		second, err := decodeAny(again)
		if err != nil {
			t.Fatalf("%q does not decode: %v", again, err)
		}
		if d := cmp.Diff(first, second); d != "" {
			t.Errorf("value changed (-first +second):\n%s", d)
		}
	})
}
