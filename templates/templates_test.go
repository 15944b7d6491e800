package templates_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tailscale/hujson"
	"pgregory.net/rapid"

	"devtool.internal/templates"
)

func TestEveryTemplateIsAProject(t *testing.T) {
	for _, template := range templates.All() {
		files, err := template.Files("my-project")
		if err != nil {
			t.Errorf("%s: %v", template.Name, err)
			continue
		}
		for _, name := range []string{"main.go", "main_test.go", "wrangler.jsonc", "README.md"} {
			if len(files[name]) == 0 {
				t.Errorf("%s has no %s", template.Name, name)
			}
		}
		if template.Description == "" || template.Try == "" {
			t.Errorf("%s needs a description and a command to try", template.Name)
		}
	}
}

func TestOnlyTheNameIsReplaced(t *testing.T) {
	for _, template := range templates.All() {
		source, err := template.FS()
		if err != nil {
			t.Fatal(err)
		}
		files, err := template.Files("my-project")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range slices.Sorted(maps.Keys(files)) {
			original, err := fs.ReadFile(source, path)
			if err != nil {
				t.Fatal(err)
			}
			want := string(original)
			switch path {
			case "wrangler.jsonc":
				want = replaceOnce(t, want, `"name": "`+template.Name+`"`, `"name": "my-project"`)
			case "README.md":
				want = replaceOnce(t, want, "# "+template.Name+"\n", "# my-project\n")
			}
			if diff := cmp.Diff(want, string(files[path])); diff != "" {
				t.Errorf("%s/%s (-want +got):\n%s", template.Name, path, diff)
			}
		}
	}
}

func replaceOnce(t *testing.T, s, from, to string) string {
	t.Helper()
	if n := strings.Count(s, from); n != 1 {
		t.Fatalf("%q occurs %d times, want once", from, n)
	}
	return strings.Replace(s, from, to, 1)
}

func TestAnyNameSurvivesInTheConfig(t *testing.T) {
	template := templates.All()[0]
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.StringMatching(`[a-z0-9_"\\/ é-]*`).Draw(t, "name")
		files, err := template.Files(want)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := hujson.Standardize(files["wrangler.jsonc"])
		if err != nil {
			t.Fatal(err)
		}
		var config struct{ Name string }
		if err := json.Unmarshal(plain, &config); err != nil {
			t.Fatal(err)
		}
		if config.Name != want {
			t.Errorf("got %q, want %q", config.Name, want)
		}
	})
}

func TestLookup(t *testing.T) {
	for _, want := range templates.All() {
		if got, found := templates.Lookup(want.Name); !found || got != want {
			t.Errorf("Lookup(%q): got %v, %t", want.Name, got, found)
		}
	}
	if _, found := templates.Lookup("banana"); found {
		t.Error("found a template called banana")
	}
}
