package control_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/emulator/control"
)

func TestSQLValuesInJSON(t *testing.T) {
	for _, test := range []struct {
		value any
		want  string
	}{
		{nil, `null`},
		{int64(math.MaxInt64), `9223372036854775807`},
		{int64(-1), `-1`},
		{1.0, `1.0`},
		{-0.25, `-0.25`},
		{1e21, `1e+21`},
		{math.Inf(1), `{"type":"real","value":"Inf"}`},
		{math.Inf(-1), `{"type":"real","value":"-Inf"}`},
		{"", `""`},
		{"5", `"5"`},
		{"\xff", `{"type":"text","value":"/w=="}`},
		{[]byte("hi"), `{"type":"bytes","value":"aGk="}`},
		{[]byte{}, `{"type":"bytes","value":""}`},
	} {
		got, err := json.Marshal(control.SQLValue{V: test.value})
		if err != nil || string(got) != test.want {
			t.Errorf("%#v: got %s, %v, want %s", test.value, got, err, test.want)
		}
		var back control.SQLValue
		if err := json.Unmarshal([]byte(test.want), &back); err != nil {
			t.Errorf("read %s: %v", test.want, err)
		}
		if diff := cmp.Diff(test.value, back.V); diff != "" {
			t.Errorf("read %s (-want +got):\n%s", test.want, diff)
		}
	}
	if got, err := json.Marshal(control.SQLValue{V: 5}); err == nil {
		t.Errorf("an int became %s, want an error: an int is not an SQL value", got)
	}
}

func TestSQLArgumentsInJSON(t *testing.T) {
	for text, want := range map[string]any{
		"true": int64(1), "false": int64(0), "1.0": 1.0, "1e2": 100.0, "-0": int64(0), " 7 ": int64(7),
	} {
		var got control.SQLValue
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.V != want {
			t.Errorf("%s: got %#v, %v, want %#v", text, got.V, err, want)
		}
	}
	for text, want := range map[string]string{
		"9223372036854775808":                "9223372036854775808 is too large for an integer of SQL: pass it as text",
		"1e999":                              "1e999 is too large for a number of SQL",
		"[1]":                                "a list is not a value of SQL: pass it as text",
		`{"a":1}`:                            `"" is not a type of values: they are bytes, text and real`,
		`{"type":"time","value":""}`:         `"time" is not a type of values: they are bytes, text and real`,
		`{"type":"bytes","value":"not b64"}`: "the value of type bytes is not a string in base64",
		`{"type":"text","value":null}`:       "the value of type text is not a string in base64",
		`{"type":"bytes"}`:                   "the value of type bytes is not a string in base64",
		`{"type":"real","value":"NaN"}`:      `the value of type real is neither "Inf" nor "-Inf"`,
	} {
		var got control.SQLValue
		if err := json.Unmarshal([]byte(text), &got); err == nil || err.Error() != want {
			t.Errorf("%s: got %#v, %v, want %q", text, got.V, err, want)
		}
	}
}

func TestSQLValuesSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Just[any](nil), rapid.Int64().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }).AsAny(),
			rapid.SliceOf(rapid.Byte()).AsAny(),
		).Draw(t, "value")
		if f, ok := value.(float64); ok && math.IsNaN(f) {
			t.Skip("SQL has none")
		}
		text, err := json.Marshal(control.SQLValue{V: value})
		if err != nil {
			t.Fatal(err)
		}
		var back control.SQLValue
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if diff := cmp.Diff(value, back.V); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	})
}

func FuzzSQLValue(f *testing.F) {
	for _, seed := range []string{
		"", "null", "1", "-1.5e3", `"x"`, "true", "[]", "nul", "{",
		`{"type":"bytes","value":"aGk="}`, `{"type":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var value, back control.SQLValue
		if value.UnmarshalJSON(text) != nil {
			return
		}
		shown, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%q became %#v, which can't be shown: %v", text, value.V, err)
		}
		if err := json.Unmarshal(shown, &back); err != nil || !cmp.Equal(value, back) {
			t.Errorf("%q became %#v and, through %s, %#v, %v", text, value.V, shown, back.V, err)
		}
	})
}
