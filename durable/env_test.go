package durable

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
)

var env = newEnv(&wire.Welcome{
	Vars: []wire.Var{
		{Name: "TEXT", Value: "hello"},
		{Name: "EMPTY", Value: ""},
		{Name: "NUMERAL", Value: "5"},
		{Name: "NUMBER", Value: "5", JSON: true},
		{Name: "LIMITS", Value: `{"max":3}`, JSON: true},
		{Name: "LIMITS_TEXT", Value: `{"max":4}`},
		{Name: "QUOTED", Value: `"hi"`},
	},
	Bindings: []wire.Binding{
		{Name: "OTHERS", Class: "Other", UniqueKey: objectid.UniqueKey("worker", "Other")},
		{Name: "OBJECTS", Class: "Object", UniqueKey: objectid.UniqueKey("worker", "Object")},
	},
	Unsupported: []wire.UnsupportedBinding{{Name: "CACHE", Kind: "KV namespace"}},
})

func TestVarReturnsText(t *testing.T) {
	tests := []struct {
		name, want string
		wantOK     bool
	}{
		{"TEXT", "hello", true},
		{"EMPTY", "", true},
		{"LIMITS", `{"max":3}`, true},
		{"NONE", "", false},
		{"text", "", false},
	}
	for _, tt := range tests {
		if got := env.Var(tt.name); got != tt.want {
			t.Errorf("Var(%q) = %q, want %q", tt.name, got, tt.want)
		}
		if got, ok := env.LookupVar(tt.name); got != tt.want || ok != tt.wantOK {
			t.Errorf("LookupVar(%q) = %q, %v; want %q, %v", tt.name, got, ok, tt.want, tt.wantOK)
		}
	}
}

func TestDecodeVarDecodesJSON(t *testing.T) {
	var limits struct{ Max int }
	var number int
	var text, numeral string
	for name, v := range map[string]any{"LIMITS": &limits, "NUMBER": &number, "TEXT": &text, "NUMERAL": &numeral} {
		if err := env.DecodeVar(name, v); err != nil {
			t.Error(err)
		}
	}
	if limits.Max != 3 || number != 5 || text != "hello" || numeral != "5" {
		t.Errorf("got %v, %v, %q, %q", limits, number, text, numeral)
	}
}

// --var, .dev.vars and Options.Vars give every variable as a string.
func TestDecodeVarDecodesTextAsJSONIfTheDestinationIsNoString(t *testing.T) {
	var limits struct{ Max int }
	var number int
	var text string
	var anything any
	for name, v := range map[string]any{
		"LIMITS_TEXT": &limits, "NUMERAL": &number, "QUOTED": &text, "EMPTY": &anything,
	} {
		if err := env.DecodeVar(name, v); err != nil {
			t.Error(err)
		}
	}
	if limits.Max != 4 || number != 5 || text != `"hi"` || anything != "" {
		t.Errorf("got %v, %v, %q, %#v", limits, number, text, anything)
	}
}

func TestDecodeVarSaysWhatIsWrong(t *testing.T) {
	tests := []struct {
		name string
		v    any
		want string
	}{
		{
			"CACHE",
			new(string),
			`decode variable: the binding "CACHE" is not emulated (KV namespace): devtool emulates Durable Objects ` +
				`and variables only`,
		},
		{"NONE", new(string), `decode variable "NONE": the configuration has no such variable`},
		{"TEXT", new(int), `decode variable "TEXT": json: cannot unmarshal string into Go value of type int`},
		{"EMPTY", new(int), `decode variable "EMPTY": json: cannot unmarshal string into Go value of type int`},
		{"NUMERAL", new(bool), `decode variable "NUMERAL": json: cannot unmarshal number into Go value of type bool`},
		{"NUMBER", new(string), `decode variable "NUMBER": json: cannot unmarshal number into Go value of type string`},
		{"NUMBER", 5, `decode variable "NUMBER": json: Unmarshal(non-pointer int)`},
	}
	for _, tt := range tests {
		expectError(t, env.DecodeVar(tt.name, tt.v), tt.want)
	}
}

func TestNamespaceThatIsNotBoundPanicsAndNamesTheBoundOnes(t *testing.T) {
	tests := []struct {
		env  *Env
		want string
	}{
		{env, `durable: no class is bound as "COUNTERS" in durable_objects.bindings (bound are: OBJECTS, OTHERS)`},
		{
			newEnv(&wire.Welcome{}),
			`durable: no class is bound as "COUNTERS" in durable_objects.bindings (bound are: none)`,
		},
	}
	for _, tt := range tests {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); got != tt.want {
					t.Errorf("got panic %q\nwant      %q", got, tt.want)
				}
			}()
			tt.env.Namespace("COUNTERS")
		}()
	}
}

