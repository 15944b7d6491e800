package world

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"devtool.internal/durable/stored"
	"devtool.internal/emulator/control"
)

// Any value can be stored again from the form in which the administration shows it.
func TestValuesSurviveBeingShownAndStored(t *testing.T) {
	const firstMS, lastMS = -62135596800000, 253402300799999 // the years 1 to 9999
	times := rapid.Map(rapid.Int64Range(firstMS, lastMS), func(ms int64) time.Time { return time.UnixMilli(ms).UTC() })
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.SliceOf(rapid.Byte()).AsAny(), times.AsAny(),
			rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(),
			rapid.MapOf(rapid.String(), rapid.Float64().AsAny()).AsAny(),
		).Draw(t, "value")
		b, err := stored.Encode(value)
		if err != nil {
			t.Skip("no value") // such as NaN
		}
		shown := describeEntry("k", b)
		again, err := encodeEntry(control.PutRequest{Type: shown.Type, Value: shown.Value})
		if err != nil || string(again) != string(b) {
			t.Errorf("%+v became %q, %v, want %q", shown, again, err, b)
		}
	})
}

func FuzzDescribeEntry(f *testing.F) {
	for _, seed := range []string{
		"", "J", "J1", "Jx", "B", "Bhi", "T", "T12345678", "T\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\x0f", "?",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := describeEntry("k", b)
		if (e.Type == control.TypeUnknown) != (e.Problem != "") || (e.Problem == "") != json.Valid(e.Value) {
			t.Errorf("%q is shown as %+v", b, e)
		}
	})
}
