package objectid_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/durable/objectid"
)

// The vectors are those of workerd (src/workerd/server/server-test.c++).
func TestIDsOfNamesAreThoseOfWorkerd(t *testing.T) {
	tests := []struct{ uniqueKey, name, want string }{
		{"mykey", "http://foo/", "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234"},
		{"mykey", "http://foo/bar", "02b496f65dd35cbac90e3e72dc5a398ee93926ea4a3821e26677082d2e6f9b79"},
	}
	for _, tt := range tests {
		id := objectid.FromName(tt.uniqueKey, "", tt.name)
		if got := id.String(); got != tt.want {
			t.Errorf("FromName(%q, %q) = %s, want %s", tt.uniqueKey, tt.name, got, tt.want)
		}
		if got, _, err := objectid.Parse(tt.uniqueKey, tt.want); err != nil || got != id {
			t.Errorf("Parse(%q, %q) = %s, %v; want the same", tt.uniqueKey, tt.want, got, err)
		}
	}
}

// The derivation is this project's own. The key is SHA-256 of the hash of the unique key and the
// jurisdiction. The rest is as in workerd.
func TestIDsOfAJurisdictionAreDerivedWithAKeyOfTheirOwn(t *testing.T) {
	tests := []struct{ jurisdiction, want string }{
		{"", "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234"},
		{"eu", "0dd79c2477e7fb43c8896cd258425c1b12edf84097bef8d35046a421605e123e"},
		{"us", "a4b869dffad9b0f982ef5389669ef03729e65f856d010a875c070fea7563e0fe"},
		{"fedramp", "8e1db683f0111fc9417f4805900f0c8a6190cb4b2552650686bf05edad78f1ea"},
		{"fedramp-high", "3500a13befce21ef4fd4a47c7a17a365cf3f7a18f773f4921e22c1a5732e32ba"},
	}
	for _, tt := range tests {
		id := objectid.FromName("mykey", tt.jurisdiction, "http://foo/")
		if got := id.String(); got != tt.want {
			t.Errorf("in %q: got %s, want %s", tt.jurisdiction, got, tt.want)
		}
		got, jurisdiction, err := objectid.Parse("mykey", tt.want)
		if err != nil || got != id || jurisdiction != tt.jurisdiction {
			t.Errorf("Parse(%s) = %s, %q, %v; want the same in %q", tt.want, got, jurisdiction, err, tt.jurisdiction)
		}
	}
	if got, want := len(objectid.Jurisdictions()), len(tests)-1; got != want {
		t.Errorf("there are %d jurisdictions, %d of them tested", got, want)
	}
}

func TestAnIDIsOfOneJurisdictionThatCannotBeChanged(t *testing.T) {
	all := append(objectid.Jurisdictions(), "")
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		name := rapid.String().Draw(t, "name")
		of := rapid.SampledFrom(all).Draw(t, "jurisdiction")
		id := objectid.FromName(key, of, name)
		for _, other := range all {
			if other != of && objectid.FromName(key, other, name) == id {
				t.Errorf("%q has the same id in %q and %q", name, of, other)
			}
		}
		unique := objectid.NewUnique(key, of)
		for _, id := range []objectid.ID{id, unique} {
			got, jurisdiction, err := objectid.Parse(key, id.String())
			if err != nil || got != id || jurisdiction != of {
				t.Errorf("Parse(%s) = %s, %q, %v; want the same in %q", id, got, jurisdiction, err, of)
			}
			if got, err := objectid.Decode(id.String()); err != nil || got != id {
				t.Errorf("Decode(%s) = %s, %v; want the same", id, got, err)
			}
			forged := id
			forged[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			if _, jurisdiction, err := objectid.Parse(key, forged.String()); err != objectid.ErrForeign ||
				jurisdiction != "" {
				t.Errorf("with one bit changed: %q, %v; want ErrForeign", jurisdiction, err)
			}
		}
		other := rapid.String().Filter(func(s string) bool { return s != key }).Draw(t, "other key")
		if _, _, err := objectid.Parse(other, id.String()); err != objectid.ErrForeign {
			t.Errorf("parsed for another key: %v, want ErrForeign", err)
		}
	})
}

func TestJurisdictionsReturnsACopy(t *testing.T) {
	objectid.Jurisdictions()[0] = "moon"
	if got := objectid.Jurisdictions()[0]; got != "eu" {
		t.Errorf("the first jurisdiction is %q, want eu", got)
	}
}