func TestABindingThatIsNotEmulatedPanicsWhenItIsUsed(t *testing.T) {
	const want = `durable: the binding "CACHE" is not emulated (KV namespace): devtool emulates Durable Objects ` +
		`and variables only`
	for name, use := range map[string]func(){
		"Var":       func() { env.Var("CACHE") },
		"Namespace": func() { env.Namespace("CACHE") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); got != want {
					t.Errorf("got panic %q\nwant      %q", got, want)
				}
			}()
			use()
		})
	}
	if v, ok := env.LookupVar("CACHE"); ok {
		t.Errorf("LookupVar found %q", v)
	}
}

// These are the ids of workerd for the same key (src/workerd/server/server-test.c++).
func TestIDsOfNamesAreThoseOfThePlatform(t *testing.T) {
	ns := newEnv(&wire.Welcome{Bindings: []wire.Binding{{Name: "NS", UniqueKey: "mykey"}}}).Namespace("NS")
	tests := []struct{ name, want string }{
		{"http://foo/", "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234"},
		{"http://foo/bar", "02b496f65dd35cbac90e3e72dc5a398ee93926ea4a3821e26677082d2e6f9b79"},
	}
	for _, tt := range tests {
		id := ns.IDFromName(tt.name)
		if got := id.String(); got != tt.want {
			t.Errorf("IDFromName(%q) = %s, want %s", tt.name, got, tt.want)
		}
		if got := ns.GetByName(tt.name).ID(); !got.Equal(id) {
			t.Errorf("GetByName(%q) is the stub of %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Vectors of a worker called "worker": HMAC-SHA-256 with the hash of worker-CLASS as its
// key, first of the name, then of the result.
func TestIDsDependOnTheClass(t *testing.T) {
	tests := []struct{ binding, name, want string }{
		{"OBJECTS", "one", "d392f33da786fba4f0a7a81327a3c8bee44a5bd22383c74494256114d9dba14a"},
		{"OBJECTS", "", "019263ad667be7fe225d70d12e3d18a5c64df2369f9eb02c44e7decfbc112950"},
		{"OBJECTS", "grüße", "3fc5d7d56ef2ed2edd9eea7ca1a6fe2e69e80622bec19658205cc6c6064d277c"},
		{"OTHERS", "one", "e7e0342b0fe1f590e9e727caf76817d92ad44a98d7fc0753a89d162215ac9d0f"},
	}
	for _, tt := range tests {
		if got := env.Namespace(tt.binding).IDFromName(tt.name).String(); got != tt.want {
			t.Errorf("%s.IDFromName(%q) = %s, want %s", tt.binding, tt.name, got, tt.want)
		}
	}
}

func TestIDKnowsItsNameOnlyIfItWasDerivedFromIt(t *testing.T) {
	ns := env.Namespace("OBJECTS")
	named := ns.IDFromName("")
	parsed, err := ns.IDFromString(named.String())
	if err != nil {
		t.Fatal(err)
	}
	if name, ok := named.Name(); name != "" || !ok {
		t.Errorf("id of the empty name: name %q, %v; want the empty one", name, ok)
	}
	for _, id := range []ID{parsed, ns.NewUniqueID(), {}} {
		if name, ok := id.Name(); name != "" || ok {
			t.Errorf("id %s: name %q, %v; want none", id, name, ok)
		}
	}
	if !parsed.Equal(named) || !named.Equal(parsed) {
		t.Error("ids of the same object, one of which knows its name, are not equal")
	}
}

func TestIDFromStringRejectsOtherTexts(t *testing.T) {
	ns := env.Namespace("OBJECTS")
	tests := []struct {
		name, s string
		want    error
	}{
		{"empty", "", objectid.ErrMalformed},
		{"a name", "one", objectid.ErrMalformed},
		{"not hex", strings.Repeat("g", 64), objectid.ErrMalformed},
		{"a digit short", ns.IDFromName("one").String()[1:], objectid.ErrMalformed},
		{"of another class", env.Namespace("OTHERS").IDFromName("one").String(), objectid.ErrForeign},
		{"made up", strings.Repeat("0", 64), objectid.ErrForeign},
	}
	for _, tt := range tests {
		if id, err := ns.IDFromString(tt.s); !errors.Is(err, tt.want) || !id.Equal(ID{}) {
			t.Errorf("%s: got %s, %v; want no id and %v", tt.name, id, err, tt.want)
		}
	}
}

func TestIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := env.Namespace("OBJECTS")
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		first, second := ns.IDFromName(a), ns.IDFromName(b)
		if first.Equal(second) != (a == b) {
			t.Fatalf("ids of %q and %q: %s and %s", a, b, first, second)
		}
		for _, id := range []ID{first, ns.NewUniqueID()} {
			if got, err := ns.IDFromString(id.String()); err != nil || !got.Equal(id) {
				t.Fatalf("IDFromString(%s) = %s, %v", id, got, err)
			}
			if _, err := env.Namespace("OTHERS").IDFromString(id.String()); err == nil {
				t.Fatalf("%s is an id of two classes", id)
			}
		}
		if ns.NewUniqueID().Equal(ns.NewUniqueID()) {
			t.Fatal("two unique ids are equal")
		}
	})
}
