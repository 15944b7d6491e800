package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"devtool.internal/config"
)

// sample is a worker's configuration that both formats can express.
type sample struct {
	name     string
	vars     map[string]any
	bindings map[string]string // to class names
	steps    [][]string        // new classes
	port     int
}

func drawSample(t *rapid.T) sample {
	identifier := rapid.StringMatching(`[A-Z][A-Za-z0-9]{0,8}`)
	classes := rapid.SliceOfDistinct(identifier, rapid.ID[string]).Draw(t, "classes")
	s := sample{
		name:     rapid.StringMatching(`[a-z0-9_][a-z0-9_-]{0,10}`).Draw(t, "name"),
		vars:     map[string]any{},
		bindings: map[string]string{},
		port:     rapid.IntRange(0, 65535).Draw(t, "port"),
	}
	for i, class := range classes {
		s.bindings[fmt.Sprintf("BINDING_%d", i)] = class
		s.steps = append(s.steps, []string{class})
	}
	for _, key := range rapid.SliceOfDistinct(rapid.String(), rapid.ID[string]).Draw(t, "vars") {
		if _, taken := s.bindings[key]; !taken {
			s.vars[key] = drawValue(t, 2)
		}
	}
	return s
}

// drawValue returns any JSON value but null, which TOML lacks.
func drawValue(t *rapid.T, depth int) any {
	kinds := 5
	if depth == 0 {
		kinds = 3
	}
	switch rapid.IntRange(1, kinds).Draw(t, "kind") {
	case 1:
		return rapid.Int32().Draw(t, "number")
	case 2:
		return rapid.Bool().Draw(t, "bool")
	case 3:
		return rapid.String().Draw(t, "string")
	case 4:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			list = append(list, drawValue(t, depth-1))
		}
		return list
	}
	object := map[string]any{}
	for _, key := range rapid.SliceOfNDistinct(rapid.String(), 0, 3, rapid.ID[string]).Draw(t, "keys") {
		object[key] = drawValue(t, depth-1)
	}
	return object
}

func (s sample) jsonc() string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\n  // generated\n  \"name\": %s,\n  \"compatibility_date\": \"2026-10-01\",\n", jsonText(s.name))
	fmt.Fprintf(&b, "  \"dev\": { \"port\": %d },\n  \"vars\": %s,\n", s.port, jsonText(s.vars))
	b.WriteString("  \"durable_objects\": { \"bindings\": [\n")
	for i := range len(s.bindings) {
		name := fmt.Sprintf("BINDING_%d", i)
		fmt.Fprintf(&b, "    { \"name\": %q, \"class_name\": %q },\n", name, s.bindings[name])
	}
	b.WriteString("  ] },\n  \"migrations\": [\n")
	for i, classes := range s.steps {
		fmt.Fprintf(&b, "    { \"tag\": \"v%d\", \"new_sqlite_classes\": %s },\n", i, jsonText(classes))
	}
	b.WriteString("  ],\n}\n")
	return b.String()
}

func (s sample) toml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# generated\nname = %s\ncompatibility_date = \"2026-10-01\"\ndev.port = %d\n",
		tomlText(s.name), s.port)
	fmt.Fprintf(&b, "vars = %s\n", tomlText(s.vars))
	for i := range len(s.bindings) {
		name := fmt.Sprintf("BINDING_%d", i)
		fmt.Fprintf(&b, "[[durable_objects.bindings]]\nname = %q\nclass_name = %q\n", name, s.bindings[name])
	}
	for i, classes := range s.steps {
		fmt.Fprintf(&b, "[[migrations]]\ntag = \"v%d\"\nnew_sqlite_classes = %s\n", i, jsonText(classes))
	}
	return b.String()
}

func jsonText(v any) string {
	text, err := json.Marshal(v) // sorts the keys, as tomlText does
	if err != nil {
		panic(err)
	}
	return string(text)
}

// tomlText returns v as a TOML value on one line. Except for one control character, a JSON string
// is a TOML string.
func tomlText(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var members []string
		for _, key := range sortedKeys(v) {
			members = append(members, tomlText(key)+" = "+tomlText(v[key]))
		}
		return "{ " + strings.Join(members, ", ") + " }"
	case []any:
		var elems []string
		for _, e := range v {
			elems = append(elems, tomlText(e))
		}
		return "[" + strings.Join(elems, ", ") + "]"
	}
	return strings.ReplaceAll(jsonText(v), "\x7f", `\u007f`)
}

// sortedKeys returns the keys in the order in which encoding/json writes them.
func sortedKeys(m map[string]any) []string {
	dec := json.NewDecoder(strings.NewReader(jsonText(m)))
	var keys []string
	depth := 0
	for isKey := false; ; {
		tok, err := dec.Token()
		if err != nil {
			return keys
		}
		if delim, ok := tok.(json.Delim); ok {
			if delim == '{' || delim == '[' {
				depth++
			} else {
				depth--
			}
			isKey = depth == 1
			continue
		}
		if depth == 1 {
			if isKey {
				keys = append(keys, tok.(string))
			}
			isKey = !isKey
		}
	}
}

// quiet loads a file and expects no diagnostics.
func quiet(t *rapid.T, dir, name, text string) *config.Config {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, warnings, err := config.Load(path, config.Options{})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("error %v, warnings %v, in:\n%s", err, warnings, text)
	}
	return c
}

func TestTheFormatMakesNoDifference(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		fromJSON := quiet(t, dir, "wrangler.jsonc", s.jsonc())
		fromTOML := quiet(t, dir, "wrangler.toml", s.toml())
		if diff := cmp.Diff(fromJSON, fromTOML, meaning, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-jsonc +toml):\n%s\n%s", diff, s.toml())
		}
	})
}

func TestVarsArriveUnchanged(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		for _, v := range quiet(t, dir, "wrangler.jsonc", s.jsonc()).Vars {
			want := s.vars[v.Name]
			text, isText := want.(string)
			if isText == v.JSON {
				t.Fatalf("%q: JSON is %v for %#v", v.Name, v.JSON, want)
			}
			if isText {
				if v.Value != text {
					t.Fatalf("%q: got %q, want %q", v.Name, v.Value, text)
				}
				continue
			}
			var got, compact any
			if err := json.Unmarshal([]byte(v.Value), &got); err != nil {
				t.Fatalf("%q: %v in %s", v.Name, err, v.Value)
			}
			if err := json.Unmarshal([]byte(jsonText(want)), &compact); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(compact, got); diff != "" {
				t.Fatalf("%q (-want +got):\n%s", v.Name, diff)
			}
			var squeezed bytes.Buffer
			if err := json.Compact(&squeezed, []byte(v.Value)); err != nil || squeezed.String() != v.Value {
				t.Fatalf("%q: %s is not compact", v.Name, v.Value)
			}
		}
	})
}

// A file cut anywhere gives a Config or an error with a place. It never gives a panic, nor a Config
// and an error together.
func TestEveryPrefixIsReadOrRefused(t *testing.T) {
	for _, name := range []string{exampleJSONC, exampleTOML} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), filepath.Base(name))
		for n := range text {
			if err := os.WriteFile(path, text[:n], 0o644); err != nil {
				t.Fatal(err)
			}
			c, _, err := config.Load(path, config.Options{})
			if (c == nil) == (err == nil) {
				t.Fatalf("%s cut at %d: Config %v and error %v", name, n, c, err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), path+":") {
				t.Fatalf("%s cut at %d: error %q has no place", name, n, err)
			}
		}
	}
}
