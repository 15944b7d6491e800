package stored_test

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/durable/stored"
)

const (
	exact  = 1 << 53
	beyond = exact + 1
)

// Types that encoding/json treats in different ways.
type (
	line struct {
		SKU    int64 `json:"sku"`
		Price  float64
		hidden int64
	}
	basket struct {
		Lines []line           `json:"lines"`
		ByID  map[uint64]*line `json:"by_id"`
		Any   any
		Text  int64 `json:"text,string"`
		Skip  int64 `json:"-"`
		Dash  int64 `json:"-,"` //nolint:staticcheck // its name is "-"
		Zero  int64 `json:",omitempty"`
	}
	base    struct{ N int64 }
	shadow  struct{ N int64 }
	renamed struct {
		base
		N int64 `json:"other"`
	}
	deep struct {
		*base
		shadow `json:"shadow"`
		F      float64 `json:"f"`
	}
	ring struct {
		*ring
		N int64
	}
	// written has a text of its own, with the pointer's method.
	written struct{ text string }
	myInt   uint64
	textKey struct{ k string }
)

func (w *written) MarshalJSON() ([]byte, error) { return []byte(w.text), nil }

func (k textKey) MarshalText() ([]byte, error) { return []byte(k.k), nil }

// The String method of a key does not matter to JSON.
func (i myInt) String() string { return "seven" }

func TestLargeIntegersAreRefused(t *testing.T) {
	n := int64(beyond)
	circle := &ring{N: beyond}
	circle.ring = circle
	for _, tt := range []struct {
		value any
		want  string // the integer and where it is
	}{
		{n, "9007199254740993"},
		{-n, "-9007199254740993"},
		{&n, "9007199254740993"},
		{int64(math.MaxInt64), "9223372036854775807"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{uint64(math.MaxUint64), "18446744073709551615"},
		{int64(1 << 60), "1152921504606846976"}, // although a float64 holds it
		{myInt(beyond), "9007199254740993"},
		{[]any{1, []int64{exact, beyond}}, "9007199254740993 at [1][1]"},
		{[2]uint64{0, beyond}, "9007199254740993 at [1]"},
		{map[string]any{"a": map[string]int64{"b c": beyond}}, `9007199254740993 at a["b c"]`},
		{map[string]int64{"": beyond}, `9007199254740993 at [""]`},
		{map[string]int64{"\xff<": beyond}, `9007199254740993 at ["�<"]`},
		{map[textKey]int64{{"k"}: beyond}, "9007199254740993 at k"},
		{map[myInt]int64{7: beyond}, `9007199254740993 at ["7"]`},
		{map[int8]any{-7: beyond}, `9007199254740993 at ["-7"]`},
		{basket{Lines: []line{{}, {SKU: beyond}}}, "9007199254740993 at lines[1].sku"},
		{basket{ByID: map[uint64]*line{7: {SKU: beyond}}}, `9007199254740993 at by_id["7"].sku`},
		{&basket{Any: &basket{Any: &n}}, "9007199254740993 at Any.Any"},
		{basket{Zero: beyond}, "9007199254740993 at Zero"},
		{basket{Dash: beyond}, `9007199254740993 at ["-"]`},
		{deep{base: &base{beyond}}, "9007199254740993 at N"},
		{deep{shadow: shadow{beyond}}, "9007199254740993 at shadow.N"},
		{renamed{N: 1 << 60}, "1152921504606846976 at other"},
		{renamed{base: base{1 << 60}}, "1152921504606846976 at N"},
		{*circle, "9007199254740993 at N"},
		{[]any{1e18, beyond}, "9007199254740993 at [1]"},
		{[]any{"12345678901234567890", beyond}, "9007199254740993 at [1]"},
		{json.RawMessage(`{"a": [ 9007199254740993 ]}`), "9007199254740993 at a[0]"},
		{json.Number("9007199254740993"), "9007199254740993"},
		{&written{`{"big":9007199254740993}`}, "9007199254740993 at big"},
		{map[string]any{"w": &written{"-9007199254740993"}}, "-9007199254740993 at w"},
		{new(big.Int).SetInt64(beyond), "9007199254740993"},
		{json.RawMessage("1" + strings.Repeat("0", 400)), "1" + strings.Repeat("0", 400)},
	} {
		want := "the integer " + tt.want + " is beyond ±2^53, where a number on the platform is not exact: " +
			"store it as text"
		if b, err := stored.Encode(tt.value); err == nil || err.Error() != want {
			t.Errorf("Encode(%T %v) = %q, %v; want the error %s", tt.value, tt.value, b, err, want)
		}
	}
}

func TestOtherNumbersAreStored(t *testing.T) {
	for _, v := range []any{
		exact, -exact, uint64(exact), []int64{exact}, myInt(exact),
		1e18, float32(1e18), -1e20, math.MaxFloat64, float64(1 << 63), []any{1e18}, map[string]float64{"a": 1e18},
		basket{Lines: []line{{Price: 1e18, hidden: beyond}}, Text: beyond, Skip: beyond},
		deep{F: 1e18}, renamed{},
		map[int64]int{beyond: 1}, // keys are text
		"9007199254740993", []string{"9007199254740993", "a:9007199254740993,b", `[9007199254740993]`},
		map[string]string{`"`: `:9007199254740993,`},
		0.1234567890123456, 1234567890123456.5, 1.2345678901234567e-7,
		json.Number("1e400"), json.Number("9007199254740993.0"),
		// These are float64s: exactly, and as encoding/json writes them.
		json.RawMessage("9223372036854775808"), json.RawMessage("[9223372036854776000]"),
		&written{"1000000000000000000"}, new(big.Int).Lsh(big.NewInt(1), 200),
	} {
		if _, err := stored.Encode(v); err != nil {
			t.Errorf("Encode(%T %v): %v", v, v, err)
		}
	}
}

// A treeOf is a value of Go's types, and whether there is a large integer in it.
type treeOf struct {
	value any
	large bool
}

func trees(depth int) *rapid.Generator[treeOf] {
	return rapid.Custom(func(t *rapid.T) treeOf {
		edge := rapid.Int64Range(exact-3, exact+3)
		integers := rapid.OneOf(rapid.Int64(), edge, rapid.Map(edge, func(n int64) int64 { return -n }))
		kinds := 5
		if depth > 0 {
			kinds = 11
		}
		switch rapid.IntRange(0, kinds).Draw(t, "kind") {
		case 0:
			n := integers.Draw(t, "int64")
			return treeOf{n, n > exact || n < -exact}
		case 1:
			unsigned := rapid.Map(edge, func(n int64) uint64 { return uint64(n) })
			n := rapid.OneOf(rapid.Uint64(), unsigned).Draw(t, "uint64")
			return treeOf{n, n > exact}
		case 2:
			return treeOf{rapid.Map(integers, func(n int64) float64 { return float64(n) }).Draw(t, "whole"), false}
		case 3:
			return treeOf{rapid.Float64Range(-1e30, 1e30).Draw(t, "float64"), false}
		case 4:
			return treeOf{rapid.StringMatching(`[":,\[\]]{0,2}[0-9]{10,20}[":,\[\]]{0,2}`).Draw(t, "string"), false}
		case 5:
			n := integers.Draw(t, "string option")
			return treeOf{struct {
				N int64 `json:",string"`
			}{n}, false}
		}
		a, b := trees(depth-1).Draw(t, "a"), trees(depth-1).Draw(t, "b")
		large := a.large || b.large
		switch rapid.IntRange(0, 4).Draw(t, "group") {
		case 0:
			return treeOf{[]any{a.value, b.value}, large}
		case 1:
			key := rapid.String().Draw(t, "key")
			return treeOf{map[string]any{key: a.value, key + "'": b.value}, large}
		case 2:
			return treeOf{struct {
				A any `json:"b"`
				B any `json:"a"`
			}{a.value, b.value}, large}
		case 3:
			return treeOf{struct {
				A    any
				Skip any `json:"-"`
			}{&a.value, b.value}, a.large}
		}
		return treeOf{&[2]any{&b.value, a.value}, large}
	})
}

func TestExactlyTheLargeIntegersAreRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := trees(4).Draw(t, "tree")
		if _, err := stored.Encode(tree.value); (err != nil) != tree.large {
			t.Fatalf("got error %v, want one: %t", err, tree.large)
		}
	})
}

