package plugin_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devtool.internal/emulator/plugin"
)

// inputs returns the inputs of the program in dir/project, as go lists them.
func inputs(t *testing.T, dir string, env ...string) *plugin.Inputs {
	t.Helper()
	project := filepath.Join(dir, "project")
	b := &plugin.Builder{
		Dir:     project,
		Package: ".",
		Env:     append([]string{"GOFLAGS=", "GOPROXY=off", "GOWORK="}, env...),
	}
	in, err := b.Inputs(t.Context(), []string{project})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

const (
	usesDep     = "package main\n\nimport \"example.org/dep/sub\"\n\nfunc main() { sub.Do() }\n"
	replacesDep = "module p\n\ngo 1.26\n\nrequire example.org/dep v0.0.0\n\nreplace example.org/dep => ../dep\n"
	embedsAll   = "package main\n\nimport _ \"embed\"\n\n//go:embed *\nvar all embed.FS\n\nfunc main() {}\n"
	embedsSome  = "package main\n\nimport \"embed\"\n\n" +
		"//go:embed static page.html text/*.txt all:whole .hidden/x\n" +
		"var some embed.FS\n\nfunc main() { _ = some }\n"
)

// Anything else in a project is no input: what editors, other tools and the program itself write.
var noInputs = []string{
	"dev.log", "main.go~", ".main.go.swp", ".#main.go", "#main.go#", "4913", "main.go.tmp.123",
	".goutputstream-X", "main.go___jb_tmp___", "sedAbCdE", "main_test.go", "_draft.go", ".hidden.go",
	"README.md", "__debug_bin123",
	"project", "data.db", "data.db-wal", "cover.out", ".git/index", ".git/HEAD", "node_modules/a/index.js",
	"node_modules/a/a.go", ".devtool/build/handler", ".devtool/state/v3/clock.json", ".devtool/run/1.json",
	"other/other.go", "other/go.mod", "testdata/t.go", "vendor/x.go", "main_plan9.go", "go.mod.bak", "tmp",
	"sub/out.txt",
}

func TestOnlyInputsOfTheBuildCount(t *testing.T) {
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
		name  string
		tree  map[string]string
		links map[string]string // from, to; relative to the folder above the project
		env   []string
		// want are inputs besides main.go, go.mod and go.sum, and not are none besides noInputs.
		// All are relative to the project.
		want, not []string
		outside   []string // folders, relative to the one above the project
	}{
		{
			name: "packages of the module",
			tree: map[string]string{
				"project/go.mod":     "module p\n\ngo 1.26\n",
				"project/main.go":    "package main\n\nimport \"p/sub\"\n\nfunc main() { sub.Do() }\n",
				"project/sub/sub.go": "package sub\n\nfunc Do() {}\n",
			},
			want: []string{
				"sub/sub.go", "sub/new.go", "sub/new.s", "sub/new.c", "sub/new.h", "sub/new.syso", "sub",
				"sub/go.mod",
				"new.go", "vendor/modules.txt", "vendor", "default.pgo", "go.work", "../go.work", "go.work.sum", ".",
			},
			not: []string{"new/new.go", "sub/below/x.go", "sub/x.html", "sub/sub_test.go", "../new.go"},
		},
		{
			name: "embedded files and patterns",
			tree: map[string]string{
				"project/go.mod":    "module p\n\ngo 1.26\n",
				"project/main.go":   embedsSome,
				"project/page.html": "", "project/static/a.css": "", "project/static/in/b.css": "",
				"project/text/a.txt": "", "project/whole/.a": "", "project/.hidden/x": "",
			},
			want: []string{
				"page.html", "static/a.css", "static/new.css", "static/in/b.css", "static/new/x/y.js",
				"static/new", "static",
				"text/a.txt", "text/new.txt", "whole/.a", "whole/_new/.b", "whole/main.go~", ".hidden/x", ".hidden",
			},
			not: []string{
				"new.html", "static/.DS_Store", "static/_old.css", "static/.git/x", "whole/.git/x", "text/new.md",
				"text/in/x.txt", ".hidden/y", "text/_x.go", "static/in/.b.css.swp",
			},
		},
		{
			name: "a pattern that matches nothing yet",
			tree: map[string]string{
				"project/go.mod":  "module p\n\ngo 1.26\n",
				"project/main.go": embedsSome,
			},
			want: []string{"page.html", "static/a.css", "static", "text/a.txt", "whole/.a"},
			not:  []string{"new.html", "text/new.md", "text"},
		},
		{
			name: "packages that are not there yet",
			tree: map[string]string{
				"project/go.mod": replacesDep,
				"project/main.go": "package main\n\nimport (\n\t_ \"p/missing\"\n\t_ \"example.org/dep/missing\"\n" +
					"\t_ \"example.org/nowhere\"\n)\n\nfunc main() {}\n",
			},
			want:    []string{"missing/m.go", "../dep/missing/m.go", "../dep/go.mod", "missing"},
			not:     []string{"missing/m.txt", "missing/below/m.go", "../dep/sub/sub.go", "nowhere/n.go"},
			outside: []string{"dep/missing"},
		},
		{
			name: "source that can't be parsed",
			tree: map[string]string{
				"project/go.mod":  "module p\n\ngo 1.26\n",
				"project/main.go": "package main\n\nfunc {",
			},
			want: []string{"new.go"},
		},
		{
			name: "a module that go.mod replaces",
			tree: map[string]string{
				"project/go.mod":  replacesDep,
				"project/main.go": usesDep,
			},
			want: []string{
				"../dep/sub/sub.go", "../dep/sub/new.go", "../dep/sub/text/a.txt", "../dep/go.mod",
				"../dep/go.sum", "../dep",
			},
			not: []string{
				"../dep/sub/text/b.txt", "../dep/other/o.go", "../dep/sub/sub_test.go", "../dep/new.go",
			},
			outside: []string{"dep/sub"},
		},
		{
			name: "a module of a workspace",
			tree: map[string]string{
				"go.work":         "go 1.26\n\nuse (\n\t./dep\n\t./project\n)\n",
				"project/go.mod":  "module p\n\ngo 1.26\n",
				"project/main.go": usesDep,
			},
			want: []string{
				"../dep/sub/sub.go", "../dep/go.mod", "../go.work", "../go.work.sum", "../vendor/modules.txt",
				"go.work",
			},
			outside: []string{"dep/sub"},
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
			want: []string{
				"../shared/s.go", "../shared/new.go", "../go.mod", "../go.sum", "../shared/go.mod",
				"../vendor/modules.txt",
				"../go.work",
			},
			not:     []string{"../unused/u.go", "../unused/go.mod"},
			outside: []string{"shared"},
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
			want:    []string{"more.go", "../real/more.go", "../real/pkg/pkg.go", "../real/pkg/new.go", "linked"},
			not:     []string{"../real/new.go"},
			outside: []string{"real/pkg"},
		},
		{
			name: "copies of dependencies",
			tree: map[string]string{
				"project/go.mod": "module p\n\ngo 1.26\n\n" +
					"require example.org/dep v1.0.0\n",
				"project/main.go": usesDep,
				"project/vendor/modules.txt": "# example.org/dep v1.0.0\n" +
					"## explicit; go 1.26\nexample.org/dep/sub\n",
				"project/vendor/example.org/dep/sub/sub.go":   "package sub\n\nfunc Do() {}\n",
				"project/vendor/example.org/dep/more/more.go": "package more\n",
			},
			want: []string{"vendor/modules.txt", "vendor/example.org/dep/sub/sub.go", "vendor"},
			not:  []string{"vendor/example.org/dep/more/more.go", "vendor/example.org/LICENSE"},
		},
		{
			name: "another go.mod, by GOFLAGS",
			tree: map[string]string{
				"project/go.mod":     "module p\n\ngo 1.26\n",
				"project/alt/my.mod": "module p\n\ngo 1.26\n",
				"project/main.go":    "package main\n\nfunc main() {}\n",
			},
			env:  []string{"GOFLAGS=-modfile=alt/my.mod"},
			want: []string{"alt/my.mod", "alt/my.sum"},
			not:  []string{"alt/other.mod"},
		},
		{
			name: "everything embedded",
			tree: map[string]string{
				"project/go.mod":     "module p\n\ngo 1.26\n",
				"project/main.go":    strings.Replace(embedsAll, "_ ", "", 1),
				"project/static/x":   "",
				"project/other/o.go": "package other\n",
			},
			want: []string{"static/new", ".env", "dev.log"},
			not:  []string{"static/.x", ".git/index", "sub/.git/x"},
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
			in := inputs(t, dir, test.env...)
			check := func(names []string, want bool) {
				for _, name := range names {
					if got := in.Has(filepath.Join(dir, "project", name)); got != want {
						t.Errorf("%s: got %v, want %v", name, got, want)
					}
				}
			}
			check(append(test.want, "main.go", "go.mod", "go.sum"), true)
			check(test.not, false)
			own, other := filepath.Join(dir, "project/main_test.go"), filepath.Join(dir, "x/x_test.go")
			if !in.HasTest(own) || in.HasTest(other) {
				t.Error("the tests of the packages are not known")
			}
			if !slices.Contains(test.want, "dev.log") {
				check(without(noInputs, test.want), false)
			}
			top, err := filepath.EvalSymlinks(dir)
			if err != nil {
				t.Fatal(err)
			}
			var outside []string
			for _, folder := range in.Outside() {
				outside = append(outside, strings.TrimPrefix(filepath.ToSlash(folder), filepath.ToSlash(top)+"/"))
			}
			if !slices.Equal(outside, test.outside) {
				t.Errorf("outside of the project: got %q, want %q", outside, test.outside)
			}
		})
	}
}

