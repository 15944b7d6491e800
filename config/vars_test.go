package config_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
)

// project writes files and loads the configuration for env. It supplies a wrangler.jsonc unless
// files has one.
func project(t testing.TB, files map[string]string, env string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{"wrangler.jsonc": `{ "name": "w", "main": ".", ` +
		`"compatibility_date": "2026-10-01", "env": { "staging": {} } }`}
	maps.Copy(all, files)
	for name, text := range all {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := config.Load(filepath.Join(dir, "wrangler.jsonc"), config.Options{Env: env})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// values returns the variables as "value" or, if they have another source than the configuration,
// as "value < source".
func values(c *config.Config) map[string]string {
	all := make(map[string]string)
	for _, v := range c.Vars {
		all[v.Name] = v.Value
		if v.From != "" {
			all[v.Name] += " < " + v.From
		}
	}
	return all
}

func TestVariablesComeFromTheFilesThatWranglerReads(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		env   string
		from  config.VarSources
		want  map[string]string
	}{
		"no file": {want: map[string]string{}},
		".dev.vars, and no .env beside it": {
			files: map[string]string{".dev.vars": "A=1", ".env": "A=2\nB=2"},
			want:  map[string]string{"A": "1 < .dev.vars"},
		},
		"an empty .dev.vars counts": {
			files: map[string]string{".dev.vars": "", ".env": "A=2"},
			want:  map[string]string{},
		},
		".dev.vars of the environment alone": {
			files: map[string]string{".dev.vars": "A=1\nB=1", ".dev.vars.staging": "A=2"}, env: "staging",
			want: map[string]string{"A": "2 < .dev.vars.staging"},
		},
		".dev.vars for an environment without one": {
			files: map[string]string{".dev.vars": "A=1", ".dev.vars.production": "A=2"}, env: "staging",
			want: map[string]string{"A": "1 < .dev.vars"},
		},
		".env files, later ones winning": {
			files: map[string]string{
				".env": "A=1\nB=1\nC=1\nD=1", ".env.local": "B=2\nC=2\nD=2",
				".env.staging": "C=3\nD=3", ".env.staging.local": "D=4",
			}, env: "staging",
			want: map[string]string{
				"A": "1 < .env", "B": "2 < .env.local", "C": "3 < .env.staging", "D": "4 < .env.staging.local",
			},
		},
		"no .env of an environment at the top level": {
			files: map[string]string{".env": "A=1", ".env.staging": "A=2"},
			want:  map[string]string{"A": "1 < .env"},
		},
		"no expansion in .dev.vars": {
			files: map[string]string{".dev.vars": "A=1\nB=${A}"},
			want:  map[string]string{"A": "1 < .dev.vars", "B": "${A} < .dev.vars"},
		},
		"a merged value expands in the place of the first": {
			files: map[string]string{".env": "A=1\nB=1\n", ".env.local": "C=1\nA=$B\nD=$C"},
			want: map[string]string{
				"A": " < .env.local", "B": "1 < .env", "C": "1 < .env.local", "D": "1 < .env.local",
			},
		},
		"--env-file instead of all others": {
			files: map[string]string{".dev.vars": "A=1\nB=1", ".env": "A=2", "x/one": "A=3\nC=3", "two": "A=4\nD=$C"},
			from:  config.VarSources{EnvFiles: []string{"x/one", "two"}},
			want:  map[string]string{"A": "4 < two", "C": "3 < " + filepath.FromSlash("x/one"), "D": "3 < two"},
		},
		"no .env file where that is turned off": {
			files: map[string]string{".env": "A=2"},
			from:  config.VarSources{Environ: []string{"CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV=false"}},
			want:  map[string]string{},
		},
		"nor one of --env-file": {
			files: map[string]string{"one": "A=2"},
			from: config.VarSources{
				EnvFiles: []string{"one"},
				Environ:  []string{"CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV=FALSE"},
			},
			want: map[string]string{},
		},
		".dev.vars where .env files are turned off": {
			files: map[string]string{".dev.vars": "A=1"},
			from:  config.VarSources{Environ: []string{"CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV=false"}},
			want:  map[string]string{"A": "1 < .dev.vars"},
		},
		"nothing of the process": {
			files: map[string]string{".env": "A=1\nB=$P"},
			from:  config.VarSources{Environ: []string{"A=p", "P=p"}},
			want:  map[string]string{"A": "1 < .env", "B": " < .env"},
		},
		"the process wins where it is included": {
			files: map[string]string{".env": "A=1\nB=$P"},
			from: config.VarSources{
				Environ: []string{"A=p", "P=q", "BAD=\xff", "CLOUDFLARE_INCLUDE_PROCESS_ENV=true"},
			},
			want: map[string]string{
				"A": "p < the process environment", "B": "q < .env", "P": "q < the process environment",
				"CLOUDFLARE_INCLUDE_PROCESS_ENV": "true < the process environment",
			},
		},
		"not with .dev.vars": {
			files: map[string]string{".dev.vars": "A=1"},
			from:  config.VarSources{Environ: []string{"A=p", "CLOUDFLARE_INCLUDE_PROCESS_ENV=true"}},
			want:  map[string]string{"A": "1 < .dev.vars"},
		},
		"no file and nothing of the process where files are left out": {
			files: map[string]string{".dev.vars": "A=1", ".env": "B=2"},
			from: config.VarSources{
				NoFiles: true, Given: []config.Var{{Name: "C", Value: "given", From: "--var"}},
				Environ: []string{"P=p", "CLOUDFLARE_INCLUDE_PROCESS_ENV=true"},
			},
			want: map[string]string{"C": "given < --var"},
		},
		"flags win over files, and files over the configuration": {
			files: map[string]string{
				".dev.vars": "B=file\nC=file",
				"wrangler.jsonc": `{ "name": "w", "compatibility_date": "2026-10-01", "vars": { "A": "own", ` +
					`"B": { "x": 1 }, "C": "own" } }`,
			},
			from: config.VarSources{Given: []config.Var{
				{Name: "C", Value: "given", From: "--var"},
				{Name: "D", Value: "given", From: "--var"},
			}},
			want: map[string]string{"A": "own", "B": "file < .dev.vars", "C": "given < --var", "D": "given < --var"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := project(t, test.files, test.env)
			warnings, err := c.LoadVars(test.from)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, values(c)); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			if len(warnings) > 0 {
				t.Errorf("warnings: got %v, want none", warnings)
			}
		})
	}
}

