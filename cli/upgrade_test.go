package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"
	"pgregory.net/rapid"
)

const oldGoMod = "module app\n\nrequire devtool v0.0.0\n\nreplace devtool => ./.devtool/sdk\n"

// oldModule makes a module with oldGoMod and files in a temporary folder.
func oldModule(t *testing.T, files map[string]string) (*goModule, Streams) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		writeNew(t, filepath.Join(dir, filepath.FromSlash(name)), content)
	}
	writeNew(t, filepath.Join(dir, "go.mod"), oldGoMod)
	s := Streams{Dir: dir, Env: func(string) string { return "" }, SDK: sdkOf(map[string]string{
		"durable/a.go": "a", "durable/wire/b.go": "b",
	})}
	m, err := findModule(s, dir)
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

func writeNew(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestAnUpgradeChangesImportsAndNothingElse(t *testing.T) {
	for name, test := range map[string]struct{ source, want string }{
		"CRLF": {
			"package p\r\n\r\nimport (\r\n\t\"devtool/durable\"\r\n)\r\n\r\nvar s = `\r\n\"devtool/\"`\r\n",
			"package p\r\n\r\nimport (\r\n\t\"devtool.internal/durable\"\r\n)\r\n\r\nvar s = `\r\n\"devtool/\"`\r\n",
		},
		"byte order mark": {
			"\ufeffpackage p\n\nimport \"devtool/durable\"\n",
			"\ufeffpackage p\n\nimport \"devtool.internal/durable\"\n",
		},
		"no newline at the end": {
			"package p; import \"devtool/durable\"",
			"package p; import \"devtool.internal/durable\"",
		},
		"cgo": {
			"package p\n\n// #include \"devtool/durable\"\nimport \"C\"\nimport \"devtool/durable\"\n",
			"package p\n\n// #include \"devtool/durable\"\nimport \"C\"\nimport \"devtool.internal/durable\"\n",
		},
		"names that are similar": {
			"package p\n\nimport (\n\t\"devtool\"\n\t\"devtools/durable\"\n\t\"x/devtool/durable\"\n)\n",
			"package p\n\nimport (\n\t\"devtool.internal\"\n\t\"devtools/durable\"\n\t\"x/devtool/durable\"\n)\n",
		},
		"comments that gofmt has aligned": {
			"package p\n\nimport (\n\t\"context\"         // a\n\t\"devtool/durable\" // b\n)\n",
			"package p\n\nimport (\n\t\"context\"                  // a\n\t\"devtool.internal/durable\" // b\n)\n",
		},
		"what gofmt has not seen": {
			"package p\nimport ( \"devtool/durable\"   // b\n  )\n",
			"package p\nimport ( \"devtool.internal/durable\"   // b\n  )\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := oldModule(t, map[string]string{"main.go": test.source})
			path := filepath.Join(m.dir, "main.go")
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
			files, err := m.upgrade(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := applyUpgrade(s, m.dir, files); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, read(t, path)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("got mode %v, %v, want 0640", info.Mode(), err)
			}
			if left, _ := filepath.Glob(filepath.Join(m.dir, "*.tmp")); left != nil {
				t.Errorf("temporary files were left: %q", left)
			}
		})
	}
}

func TestAnUpgradeFollowsLinksToFiles(t *testing.T) {
	m, s := oldModule(t, map[string]string{"shared/a.go": "package shared\n\nimport \"devtool/durable\"\n"})
	link := filepath.Join(m.dir, "linked.go")
	if err := os.Symlink(filepath.Join("shared", "a.go"), link); err != nil {
		t.Fatal(err)
	}
	files, err := m.upgrade(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := applyUpgrade(s, m.dir, files); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, link), "package shared\n\nimport \"devtool.internal/durable\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().IsRegular() {
		t.Errorf("the link has become a file: %v, %v", info, err)
	}
}

// TestAnUpgradeKeepsTheHashOfTypes upgrades a file that `devtool types` wrote with the old path.
func TestAnUpgradeKeepsTheHashOfTypes(t *testing.T) {
	want, err := envFile{
		config: "wrangler.jsonc", typeName: "Env", pkg: goPackage{name: "main"}, all: []string{""},
		bindings: []envBinding{{
			Name: "BATCHER", Method: "Batcher", Signature: "() *durable.Namespace",
			Kind: namespaceBinding, Classes: []string{"Batcher"}, envs: []string{""},
		}},
	}.source()
	if err != nil {
		t.Fatal(err)
	}
	code := strings.SplitN(string(want), "\n\n", 2)[1]
	oldCode := strings.ReplaceAll(code, "devtool.internal/", "devtool/")
	source := strings.NewReplacer(code, oldCode, hash([]byte(code)), hash([]byte(oldCode))).Replace(string(want))
	if !intact([]byte(source)) || oldCode == code {
		t.Fatalf("this is not what the old devtool wrote:\n%s", source)
	}
	for name, endings := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
		m, s := oldModule(t, map[string]string{"env_gen.go": strings.ReplaceAll(source, "\n", endings)})
		files, err := m.upgrade(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := applyUpgrade(s, m.dir, files); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(string(want), "\n", endings)
		if diff := cmp.Diff(want, read(t, filepath.Join(m.dir, "env_gen.go"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAnUpgradeThatCannotFinishTakesBackWhatItWrote(t *testing.T) {
	main := "package main\n\nimport \"devtool/durable\"\n"
	m, s := oldModule(t, map[string]string{"main.go": main, "z/z.go": "package z\n\nimport \"devtool/durable\"\n"})
	files, err := m.upgrade(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Fatalf("got %d files to change, want 3", len(files))
	}
	if err := os.RemoveAll(filepath.Join(m.dir, "z")); err != nil { // in between
		t.Fatal(err)
	}
	if updated, err := applyUpgrade(s, m.dir, files); err == nil || updated != nil {
		t.Errorf("got %q, %v, want an error", updated, err)
	}
	for name, want := range map[string]string{"go.mod": oldGoMod, "main.go": main} {
		if got := read(t, filepath.Join(m.dir, name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(m.dir, ".devtool")); err == nil {
		t.Error("the SDK was written")
	}
}

func TestTheProjectsOwnPackagesAreNotTheSDKs(t *testing.T) {
	for module, old := range map[string][]string{
		"devtool":         nil,
		"devtool/durable": {"devtool/durabletest"},
		"app":             {"devtool/durable", "devtool/durable/vet", "devtool/durabletest"},
	} {
		file, err := modfile.Parse("go.mod", []byte("module "+module+"\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		m := &goModule{file: file}
		paths := []string{"devtool/durable", "devtool/durable/vet", "devtool/durabletest", "devtoolx", "x/devtool"}
		got := slices.DeleteFunc(paths, func(path string) bool { return !m.ofOldSDK(path) })
		if !slices.Equal(got, old) {
			t.Errorf("module %s: got %q as packages of the SDK, want %q", module, got, old)
		}
	}
}

// TestEditsAreApplied replaces each second piece of a text, and compares the result with the pieces
// joined.
func TestEditsAreApplied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.StringMatching("[a-z]{0,3}")).Draw(t, "pieces")
		var source, want string
		var edits []edit
		for i, piece := range pieces {
			if i%2 == 1 {
				edits = append(edits, edit{len(source), len(source) + len(piece), "X"})
				want += "X"
			} else {
				want += piece
			}
			source += piece
		}
		if got := string(applied([]byte(source), edits)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
