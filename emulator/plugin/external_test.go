package plugin_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"devtool.internal/emulator/plugin"
)

// externalSources returns the external sources of the program in dir/project, relative to dir.
func externalSources(t *testing.T, dir string, env ...string) (folders, files []string) {
	t.Helper()
	project := filepath.Join(dir, "project")
	b := &plugin.Builder{
		Dir:     project,
		Package: ".",
		Env:     append([]string{"GOFLAGS=", "GOPROXY=off", "GOWORK="}, env...),
	}
	o, err := b.ExternalSources(t.Context(), []string{project})
	if err != nil {
		t.Fatal(err)
	}
	return relative(t, dir, o.Folders), relative(t, dir, o.Files)
}

func relative(t *testing.T, dir string, paths []string) []string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.ToSlash(rel))
	}
	return names
}

const (
	usesDep     = "package main\n\nimport \"example.org/dep/sub\"\n\nfunc main() { sub.Do() }\n"
	replacesDep = "module p\n\ngo 1.26\n\nrequire example.org/dep v0.0.0\n\nreplace example.org/dep => ../dep\n"
)

func TestSourcesOutsideTheProjectAreFound(t *testing.T) {
	dep := map[string]string{
		"dep/go.mod":     "module example.org/dep\n\ngo 1.26\n",
		"dep/other/o.go": "package other\n",
		"dep/sub/sub.go": "package sub\n\nimport _ \"embed\"\n\n//go:embed text/a.txt\nvar text string\n\n" +
			"func Do() { println(text) }\n",
		"dep/sub/text/a.txt":     "a",
		"dep/sub/text/b.txt":     "b",
		"dep/sub/sub_test.go":    "package sub\n",
		"project/.devtool/sdk/x": "",
	}
	for _, test := range []struct {
		name    string
		tree    map[string]string
		links   map[string]string // from, to; relative to the folder above the project
		env     []string
		folders []string
		files   []string
	}{
		{
			name: "nothing",
			tree: map[string]string{
				"project/go.mod":     "module p\n\ngo 1.26\n",
				"project/main.go":    "package main\n\nimport \"p/sub\"\n\nfunc main() { sub.Do() }\n",
				"project/sub/sub.go": "package sub\n\nfunc Do() {}\n",
			},
		},
		{
			name: "a module that go.mod replaces",
			tree: map[string]string{
				"project/go.mod":  replacesDep,
				"project/main.go": usesDep,
			},
			folders: []string{"dep/sub", "dep/sub/text"},
			files:   []string{"dep/go.mod", "dep/go.sum"},
		},
		{
			name: "a module of a workspace",
			tree: map[string]string{
				"go.work":         "go 1.26\n\nuse (\n\t./dep\n\t./project\n)\n",
				"project/go.mod":  "module p\n\ngo 1.26\n",
				"project/main.go": usesDep,
			},
			folders: []string{"dep/sub", "dep/sub/text"},
			files:   []string{"dep/go.mod", "dep/go.sum", "go.work", "go.work.sum"},
		},
		{
			name: "the module that the project is only a part of",
			tree: map[string]string{
				"go.mod":          "module all\n\ngo 1.26\n",
				"shared/s.go":     "package shared\n\nfunc Do() {}\n",
				"unused/u.go":     "package unused\n",
				"project/main.go": "package main\n\nimport \"all/shared\"\n\nfunc main() { shared.Do() }\n",
				"dep/go.mod":      "module example.org/dep\n",
			},
			folders: []string{"shared"},
			files:   []string{"go.mod", "go.sum"},
		},
		{
			name: "links to a file and to a folder",
			tree: map[string]string{
				"project/go.mod": "module p\n\ngo 1.26\n",
				"project/main.go": "package main\n\nimport \"p/linked\"\n\n" +
					"func main() { linked.Do(); more() }\n",
				"real/more.go":    "package main\n\nfunc more() {}\n",
				"real/pkg/pkg.go": "package linked\n\nfunc Do() {}\n",
			},
			links:   map[string]string{"project/more.go": "real/more.go", "project/linked": "real/pkg"},
			folders: []string{"real/pkg"},
			files:   []string{"real/more.go"},
		},
		{
			name: "a program that does not build",
			tree: map[string]string{
				"project/go.mod":   replacesDep,
				"project/main.go":  usesDep,
				"project/wrong.go": "package main\n\nimport \"example.org/nowhere\"\n\nfunc wrong() { return 1 }\n",
			},
			folders: []string{"dep/sub", "dep/sub/text"},
			files:   []string{"dep/go.mod", "dep/go.sum"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, dep)
			write(t, dir, test.tree)
			for from, to := range test.links {
				if err := os.Symlink(filepath.Join(dir, to), filepath.Join(dir, from)); err != nil {
					t.Fatal(err)
				}
			}
			folders, files := externalSources(t, dir, test.env...)
			if !slices.Equal(folders, test.folders) || !slices.Equal(files, test.files) {
				t.Errorf("got folders %q and files %q, want %q and %q", folders, files, test.folders, test.files)
			}
		})
	}
}

func TestListingExternalSourcesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := &plugin.Builder{Dir: t.TempDir(), Package: "."}
	if _, err := b.ExternalSources(ctx, nil); err == nil {
		t.Error("got no error")
	}
}

// A folder may be watched without the folders below it.
func TestFoldersAreWatchedWithoutThoseBelow(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"flat/a.go": "1", "flat/below/b.go": "1", "beside/c.go": "1"})
		o.Folders = []string{filepath.Join(dir, "flat")}
		o.Files = []string{filepath.Join(dir, "zz.settled")}
		w := watch(t, o)
		write(t, dir, map[string]string{
			"flat/below/b.go": "22",
			"beside/c.go":     "22",
			"flat/a_test.go":  "1",
			"flat/new/x.go":   "1",
		})
		write(t, dir, map[string]string{"flat/a.go": "22"})
		reports(t, w, dir, "flat/a.go")
		write(t, dir, map[string]string{"flat/b.go": "1"})
		reports(t, w, dir, "flat/b.go")
		rename(t, dir, "flat/b.go", "flat/c.go")
		eventually(t, w, dir, []string{"flat/b.go", "flat/c.go"}, nil)
		settled(t, w, dir, "flat/b.go", "flat/c.go")
	})
}

// OnChange comes before the report, and the watcher is settling until then.
func TestChangesAreNoticedAtOnce(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		o.Roots = []string{dir}
		noticed := make(chan []string, 8)
		o.OnChange = func(paths []string) { noticed <- paths }
		w := watch(t, o)
		if w.Settling() {
			t.Error("the watcher is settling before anything has changed")
		}
		write(t, dir, map[string]string{"main.go": "1"})
		want := []string{filepath.Join(dir, "main.go")}
		if got := await(t, "the call of OnChange", noticed); !slices.Equal(got, want) {
			t.Errorf("noticed %v, want %v", got, want)
		}
		reports(t, w, dir, "main.go")
		if w.Settling() {
			t.Error("the watcher is settling after the report")
		}
	})
}