func TestTheFilesToWatchIncludeMissingOnes(t *testing.T) {
	t.Parallel()
	files := map[string]string{".dev.vars": "A=1", ".env": "A=2"}
	for name, test := range map[string]struct {
		env  string
		from config.VarSources
		want string // the files in use have a star
	}{
		"by name": {"", config.VarSources{}, ".dev.vars* .env .env.local"},
		"of an environment": {"staging", config.VarSources{},
			".dev.vars.staging .dev.vars* .env .env.local .env.staging .env.staging.local"},
		"of --env-file": {"", config.VarSources{EnvFiles: []string{"no", ".env"}}, "no .env*"},
		"without .env": {"", config.VarSources{Environ: []string{"CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV=false"}},
			".dev.vars*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := project(t, files, test.env)
			if _, err := c.LoadVars(test.from); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range c.VarFiles {
				if f.Path != filepath.Join(c.Dir(), f.Name) {
					t.Errorf("path of %s: got %s, want it in %s", f.Name, f.Path, c.Dir())
				}
				if f.Used {
					f.Name += "*"
				}
				got = append(got, f.Name)
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("files: got %s, want %s", got, test.want)
			}
		})
	}
}

func TestRequiredSecretsRestrictWhatFilesMaySet(t *testing.T) {
	t.Parallel()
	const file = `{ "name": "w", "compatibility_date": "2026-10-01", "vars": { "A": "own" },
  "secrets": { "required": ["KEY", "TOKEN", "MORE"] } }`
	for name, test := range map[string]struct {
		file, dotEnv, devVars string
		environ               []string
		want                  map[string]string
		warning               string
	}{
		"all set": {
			file: file, devVars: "A=1\nB=1\nKEY=k\nTOKEN=t\nMORE=m",
			want: map[string]string{
				"A": "1 < .dev.vars", "KEY": "k < .dev.vars", "TOKEN": "t < .dev.vars", "MORE": "m < .dev.vars",
			},
		},
		"from the process, too, without .dev.vars": {
			file: file, dotEnv: "B=1\nKEY=k", environ: []string{"TOKEN=t", "MORE=m", "HOME=/"},
			want: map[string]string{
				"A": "own", "KEY": "k < .env",
				"TOKEN": "t < the process environment", "MORE": "m < the process environment",
			},
		},
		"some missing": {
			file: file, devVars: "TOKEN=t", environ: []string{"KEY=k"},
			want:    map[string]string{"A": "own", "TOKEN": "t < .dev.vars"},
			warning: "2:28 KEY and MORE are required by secrets.required and not set",
		},
		"one missing": {
			file: file, devVars: "TOKEN=t\nKEY=k",
			want:    map[string]string{"A": "own", "TOKEN": "t < .dev.vars", "KEY": "k < .dev.vars"},
			warning: "2:28 MORE is required by secrets.required and not set",
		},
		"none required": {
			file: `{ "name": "w", "compatibility_date": "2026-10-01", "secrets": { "required": [] } }`, devVars: "A=1",
			want: map[string]string{},
		},
		"no list": {
			file:    `{ "name": "w", "compatibility_date": "2026-10-01", "secrets": {} }`,
			devVars: "A=1", environ: []string{"B=1"},
			want: map[string]string{"A": "1 < .dev.vars"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"wrangler.jsonc": test.file, ".env": test.dotEnv}
			if test.devVars != "" {
				files[".dev.vars"] = test.devVars
			}
			c := project(t, files, "")
			warnings, err := c.LoadVars(config.VarSources{Environ: test.environ})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, values(c)); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			if got := strings.Join(shortened(warnings), "\n"); got != test.warning {
				t.Errorf("warnings: got %q, want %q", got, test.warning)
			}
		})
	}
}

