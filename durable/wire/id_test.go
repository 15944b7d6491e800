package wire_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

// The vectors are those of workerd (src/workerd/server/server-test.c++).
func TestIDsOfNamesAreThoseOfWorkerd(t *testing.T) {
	tests := []struct{ uniqueKey, name, want string }{
		{"mykey", "http://foo/", "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234"},
		{"mykey", "http://foo/bar", "02b496f65dd35cbac90e3e72dc5a398ee93926ea4a3821e26677082d2e6f9b79"},
	}
	for _, tt := range tests {
		id := wire.IDFromName(tt.uniqueKey, tt.name)
		if got := id.String(); got != tt.want {
			t.Errorf("IDFromName(%q, %q) = %s, want %s", tt.uniqueKey, tt.name, got, tt.want)
		}
		if got, err := wire.ParseID(tt.uniqueKey, tt.want); err != nil || got != id {
			t.Errorf("ParseID(%q, %q) = %s, %v; want the same", tt.uniqueKey, tt.want, got, err)
		}
	}
}

// The derivation is ours: SHA-256 of the hash of the unique key and the jurisdiction is the
// key, and the rest as in workerd.
func TestIDsOfAJurisdictionAreDerivedWithAKeyOfTheirOwn(t *testing.T) {
	tests := []struct{ jurisdiction, want string }{
		{"", "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234"},
		{"eu", "0dd79c2477e7fb43c8896cd258425c1b12edf84097bef8d35046a421605e123e"},
		{"us", "a4b869dffad9b0f982ef5389669ef03729e65f856d010a875c070fea7563e0fe"},
		{"fedramp", "8e1db683f0111fc9417f4805900f0c8a6190cb4b2552650686bf05edad78f1ea"},
		{"fedramp-high", "3500a13befce21ef4fd4a47c7a17a365cf3f7a18f773f4921e22c1a5732e32ba"},
	}
	for _, tt := range tests {
		id := wire.IDFromNameIn("mykey", tt.jurisdiction, "http://foo/")
		if got := id.String(); got != tt.want {
			t.Errorf("in %q: got %s, want %s", tt.jurisdiction, got, tt.want)
		}
		got, jurisdiction, err := wire.ParseIDIn("mykey", tt.want)
		if err != nil || got != id || jurisdiction != tt.jurisdiction {
			t.Errorf("ParseIDIn(%s) = %s, %q, %v; want the same in %q", tt.want, got, jurisdiction, err, tt.jurisdiction)
		}
	}
	if got, want := len(wire.Jurisdictions()), len(tests)-1; got != want {
		t.Errorf("there are %d jurisdictions, %d of them tested", got, want)
	}
}

func TestAnIDIsOfOneJurisdictionThatCannotBeChanged(t *testing.T) {
	all := append(wire.Jurisdictions(), "")
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		name := rapid.String().Draw(t, "name")
		of := rapid.SampledFrom(all).Draw(t, "jurisdiction")
		id := wire.IDFromNameIn(key, of, name)
		for _, other := range all {
			if other != of && wire.IDFromNameIn(key, other, name) == id {
				t.Errorf("%q has the same id in %q and %q", name, of, other)
			}
		}
		unique := wire.NewUniqueIDIn(key, of)
		for _, id := range []wire.ID{id, unique} {
			got, jurisdiction, err := wire.ParseIDIn(key, id.String())
			if err != nil || got != id || jurisdiction != of {
				t.Errorf("ParseIDIn(%s) = %s, %q, %v; want the same in %q", id, got, jurisdiction, err, of)
			}
			if got, err := wire.ParseID(key, id.String()); err != nil || got != id {
				t.Errorf("ParseID(%s) = %s, %v; want the same", id, got, err)
			}
			forged := id
			forged[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			if _, jurisdiction, err := wire.ParseIDIn(key, forged.String()); err != wire.ErrForeignID || jurisdiction != "" {
				t.Errorf("with one bit changed: %q, %v; want ErrForeignID", jurisdiction, err)
			}
		}
		other := rapid.String().Filter(func(s string) bool { return s != key }).Draw(t, "other key")
		if _, _, err := wire.ParseIDIn(other, id.String()); err != wire.ErrForeignID {
			t.Errorf("parsed for another key: %v, want ErrForeignID", err)
		}
	})
}

func TestWhoChangesTheListOfJurisdictionsChangesACopy(t *testing.T) {
	wire.Jurisdictions()[0] = "moon"
	if got := wire.Jurisdictions()[0]; got != "eu" {
		t.Errorf("the first jurisdiction is %q, want eu", got)
	}
}

