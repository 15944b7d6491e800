package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
)

const explained = `{
  "$schema": "s.json",
  "name": "shop",
  "main": ".",
  "compatibility_date": "2026-10-01",
  "vars": { "A": "top", "N": { "a": [1, true, null], "e": {} } },
  "triggers": { "crons": ["0 9 * * *"] },
  "env": {
    "staging": { "vars": { "A": "staging", "odd key": 1 } },
    "own": { "name": "other", "vars": {} }
  }
}
`

// explain returns the settings of a file, one a line: key, value, origin, line:column.
func explain(t *testing.T, file string, o config.Options, v config.VarSources) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wrangler.jsonc")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, settings, _, err := config.Explain(path, o, v)
	if err != nil {
		t.Fatal(err)
	}
	if c.Env != o.Env {
		t.Errorf("got the configuration of %q, want %q", c.Env, o.Env)
	}
	var lines []string
	for _, s := range settings {
		line := fmt.Sprintf("%s %s %s", s.Key, s.Value, s.From)
		if s.At.File != "" {
			line += fmt.Sprintf(" %d:%d", s.At.Line, s.At.Column)
		}
		lines = append(lines, strings.TrimSuffix(line+" "+s.Name, " "))
	}
	return lines
}

func TestExplainSaysWhereEachValueIsFrom(t *testing.T) {
	given := config.VarSources{Given: []config.Var{
		{Name: "N", Value: "secret", From: "--var"},
		{Name: "new", Value: "secret", From: "--var"},
	}}
	for _, test := range []struct {
		name, file, env string
		vars            config.VarSources
		want            []string
	}{
		{"at the top level", explained, "", config.VarSources{}, []string{
			`name "shop" top 3:11`,
			`main "." top 4:11`,
			`compatibility_date "2026-10-01" top 5:25`,
			`vars.A "top" top 6:18`,
			`vars.N.a[0] 1 top 6:38`,
			`vars.N.a[1] true top 6:41`,
			`vars.N.a[2] null top 6:47`,
			`vars.N.e {} top 6:59`,
			`triggers.crons[0] "0 9 * * *" top 7:27`,
		}},
		{"in an environment", explained, "staging", config.VarSources{}, []string{
			`name "shop-staging" top 3:11`,
			`main "." top 4:11`,
			`compatibility_date "2026-10-01" top 5:25`,
			`vars.A "staging" environment 9:33`,
			`vars."odd key" 1 environment 9:55`,
			`triggers.crons[0] "0 9 * * *" top 7:27`,
		}},
		{"in one with a name", explained, "own", config.VarSources{}, []string{
			`name "other" environment 10:22`,
			`main "." top 4:11`,
			`compatibility_date "2026-10-01" top 5:25`,
			`triggers.crons[0] "0 9 * * *" top 7:27`,
		}},
		{"variables from elsewhere", explained, "", given, []string{
			`name "shop" top 3:11`,
			`main "." top 4:11`,
			`compatibility_date "2026-10-01" top 5:25`,
			`vars.A "top" top 6:18`,
			`vars.N  variables --var`,
			`vars.new  variables --var`,
			`triggers.crons[0] "0 9 * * *" top 7:27`,
		}},
		{"only variables from elsewhere", `{"name": "a"}`, "", given, []string{
			`compatibility_date "` + config.DefaultCompatibilityDate + `" default`,
			`name "a" top 1:10`,
			`vars.N  variables --var`,
			`vars.new  variables --var`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := explain(t, test.file, config.Options{Env: test.env}, test.vars)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainFillsInTheFoldersName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "My Shop")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "wrangler.toml")
	if err := os.WriteFile(path, []byte("name = \"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, settings, warnings, err := config.Explain(path, config.Options{}, config.VarSources{})
	if err != nil || len(warnings) == 0 {
		t.Fatalf("got the warnings %v and error %v, want warnings", warnings, err)
	}
	for _, s := range settings {
		if s.Key == "name" {
			want := config.Setting{Key: "name", Value: json.RawMessage(`"my-shop"`), From: config.OriginDefault}
			if diff := cmp.Diff(want, s); diff != "" {
				t.Errorf("name (-want +got):\n%s", diff)
			}
			return
		}
	}
	t.Errorf("%v has no name", settings)
}

func TestBothFormatsExplainTheSame(t *testing.T) {
	var values [2][]string
	for i, name := range []string{exampleJSONC, exampleTOML} {
		_, settings, _, err := config.Explain(name, config.Options{}, config.VarSources{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range settings {
			values[i] = append(values[i], fmt.Sprintf("%s %s %s", s.Key, s.Value, s.From))
		}
	}
	if diff := cmp.Diff(values[0], values[1]); diff != "" {
		t.Errorf("settings (-JSONC +TOML):\n%s", diff)
	}
}

func TestEnvironmentsAreThoseOfTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wrangler.jsonc")
	for file, want := range map[string][]string{explained: {"staging", "own"}, `{}`: nil, `{"env": 5}`: nil} {
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := config.Environments(path)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, environments (-want +got):\n%s", file, err, diff)
		}
	}
	if err := os.WriteFile(path, []byte(`{`), 0o600); err != nil {
		t.Fatal(err)
	}
	var bad *config.Error
	if _, err := config.Environments(path); !errors.As(err, &bad) {
		t.Errorf("a file that can't be parsed: got error %v, want its diagnostics", err)
	}
}

func TestDiagnosticsAreJSON(t *testing.T) {
	d := config.Diagnostic{
		Severity: config.SeverityWarning, ID: "unknown-key",
		Position: config.Position{File: "wrangler.toml", Line: 3, Column: 7},
		Message:  "unknown key mian", Hint: `did you mean "main"?`, Source: "secret", Length: 4,
	}
	for want, d := range map[string]config.Diagnostic{
		`{"file":"wrangler.toml","line":3,"column":7,"length":4,"severity":"warning","id":"unknown-key",` +
			`"message":"unknown key mian","suggestion":"did you mean \"main\"?"}`: d,
		`{"file":"","line":0,"column":0,"length":0,"severity":"error","id":"","message":""}`: {},
	} {
		got, err := json.Marshal(d)
		if err != nil || string(got) != want {
			t.Errorf("got %s (error %v)\nwant %s", got, err, want)
		}
	}
}