// shortened returns diagnostics as "line:column message".
func shortened(ds []config.Diagnostic) []string {
	var all []string
	for _, d := range ds {
		at := d.Position.String()
		at = at[strings.LastIndexByte(at[:strings.LastIndexByte(at, ':')], ':')+1:]
		all = append(all, at+" "+d.Message)
	}
	return all
}

func TestAVariableDoesNotReplaceAnotherKindOfBinding(t *testing.T) {
	t.Parallel()
	c := project(t, map[string]string{
		"wrangler.jsonc": `{ "name": "w", "compatibility_date": "2026-10-01",
  "durable_objects": { "bindings": [{ "name": "OBJECT", "class_name": "Object" }] },
  "kv_namespaces": [{ "binding": "KV" }],
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Object"] }] }`,
		".env": "OBJECT=1\nA=1",
	}, "")
	warnings, err := c.LoadVars(config.VarSources{
		Given:   []config.Var{{Name: "KV", Value: "x", From: "--var"}},
		Environ: []string{"KV=process", "CLOUDFLARE_INCLUDE_PROCESS_ENV=true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"A": "1 < .env", "CLOUDFLARE_INCLUDE_PROCESS_ENV": "true < the process environment"}
	if diff := cmp.Diff(want, values(c)); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	wantWarnings := []string{
		`2:37 the variable "OBJECT" of .env is ignored: the binding of Object already has this name`,
		`3:21 the variable "KV" of --var is ignored: a binding of kv_namespaces already has this name`,
	}
	if diff := cmp.Diff(wantWarnings, shortened(warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestUnusableSourcesOfVariables(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		from  config.VarSources
		want  string // in the error; "" if there is none
		warn  string // in the only warning
	}{
		"a file of --env-file that is not there": {from: config.VarSources{EnvFiles: []string{"no"}},
			warn: `there is no file "no"`},
		"a file of --env-file that is a folder": {files: map[string]string{"dir/x": ""},
			from: config.VarSources{EnvFiles: []string{"dir"}}, want: "is a directory"},
		"a folder of Python":     {files: map[string]string{".env/bin/python": ""}},
		"a folder for .dev.vars": {files: map[string]string{".dev.vars/x": ""}, want: "is a directory"},
		"an encoding of Windows": {files: map[string]string{".env": "\xff\xfeA\x00=\x001\x00"},
			want: ".env:1:1: the file is encoded in UTF-16 (little endian)"},
		"bytes that are not UTF-8": {files: map[string]string{".dev.vars": "A=1\nB=x\xe9"},
			want: ".dev.vars:2:4: the text here is not UTF-8"},
		"a value without end": {files: map[string]string{".env": "P=$Q\nA=x$P"},
			from: config.VarSources{Environ: []string{"P=$Q", "Q=y$P", "CLOUDFLARE_INCLUDE_PROCESS_ENV=true"}},
			want: ".env:2:1: the value of A can't be expanded: its references do not end"},
		"a flag that is not boolean": {from: config.VarSources{Environ: []string{"CLOUDFLARE_INCLUDE_PROCESS_ENV=1"}},
			want: `CLOUDFLARE_INCLUDE_PROCESS_ENV must be true or false, not "1"`},
		"the other flag": {from: config.VarSources{Environ: []string{"CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV=no"}},
			want: `must be true or false, not "no"`},
		"a huge file": {files: map[string]string{".env": strings.Repeat("#", 1<<20+1)}, want: "is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := project(t, test.files, "")
			warnings, err := c.LoadVars(test.from)
			if test.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: got %v, want %q", err, test.want)
			}
			if bad := (*config.Error)(nil); errors.As(err, &bad) && strings.Contains(bad.Diagnostics[0].Source, "x") {
				t.Errorf("the diagnostic shows a value: %q", bad.Diagnostics[0].Source)
			}
			if got := strings.Join(shortened(warnings), "\n"); test.warn == "" != (got == "") ||
				!strings.Contains(got, test.warn) {
				t.Errorf("warnings: got %q, want %q", got, test.warn)
			}
		})
	}
}
