package cli

import (
	"bytes"
	"go/ast"
	"go/format"
	goparser "go/parser"
	"go/token"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/config"
)

func TestMethodsAreNamedAsGoWrites(t *testing.T) {
	for name, want := range map[string]string{
		"BATCHER":      "Batcher",
		"UPSTREAM_URL": "UpstreamURL",
		"api_key":      "APIKey",
		"apiKey":       "ApiKey",
		"MyNamespace":  "MyNamespace",
		"a":            "A",
		"a-b.c":        "ABC",
		"2FA":          "X2fa",
		"_":            "X",
		"":             "X",
		"äpfel":        "Äpfel",
		"名前":           "X名前",
		"ſ":            "S",
		"ß":            "Xß",
	} {
		if got := methodName(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestNamesThatCollideKeepTheirSpelling(t *testing.T) {
	bindings := []envBinding{
		{Name: "A_B"},
		{Name: "FooBar"},
		{Name: "a-b"},
		{Name: "a_b"},
		{Name: "foo_bar"},
		{Name: "other"},
	}
	nameMethods(bindings)
	for i, want := range []string{"A_B", "FooBar", "A_b_2", "A_b", "Foo_bar", "Other"} {
		if got := bindings[i].Method; want == "A_b_2" || want == "A_b" {
			if got != "A_b" && got != "A_b_2" {
				t.Errorf("%s: got %s, want A_b or A_b_2", bindings[i].Name, got)
			}
		} else if got != want {
			t.Errorf("%s: got %s, want %s", bindings[i].Name, got, want)
		}
	}
}

// drawEnvironments draws two environments, with any names that a configuration may have.
func drawEnvironments(t *rapid.T) []*config.Config {
	usedByTheCode := []string{"env", "Env", "durable", "fmt", "err", "value", "v", "e"}
	name := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9_. -]{1,6}`),
		rapid.String(),
		rapid.SampledFrom(usedByTheCode),
	)
	var configs []*config.Config
	for _, env := range []string{"", "staging"} {
		c := &config.Config{Name: "w", Env: env}
		for _, n := range rapid.SliceOfNDistinct(name, 0, 6, rapid.ID[string]).Draw(t, "names") {
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				c.Vars = append(c.Vars, config.Var{Name: n, Value: "text"})
			case 1:
				value := rapid.SampledFrom([]string{"5", "0.5", "1e3", "true", "null", "[]", "{}"}).Draw(t, "JSON")
				c.Vars = append(c.Vars, config.Var{Name: n, Value: value, JSON: true})
			case 2:
				c.RequiredSecrets = append(c.RequiredSecrets, n)
			case 3:
				script := rapid.SampledFrom([]string{"", "w", "other", "*/\n\u2028package"}).Draw(t, "script")
				o := config.DurableObject{Name: n, ClassName: "Class", ScriptName: script}
				c.DurableObjects = append(c.DurableObjects, o)
			}
		}
		configs = append(configs, c)
	}
	return configs
}

// TestTypesAreGoWhateverTheNames checks syntax, format and names. TestTypesCompile compiles types.
func TestTypesAreGoWhateverTheNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bindings, err := collectBindings(drawEnvironments(t))
		if err != nil {
			return // a name is a class in one environment and a variable in the other
		}
		methods := make(map[string]bool)
		for _, b := range bindings {
			if !ast.IsExported(b.Method) || !token.IsIdentifier(b.Method) {
				t.Errorf("%q: %q is not the name of a method", b.Name, b.Method)
			}
			if methods[b.Method] {
				t.Errorf("there are two methods %s", b.Method)
			}
			methods[b.Method] = true
		}
		f := envFile{
			config:   "wrangler.jsonc",
			typeName: "Env",
			bindings: bindings,
			all:      []string{"", "staging"},
			pkg:      goPackage{name: "main"},
		}
		source, err := f.source()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := goparser.ParseFile(token.NewFileSet(), "", source, goparser.ParseComments)
		if err != nil {
			t.Fatalf("%v in\n%s", err, source)
		}
		if !ast.IsGenerated(parsed) {
			t.Errorf("the header does not mark the file as generated:\n%s", source)
		}
		if got, err := format.Source(source); err != nil || !bytes.Equal(got, source) {
			t.Errorf("gofmt would change (error %v)\n%s\nto\n%s", err, source, got)
		}
		if len(parsed.Decls) != 3+len(bindings) {
			t.Errorf("got %d declarations, want imports, type, constructor and %d methods",
				len(parsed.Decls), len(bindings))
		}
		if !intact(source) {
			t.Errorf("the hash does not match the code:\n%s", source)
		}
		i := rapid.IntRange(bytes.Index(source, []byte("package")), len(source)-1).Draw(t, "edit")
		edited := bytes.Clone(source)
		if edited[i]++; intact(edited) {
			t.Errorf("an edit at %d is not noticed", i)
		}
	})
}