// without returns those of names that are not among others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

// Where go can't list the packages, each source file in the project counts, and nothing else.
func TestSourcesAnywhereMayCount(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"cmd/app/main.go": "package main\n", "go.mod": "module p\n"})
	b := &plugin.Builder{Dir: dir, Package: "./cmd/app"}
	assumed := b.AssumedInputs([]string{dir})
	if assumed.Has(filepath.Join(dir, "other/new.go")) || !assumed.Has(filepath.Join(dir, "cmd/app/new.go")) {
		t.Error("without Anywhere: got another package, or not the program's own")
	}
	in := assumed.Anywhere()
	for name, want := range map[string]bool{
		"cmd/app/main.go": true, "cmd/app/new.go": true, "other/new.go": true, "go.mod": true, "go.work": true,
		"vendor/modules.txt": true, "cmd": true,
		"vendor/a.go": false, "node_modules/a.go": false, ".git/a.go": false, "main_test.go": false, "dev.log": false,
		"page.html": false,
	} {
		if got := in.Has(filepath.Join(dir, name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// A project may be reached by a link. The watcher reports its files by that path, and go by the
// real one.
func TestInputsAreFoundByTheWatchedPath(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"real/go.mod": "module p\n\ngo 1.26\n", "real/main.go": "package main\n\nfunc main() {}\n",
	})
	link := filepath.Join(dir, "project")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	in := inputs(t, dir)
	if !in.Has(filepath.Join(link, "main.go")) || in.Has(filepath.Join(link, "dev.log")) {
		t.Error("the path by the link is not understood")
	}
}

func TestListingInputsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := &plugin.Builder{Dir: t.TempDir(), Package: "."}
	if _, err := b.Inputs(ctx, nil); err == nil {
		t.Error("got no error")
	}
}