func TestUniqueKeyIsWorkerAndClass(t *testing.T) {
	if got, want := wire.UniqueKey("my-worker", "Batcher"), "my-worker-Batcher"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseIDRefusesWhatIsNoID(t *testing.T) {
	good := wire.IDFromName("key", "name").String()
	tests := []struct {
		name string
		s    string
		want error
	}{
		{"empty", "", wire.ErrMalformedID},
		{"a digit short", good[1:], wire.ErrMalformedID},
		{"a digit long", good + "0", wire.ErrMalformedID},
		{"not a digit", "g" + good[1:], wire.ErrMalformedID},
		{"not a digit at the end", good[:63] + "-", wire.ErrMalformedID},
		{"space around", " " + good[2:] + " ", wire.ErrMalformedID},
		{"64 bytes of other text", strings.Repeat("é", 32), wire.ErrMalformedID},
		{"a name", "http://foo/", wire.ErrMalformedID},
		{"zero", strings.Repeat("0", 64), wire.ErrForeignID},
		{"of another class", wire.IDFromName("other", "name").String(), wire.ErrForeignID},
		{"proof of another id", good[:32] + wire.IDFromName("key", "other").String()[32:], wire.ErrForeignID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := wire.ParseID("key", tt.s)
			if err != tt.want || id != (wire.ID{}) {
				t.Errorf("ParseID(%q) = %s, %v; want no id and %v", tt.s, id, err, tt.want)
			}
		})
	}
}

func TestIDsBelongToTheirNamespace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.String().Draw(t, "key")
		name := rapid.String().Draw(t, "name")
		id := wire.IDFromName(key, name)
		if rapid.Bool().Draw(t, "unique") {
			id = wire.NewUniqueID(key)
		}
		s := id.String()
		if len(s) != 64 || s != strings.ToLower(s) {
			t.Errorf("String is %q, want 64 lower-case digits", s)
		}
		for _, s := range []string{s, strings.ToUpper(s)} {
			if got, err := wire.ParseID(key, s); err != nil || got != id {
				t.Errorf("ParseID(%q) = %s, %v; want %s", s, got, err, id)
			}
		}

		other := rapid.String().Filter(func(s string) bool { return s != key }).Draw(t, "other key")
		if _, err := wire.ParseID(other, s); err != wire.ErrForeignID {
			t.Errorf("parsed for another key: %v, want ErrForeignID", err)
		}
		forged := id
		forged[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := wire.ParseID(key, forged.String()); err != wire.ErrForeignID {
			t.Errorf("parsed with one bit changed: %v, want ErrForeignID", err)
		}
	})
}

func TestIDsOfNamesAreStableAndDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		other := rapid.String().Filter(func(s string) bool { return s != name }).Draw(t, "other")
		if wire.IDFromName("key", name) != wire.IDFromName("key", name) {
			t.Errorf("%q has two ids", name)
		}
		if wire.IDFromName("key", name) == wire.IDFromName("key", other) {
			t.Errorf("%q and %q have the same id", name, other)
		}
		if wire.IDFromName("key", name) == wire.IDFromName("other key", name) {
			t.Errorf("%q has the same id in two namespaces", name)
		}
	})
}

func TestUniqueIDsAreUnique(t *testing.T) {
	seen := make(map[wire.ID]bool)
	for range 1000 {
		id := wire.NewUniqueID("key")
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("mykey", "59002eb8cf872e541722977a258a12d6a93bbe8192b502e1c0cb250aa91af234")
	f.Add("mykey", "59002EB8CF872E541722977A258A12D6A93BBE8192B502E1C0CB250AA91AF234")
	f.Add("", strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, key, s string) {
		id, err := wire.ParseID(key, s)
		b, notHex := hex.DecodeString(s)
		switch {
		case err == nil:
			if id.String() != strings.ToLower(s) {
				t.Errorf("ParseID(%q, %q) = %s", key, s, id)
			}
		case err == wire.ErrMalformedID:
			if notHex == nil && len(b) == 32 {
				t.Errorf("%q counts as malformed", s)
			}
		case err == wire.ErrForeignID:
			if notHex != nil || len(b) != 32 {
				t.Errorf("%q counts as well-formed", s)
			}
		default:
			t.Errorf("ParseID(%q, %q): %v", key, s, err)
		}
	})
}