// JSON that somebody else has written is refused if it has an integer that neither is a float64 nor
// is written as one.
func FuzzIntegersOfText(f *testing.F) {
	for _, text := range []string{
		"9007199254740993", `{"a":[-9007199254740993,"9007199254740993"]}`, "[1e20,9223372036854776000,0.1]",
		`{":9007199254740993,":":9007199254740993,"}`, strings.Repeat("9", 500), "[9007199254740992,18014398509481985]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		want := false
		tokens := json.NewDecoder(strings.NewReader(text))
		tokens.UseNumber()
		for {
			token, err := tokens.Token()
			if err != nil {
				break
			}
			if n, ok := token.(json.Number); ok && !fitsFloat(n.String()) {
				want = true
			}
		}
		if _, err := stored.Encode(json.RawMessage(text)); (err != nil) != want {
			t.Errorf("got error %v, want one: %t", err, want)
		}
	})
}

// fitsFloat reports whether a number in JSON is no integer, or one that a float64 holds or is
// written as.
func fitsFloat(literal string) bool {
	n, ok := new(big.Int).SetString(literal, 10)
	if !ok || n.CmpAbs(big.NewInt(exact)) <= 0 {
		return true
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return false
	}
	held, _ := big.NewFloat(f).Int(nil)
	written, _ := json.Marshal(f) //nolint:errcheck // it is finite
	return held.Cmp(n) == 0 || string(written) == literal || strconv.FormatFloat(f, 'f', -1, 64) == literal
}

func BenchmarkEncode(b *testing.B) {
	values := map[string]any{
		"int": 7, "text": strings.Repeat("text ", 200), "digits": strings.Repeat("1234567890", 100),
		"order": order{ID: 1, Lines: []string{"a", "b"}, Tags: map[string]string{"k": "v"}},
	}
	floats := make([]float64, 1000)
	for i := range floats {
		floats[i] = math.Sqrt(float64(i))
	}
	values["floats"] = floats
	for name, v := range values {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := stored.Encode(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