// A folder may be watched without the folders below it.
func TestFoldersAreWatchedWithoutThoseBelow(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"flat/a.go": "1", "flat/below/b.go": "1", "beside/c.go": "1"})
		flat := filepath.Join(dir, "flat")
		o.Folders = []string{flat}
		w := watch(t, o)
		write(t, dir, map[string]string{
			"flat/below/b.go": "22",
			"beside/c.go":     "22",
			"flat/a_test.go":  "1",
			"flat/new/x.go":   "1",
		})
		write(t, dir, map[string]string{"flat/a.go": "22"})
		reports(t, w, dir, "flat/a.go")
		settled(t, w, flat, "a.go")
		write(t, dir, map[string]string{"flat/b.go": "1"})
		reports(t, w, dir, "flat/b.go")
		settled(t, w, flat, "b.go")
		rename(t, dir, "flat/b.go", "flat/c.go")
		eventually(t, w, dir, []string{"flat/b.go", "flat/c.go"}, nil)
		settled(t, w, flat, "b.go", "c.go")
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
		settled(t, w, dir, "main.go")
		if w.Settling() {
			t.Error("the watcher is settling after the report")
		}
	})
}

// Folders and single files beside the roots may come, go and come back, with the folders above
// them. That is how `go mod vendor` fills its folder.
func TestFoldersAreAwaited(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		o.Folders = []string{filepath.Join(dir, "a/b/c")}
		o.Files = []string{filepath.Join(dir, "vendor/modules.txt"), filepath.Join(dir, "zz.settled")}
		w := watch(t, o)
		for range 3 {
			write(t, dir, map[string]string{"a/b/c/x.go": "1", "a/other/y.go": "1"})
			eventually(t, w, dir, []string{"a/b/c/x.go"}, nil)
			write(t, dir, map[string]string{"a/b/c/x.go": "22"})
			eventually(t, w, dir, []string{"a/b/c/x.go"}, nil)
			write(t, dir, map[string]string{"vendor/p/p.go": "1", "vendor/modules.txt": "1"})
			eventually(t, w, dir, []string{"vendor/modules.txt"}, []string{"a/b/c/x.go"})
			remove(t, dir, "vendor")
			remove(t, dir, "a")
			gone := []string{"a/b/c/x.go", "a/b/c", "vendor", "vendor/modules.txt"}
			settled(t, w, dir, gone...)
			remove(t, dir, "zz.settled")
			eventually(t, w, dir, []string{"zz.settled"}, gone)
		}
		if got := w.Polling(); got != "" && !strings.Contains(got, "test") {
			t.Errorf("polls: %s", got)
		}
	})
}

// Changes that do not matter delay no report of others.
func TestOnlyWhatMattersIsReported(t *testing.T) {
	modes(t, func(t *testing.T, o plugin.WatchOptions) {
		dir := t.TempDir()
		o.Roots = []string{dir}
		o.Only = func(paths []string) []string {
			return slices.DeleteFunc(paths, func(path string) bool { return filepath.Ext(path) == ".log" })
		}
		o.OnChange = func(paths []string) {
			if slices.ContainsFunc(paths, func(path string) bool { return filepath.Ext(path) == ".log" }) {
				t.Errorf("noticed %v", paths)
			}
		}
		w := watch(t, o)
		write(t, dir, map[string]string{"app.log": "1", "page.html~": "1"})
		reports(t, w, dir, "page.html~")
		write(t, dir, map[string]string{"app.log": "22"})
		settled(t, w, dir, "page.html~")
	})
}
