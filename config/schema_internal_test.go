package config

import (
	goflag "flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheCommittedSchemaIsUpToDate compares schema.json with the tables. With -update it writes the
// file.
func TestTheCommittedSchemaIsUpToDate(t *testing.T) {
	want := string(makeSchema())
	if goflag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile("schema.json", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(Schema())); diff != "" {
		t.Errorf("schema.json is out of date: run `go test ./config -run Schema -update` (-want +got):\n%s", diff)
	}
}

// TestEveryCheckedShapeIsInTheSchema finds shapes with a check that constraints does not mention. A
// check that a schema can't express has an empty line there. Checks across the members of an object
// are exempt, because a schema can't express any of them.
func TestEveryCheckedShapeIsInTheSchema(t *testing.T) {
	seen := make(map[*shape]bool)
	var walk func(path string, s *shape)
	walk = func(path string, s *shape) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		if _, known := constraints[s]; s.valid != nil && s.kinds != kindObject && !known {
			t.Errorf("the shape of %s (%s) has no line in constraints", path, s.noun)
		}
		walk(path+"[]", s.elem)
		for _, f := range s.fields {
			walk(joinPath(path, f.name), f.shape)
		}
		for _, v := range s.variants {
			walk(path, v)
		}
	}
	for _, k := range keys {
		walk(k.name, k.shape)
	}
}

func TestEveryKeyHasADescription(t *testing.T) {
	for _, k := range keys {
		if k.refusal == "" && k.schema()["description"] == nil {
			t.Errorf("%s has no line in meanings", k.name)
		}
	}
	for name := range meanings {
		if !contains(name) {
			t.Errorf("%s has a meaning, but is not a key", name)
		}
	}
}

func contains(name string) bool {
	for _, k := range keys {
		if k.name == name {
			return true
		}
	}
	return false
}
