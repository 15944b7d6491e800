package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"devtool.internal/config"
)

// write puts a configuration file into a new folder called "project" and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads a text that has no errors.
func load(t *testing.T, name, text, env string) *config.Config {
	t.Helper()
	c, _, err := config.Load(write(t, name, text), config.Options{Env: env})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// meaning compares Configs without the fields that depend on their file.
var meaning = cmp.Options{
	cmpopts.IgnoreFields(config.Config{}, "Path"),
	cmpopts.IgnoreUnexported(config.Config{}),
	cmpopts.IgnoreTypes(config.Position{}),
}

// The template's file, and its equivalent in TOML.
const (
	exampleJSONC = "../templates/batcher/wrangler.jsonc"
	exampleTOML  = "../testdata/config/batcher/wrangler.toml"
)

func TestBothFormatsOfTheExampleMeanTheSame(t *testing.T) {
	want := &config.Config{
		Name:              "batcher",
		Main:              ".",
		CompatibilityDate: "2026-10-01",
		Vars:              []config.Var{{Name: "UPSTREAM"}},
		DurableObjects:    []config.DurableObject{{Name: "BATCHER", ClassName: "Batcher"}},
		Migrations:        []config.Migration{{Tag: "v1", NewSQLiteClasses: []string{"Batcher"}}},
	}
	for _, name := range []string{exampleJSONC, exampleTOML} {
		got, warnings, err := config.Load(name, config.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(warnings) > 0 {
			t.Errorf("%s: warnings %v, want none", name, warnings)
		}
		if diff := cmp.Diff(want, got, meaning); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLoadReadsEveryKeyInUse(t *testing.T) {
	path := write(t, "wrangler.jsonc", `{
  "$schema": "node_modules/wrangler/config-schema.json",
  "name": "w", "main": "./cmd/worker",
  "compatibility_date": "2026-01-01", "compatibility_flags": ["a", "b"],
  "vars": { "TEXT": "a\nb", "N": 1.50e2, "T": true, "NIL": null, "O": { "b": [1, "<&>"], "a": {} } },
  "durable_objects": { "bindings": [
    { "name": "A", "class_name": "A" },
    { "name": "B", "class_name": "B", "script_name": "other", "environment": "staging" } ] },
  "migrations": [
    { "tag": "v1", "new_classes": ["K"], "new_sqlite_classes": ["Old", "X"] },
    { "tag": "v2", "renamed_classes": [{ "from": "Old", "to": "A" }], "deleted_classes": ["X"],
      "transferred_classes": [{ "from": "F", "from_script": "s", "to": "T" }] } ],
  "triggers": { "crons": ["* * * * *"] },
  "dev": { "ip": "0.0.0.0", "port": 0 }
}`)
	got, warnings, err := config.Load(path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := func(line, column int) config.Position { return config.Position{File: path, Line: line, Column: column} }
	want := &config.Config{
		Path: path, Name: "w", Main: "./cmd/worker",
		CompatibilityDate: "2026-01-01", CompatibilityFlags: []string{"a", "b"},
		Vars: []config.Var{
			{Name: "TEXT", Value: "a\nb"},
			{Name: "N", Value: "1.50e2", JSON: true},
			{Name: "T", Value: "true", JSON: true},
			{Name: "NIL", Value: "null", JSON: true},
			{Name: "O", Value: `{"b":[1,"<&>"],"a":{}}`, JSON: true},
		},
		DurableObjects: []config.DurableObject{
			{Name: "A", ClassName: "A", Pos: at(7, 5)},
			{Name: "B", ClassName: "B", ScriptName: "other", Environment: "staging", Pos: at(8, 5)},
		},
		Migrations: []config.Migration{
			{Tag: "v1", NewClasses: []string{"K"}, NewSQLiteClasses: []string{"Old", "X"}, Pos: at(10, 5)},
			{Tag: "v2", RenamedClasses: []config.Rename{{From: "Old", To: "A"}}, DeletedClasses: []string{"X"},
				TransferredClasses: []config.Transfer{{From: "F", FromScript: "s", To: "T"}}, Pos: at(11, 5)},
		},
		Crons: []string{"* * * * *"},
		Dev:   config.Dev{IP: "0.0.0.0", Port: 0, HasPort: true},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
		t.Errorf("Config (-want +got):\n%s", diff)
	}
	if len(warnings) > 0 {
		t.Errorf("warnings %v, want none", warnings)
	}
	if got, want := got.Dir(), filepath.Dir(path); got != want {
		t.Errorf("Dir() = %q, want %q", got, want)
	}
}

func TestTOMLValuesBecomeTheJSONThatHandlersGet(t *testing.T) {
	c := load(t, "wrangler.toml", `
[vars]
HEX = 0xFF
MILLION = 1_000_000
PLUS = +5
FLOAT = 1.0
SMALL = 1e-7
LITERAL = 'C:\new'
LONG = """
two
lines"""
LIST = [ # with a comment
  1, [2.5,
  true], { deep.er = "x" }, # and another
]
inline = { a = 1, "b c" = [] }
dotted.x.y = "z"

[vars.table]
key = "v"

[[vars.tables]]
n = 1
[[vars.tables]]
n = 2
[vars.tables.sub]
m = 3
`, "")
	want := []config.Var{
		{Name: "HEX", Value: "255", JSON: true},
		{Name: "MILLION", Value: "1000000", JSON: true},
		{Name: "PLUS", Value: "5", JSON: true},
		{Name: "FLOAT", Value: "1", JSON: true},
		{Name: "SMALL", Value: "1e-7", JSON: true},
		{Name: "LITERAL", Value: `C:\new`},
		{Name: "LONG", Value: "two\nlines"},
		{Name: "LIST", Value: `[1,[2.5,true],{"deep":{"er":"x"}}]`, JSON: true},
		{Name: "inline", Value: `{"a":1,"b c":[]}`, JSON: true},
		{Name: "dotted", Value: `{"x":{"y":"z"}}`, JSON: true},
		{Name: "table", Value: `{"key":"v"}`, JSON: true},
		{Name: "tables", Value: `[{"n":1},{"n":2,"sub":{"m":3}}]`, JSON: true},
	}
	if diff := cmp.Diff(want, c.Vars); diff != "" {
		t.Errorf("Vars (-want +got):\n%s", diff)
	}
}

func TestAVarKeepsTheFirstPlaceAndTheLastValueOfADuplicateKey(t *testing.T) {
	c := load(t, "wrangler.json", `{ "vars": { "A": "1", "B": "2", "A": "3" } }`, "")
	want := []config.Var{{Name: "A", Value: "3"}, {Name: "B", Value: "2"}}
	if diff := cmp.Diff(want, c.Vars); diff != "" {
		t.Errorf("Vars (-want +got):\n%s", diff)
	}
}

func TestEnvironmentsInheritAsInWrangler(t *testing.T) {
	const text = `{
  "name": "w", "main": ".", "compatibility_date": "2026-01-01", "compatibility_flags": ["top"],
  "vars": { "A": "top" },
  "durable_objects": { "bindings": [{ "name": "A2", "class_name": "A", "script_name": "o" }] },
  "migrations": [{ "tag": "v1", "new_classes": ["M"] }],
  "triggers": { "crons": ["0 0 * * *"] },
  "dev": { "port": 9000 },
  "env": {
    "bare": {},
    "own": {
      "name": "mine", "main": "./other", "compatibility_date": "2026-02-02", "compatibility_flags": [],
      "vars": { "B": "own" },
      "durable_objects": { "bindings": [] },
      "migrations": [],
      "triggers": {},
      "dev": { "port": 1 }
    }
  }
}`
	dev := config.Dev{Port: 9000, HasPort: true}
	migrated := []config.Migration{{Tag: "v1", NewClasses: []string{"M"}}}
	tests := []struct {
		env  string
		want *config.Config
	}{
		{"", &config.Config{Name: "w", Main: ".", CompatibilityDate: "2026-01-01", CompatibilityFlags: []string{"top"},
			Vars:           []config.Var{{Name: "A", Value: "top"}},
			DurableObjects: []config.DurableObject{{Name: "A2", ClassName: "A", ScriptName: "o"}},
			Migrations:     migrated, Crons: []string{"0 0 * * *"}, Dev: dev}},
		{"bare", &config.Config{Env: "bare", Name: "w-bare", Main: ".", CompatibilityDate: "2026-01-01",
			CompatibilityFlags: []string{"top"}, Migrations: migrated, Crons: []string{"0 0 * * *"}, Dev: dev}},
		{"own", &config.Config{Env: "own", Name: "mine", Main: "./other", CompatibilityDate: "2026-02-02",
			Vars: []config.Var{{Name: "B", Value: "own"}}, Dev: dev}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, load(t, "wrangler.jsonc", text, tt.env), meaning); diff != "" {
			t.Errorf("environment %q (-want +got):\n%s", tt.env, diff)
		}
	}
}

func TestAFileWithoutEnvironmentsIsUsedForAnyOfThem(t *testing.T) {
	c := load(t, "wrangler.toml", "name = \"w\"\n[vars]\nA = \"x\"\n", "staging")
	if got, want := c.Name, "w-staging"; got != want {
		t.Errorf("Name = %q, want %q", got, want)
	}
	if got, want := c.Vars, []config.Var{{Name: "A", Value: "x"}}; !cmp.Equal(got, want) {
		t.Errorf("Vars = %v, want %v", got, want)
	}
}

func TestAWorkerWithoutANameHasItsFoldersName(t *testing.T) {
	for env, want := range map[string]string{"": "project", "staging": "project-staging"} {
		if got := load(t, "wrangler.toml", "main = \".\"\nenv.staging = {}", env).Name; got != want {
			t.Errorf("environment %q: Name = %q, want %q", env, got, want)
		}
	}
}

func TestAFolderWithoutAUsableNameGivesADefault(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "日本")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "wrangler.json")
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Name, "worker"; got != want {
		t.Errorf("Name = %q, want %q", got, want)
	}
}

func TestClassesAreTheBoundAndTheExistingOnes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"none", ``, ""},
		{"bound here", `"durable_objects": { "bindings": [
			{ "name": "Z", "class_name": "Z" }, { "name": "A", "class_name": "A" },
			{ "name": "A2", "class_name": "A" }] },`, "A Z"},
		{"bound elsewhere",
			`"durable_objects": { "bindings": [{ "name": "A", "class_name": "A", "script_name": "other" }] },`, ""},
		{"bound here by name",
			`"durable_objects": { "bindings": [{ "name": "A", "class_name": "A", "script_name": "w" }] },`, "A"},
		{"only created", `"migrations": [{ "tag": "v1", "new_classes": ["K"], "new_sqlite_classes": ["S"] }],`, "K S"},
		{"deleted",
			`"migrations": [{ "tag": "v1", "new_classes": ["K", "L"] }, { "tag": "v2", ` +
				`"deleted_classes": ["K"] }],`, "L"},
		{"deleted and created again", `"migrations": [{ "tag": "v1", "new_classes": ["K"] },
			{ "tag": "v2", "deleted_classes": ["K"], "new_sqlite_classes": ["K"] }],`, "K"},
		{"renamed in a chain", `"migrations": [{ "tag": "v1", "new_classes": ["K"] },
			{ "tag": "v2", "renamed_classes": [{ "from": "K", "to": "L" }, { "from": "L", "to": "M" }] }],`, "M"},
		{"transferred", `"migrations": [{ "tag": "v1",
			"transferred_classes": [{ "from": "F", "from_script": "s", "to": "T" }] }],`, "T"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := load(t, "wrangler.jsonc", `{ `+tt.text+` "name": "w" }`, "")
			if got := strings.Join(c.Classes(), " "); got != tt.want {
				t.Errorf("Classes() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDeleteAllDeletesAlarmFollowsDateAndFlags(t *testing.T) {
	tests := []struct {
		date  string
		flags []string
		want  bool
	}{
		{"2026-02-23", nil, false},
		{"2026-02-24", nil, true},
		{"2020-01-01", []string{"delete_all_deletes_alarm"}, true},
		{"2026-10-01", []string{"delete_all_preserves_alarm"}, false},
	}
	for _, tt := range tests {
		c := &config.Config{CompatibilityDate: tt.date, CompatibilityFlags: tt.flags}
		if got := c.DeleteAllDeletesAlarm(); got != tt.want {
			t.Errorf("%s %v: %v, want %v", tt.date, tt.flags, got, tt.want)
		}
	}
}

func TestMissingMainShowsWhatToPasteInTheFilesOwnFormat(t *testing.T) {
	for name, want := range map[string]string{
		"wrangler.jsonc": "add at the top level:\n  \"main\": \".\",",
		"wrangler.toml":  "add above the first [table]:\n  main = \".\"",
	} {
		text := "# no main\nname = \"w\"\n"
		if strings.HasSuffix(name, "c") {
			text = "// no main\n{ \"name\": \"w\" }"
		}
		d := load(t, name, text, "").MissingMain()
		if d.Hint != want {
			t.Errorf("%s: hint %q, want %q", name, d.Hint, want)
		}
		if d.Severity != config.SeverityError || d.ID != "missing-main" || filepath.Base(d.Position.File) != name {
			t.Errorf("%s: got %v %s at %v", name, d.Severity, d.ID, d.Position)
		}
	}
}

func TestEncodings(t *testing.T) {
	const text = "{ \"name\": \"w\", \"compatibility_date\": \"2026-10-01\" }"
	tests := []struct{ name, text, want string }{
		{"UTF-8 mark", "\xef\xbb\xbf" + text, ""},
		{"UTF-16 LE", "\xff\xfe{\x00}\x00", "1:1: the file is encoded in UTF-16 (little endian)"},
		{"UTF-16 BE", "\xfe\xff\x00{\x00}", "1:1: the file is encoded in UTF-16 (big endian)"},
		{"UTF-32 LE", "\xff\xfe\x00\x00{\x00\x00\x00", "1:1: the file is encoded in UTF-32 (little endian)"},
		{"UTF-32 BE", "\x00\x00\xfe\xff\x00\x00\x00{", "1:1: the file is encoded in UTF-32 (big endian)"},
		{"Latin-1", "{\r\n  \"name\": \"w\xf6rker\" }", "2:13: the byte 0xf6 here is not UTF-8 text"},
		{"CRLF", strings.ReplaceAll(text, ", ", ",\r\n"), ""},
		{"column in characters", "{ \"vars\": { \"日本\": \"é\" }, name: 1 }", "1:26: the key name needs double quotes"},
		{"a comment without a line break at the end", text + " // end", ""},
		{"column after CRLF", "{\r\n  \"a\": 1\r\n  \"b\": 2\r\n}", "2:9: missing comma after this value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "wrangler.jsonc", tt.text)
			_, _, err := config.Load(path, config.Options{})
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), path+":")
			}
			if got != tt.want {
				t.Errorf("error %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLoadRejectsFilesThatAreNoConfiguration(t *testing.T) {
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	tests := []struct{ name, file, text, want string }{
		{"extension", "wrangler.yaml", "name: w",
			`unknown format ".yaml": name a file that ends in .jsonc, .json or .toml`},
		{"no extension", "wrangler", "{}", `unknown format ""`},
		{"too large", "wrangler.json", "{" + strings.Repeat(" ", 1<<20) + "}", "is larger than 1024 KiB"},
		{"too deep JSON", "wrangler.json", `{ "vars": { "A": ` + deep + " } }", "nested more than 100 deep"},
		{"too deep TOML", "wrangler.toml", "vars.A = " + deep, "nested more than 100 deep"},
		{"too deep TOML tables", "wrangler.toml",
			"vars.A = " + strings.Repeat("{ a = ", 150) + "1" + strings.Repeat("}", 150), "nested more than 100 deep"},
		{"too many TOML keys", "wrangler.toml", "[vars" + strings.Repeat(".a", 150) + "]", "nested more than 100 deep"},
		{"top level", "wrangler.json", "null", "the top level must be an object, not null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _, err := config.Load(write(t, tt.file, tt.text), config.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, tt.want)
			}
			if c != nil {
				t.Errorf("Load returned %+v beside an error", c)
			}
		})
	}
	_, _, err := config.Load(filepath.Join(t.TempDir(), "wrangler.toml"), config.Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: error %v, want one that is os.ErrNotExist", err)
	}
}

func TestErrorNamesTheFirstErrorAndCountsTheRest(t *testing.T) {
	at := func(line int) config.Position { return config.Position{File: "f", Line: line, Column: 2} }
	warning := config.Diagnostic{Severity: config.SeverityWarning, Position: at(1), Message: "odd"}
	one := config.Diagnostic{Position: at(2), Message: "wrong"}
	two := config.Diagnostic{Position: at(3), Message: "bad"}
	tests := []struct {
		diagnostics []config.Diagnostic
		want        string
	}{
		{[]config.Diagnostic{warning, one}, "f:2:2: wrong"},
		{[]config.Diagnostic{warning, one, two, warning, two}, "f:2:2: wrong (and 2 more)"},
		{nil, "invalid configuration"},
	}
	for _, tt := range tests {
		if got := (&config.Error{Diagnostics: tt.diagnostics}).Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
	}
}

func TestKeyValueBacked(t *testing.T) {
	c := config.Config{Migrations: []config.Migration{
		{Tag: "v1", NewClasses: []string{"Old", "Kept", "Gone"}, NewSQLiteClasses: []string{"New"}},
		{Tag: "v2", RenamedClasses: []config.Rename{{From: "Old", To: "Renamed"}, {From: "New", To: "Newer"}}},
		{Tag: "v3", DeletedClasses: []string{"Gone"},
			TransferredClasses: []config.Transfer{{From: "A", FromScript: "other", To: "Taken"}}},
		{Tag: "v4", NewSQLiteClasses: []string{"Gone"}},
	}}
	for class, want := range map[string]bool{
		"Kept": true, "Renamed": true,
		"Old": false, "New": false, "Newer": false, "Gone": false, "Taken": false, "Nobody": false,
	} {
		if got := c.KeyValueBacked(class); got != want {
			t.Errorf("%s: got %t, want %t", class, got, want)
		}
	}
}