func TestUniqueKeyIsWorkerAndClass(t *testing.T) {
	if got, want := objectid.UniqueKey("my-worker", "Batcher"), "my-worker-Batcher"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseRejectsOtherTexts(t *testing.T) {
	good := objectid.FromName("key", "", "name").String()
	tests := []struct {
		name string
		s    string
		want error
	}{
		{"empty", "", objectid.ErrMalformed},
		{"a digit short", good[1:], objectid.ErrMalformed},
		{"a digit long", good + "0", objectid.ErrMalformed},
		{"not a digit", "g" + good[1:], objectid.ErrMalformed},
		{"not a digit at the end", good[:63] + "-", objectid.ErrMalformed},
		{"space around", " " + good[2:] + " ", objectid.ErrMalformed},
		{"64 bytes of other text", strings.Repeat("é", 32), objectid.ErrMalformed},
		{"a name", "http://foo/", objectid.ErrMalformed},
		{"zero", strings.Repeat("0", 64), objectid.ErrForeign},
		{"of another class", objectid.FromName("other", "", "name").String(), objectid.ErrForeign},
		{"proof of another id", good[:32] + objectid.FromName("key", "", "other").String()[32:], objectid.ErrForeign},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, _, err := objectid.Parse("key", tt.s)
			if err != tt.want || id != (objectid.ID{}) {
				t.Errorf("Parse(%q) = %s, %v; want no id and %v", tt.s, id, err, tt.want)
			}
		})
	}
}

func TestIDsBelongToTheirNamespace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		name := rapid.String().Draw(t, "name")
		id := objectid.FromName(key, "", name)
		if rapid.Bool().Draw(t, "unique") {
			id = objectid.NewUnique(key, "")
		}
		s := id.String()
		if len(s) != 64 || s != strings.ToLower(s) {
			t.Errorf("String is %q, want 64 lower-case digits", s)
		}
		for _, s := range []string{s, strings.ToUpper(s)} {
			if got, _, err := objectid.Parse(key, s); err != nil || got != id {
				t.Errorf("Parse(%q) = %s, %v; want %s", s, got, err, id)
			}
		}

		other := rapid.String().Filter(func(s string) bool { return s != key }).Draw(t, "other key")
		if _, _, err := objectid.Parse(other, s); err != objectid.ErrForeign {
			t.Errorf("parsed for another key: %v, want ErrForeign", err)
		}
		forged := id
		forged[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, _, err := objectid.Parse(key, forged.String()); err != objectid.ErrForeign {
			t.Errorf("parsed with one bit changed: %v, want ErrForeign", err)
		}
	})
}

func TestIDsOfNamesAreStableAndDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		other := rapid.String().Filter(func(s string) bool { return s != name }).Draw(t, "other")
		if objectid.FromName("key", "", name) != objectid.FromName("key", "", name) {
			t.Errorf("%q has two ids", name)
		}
		if objectid.FromName("key", "", name) == objectid.FromName("key", "", other) {
			t.Errorf("%q and %q have the same id", name, other)
		}
		if objectid.FromName("key", "", name) == objectid.FromName("other key", "", name) {
			t.Errorf("%q has the same id in two namespaces", name)
		}
	})
}

func TestUniqueIDsAreUnique(t *testing.T) {
	seen := make(map[objectid.ID]bool)
	for range 1000 {
		id := objectid.NewUnique("key", "")
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
}

func FuzzParse(f *testing.F) {
	f.Add("mykey", "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234")
	f.Add("mykey", "59002EB8CF872E541722977A258A12D6A93BBE8192B502E1C0CB250AA91AF234")
	f.Add("", strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, key, s string) {
		id, _, err := objectid.Parse(key, s)
		if _, decodeErr := objectid.Decode(s); (decodeErr != nil) != (err == objectid.ErrMalformed) {
			t.Errorf("Decode(%q): %v, and Parse: %v", s, decodeErr, err)
		}
		b, notHex := hex.DecodeString(s)
		switch {
		case err == nil:
			if id.String() != strings.ToLower(s) {
				t.Errorf("Parse(%q, %q) = %s", key, s, id)
			}
		case err == objectid.ErrMalformed:
			if notHex == nil && len(b) == 32 {
				t.Errorf("%q counts as malformed", s)
			}
		case err == objectid.ErrForeign:
			if notHex != nil || len(b) != 32 {
				t.Errorf("%q counts as well-formed", s)
			}
		default:
			t.Errorf("Parse(%q, %q): %v", key, s, err)
		}
	})
}
