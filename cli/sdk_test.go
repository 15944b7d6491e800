package cli

import (
	goparser "go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/config"
)

// otherPackages stands in for the packages of the SDK that a test does not vary.
var otherPackages = map[string]string{
	"durable/objectid/o.go":   "o",
	"durable/stored/s.go":     "s",
	"durabletest/t.go":        "t",
	"internal/inherited/i.go": "i",
	"internal/inside/i.go":    "i",
	"internal/worlds/w.go":    "w",
}

// sdkOf returns the source of an SDK that consists of files and otherPackages.
func sdkOf(files map[string]string) fs.FS {
	fsys := fstest.MapFS{}
	for name, content := range otherPackages {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

// wholeSDK returns the files that writeSDK must write for an SDK of sdkOf with durable/a.go, which
// contains "a", and durable/wire/b.go, which contains b.
func wholeSDK(b string) map[string]string {
	files := map[string]string{
		"go.mod": sdkGoMod, schemaFile: string(config.Schema()), "durable/a.go": "a", "durable/wire/b.go": b,
	}
	maps.Copy(files, otherPackages)
	return files
}

// readTree returns the files in the project's copy of the SDK, by slash-separated path.
func readTree(t interface{ Fatal(...any) }, project string) map[string]string {
	files := map[string]string{}
	root := filepath.Join(project, filepath.FromSlash(sdkDir))
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		files[filepath.ToSlash(name)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWriteSDKCopiesThePackagesWithoutTheirTests(t *testing.T) {
	project := t.TempDir()
	changed, err := writeSDK(sdkOf(map[string]string{
		"durable/a.go": "a", "durable/a_test.go": "test", "durable/notes.md": "notes",
		"durable/wire/b.go": "b", "durable/durabletest/c.go": "c", "emulator/d.go": "d",
	}), project)
	if err != nil || !changed {
		t.Errorf("got changed %t, %v, want true", changed, err)
	}
	want := map[string]string{
		"go.mod":             "module devtool.internal\n\ngo 1.26\n",
		"config-schema.json": string(config.Schema()),
		"durable/a.go":       "a", "durable/wire/b.go": "b",
	}
	maps.Copy(want, otherPackages)
	if diff := cmp.Diff(want, readTree(t, project)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteSDKTouchesOnlyWhatDiffers(t *testing.T) {
	project := t.TempDir()
	sdk := map[string]string{"durable/a.go": "a", "durable/old.go": "old", "durable/wire/b.go": "b"}
	if _, err := writeSDK(sdkOf(sdk), project); err != nil {
		t.Fatal(err)
	}
	same := filepath.Join(project, ".devtool", "sdk", "durable", "a.go")
	before, err := os.Stat(same)
	if err != nil {
		t.Fatal(err)
	}

	if changed, err := writeSDK(sdkOf(sdk), project); changed || err != nil {
		t.Errorf("the same again: got changed %t, %v, want false", changed, err)
	}
	delete(sdk, "durable/old.go")
	sdk["durable/wire/b.go"] = "b2"
	if changed, err := writeSDK(sdkOf(sdk), project); !changed || err != nil {
		t.Errorf("a new SDK: got changed %t, %v, want true", changed, err)
	}
	after, err := os.Stat(same)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("an equal file was written again")
	}
	want := wholeSDK("b2")
	if diff := cmp.Diff(want, readTree(t, project)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(project, ".devtool", "*.tmp")); left != nil {
		t.Errorf("temporary files were left: %q", left)
	}
}

// TestWriteSDKMakesAnyTreeEqual starts with arbitrary files in the copy.
func TestWriteSDKMakesAnyTreeEqual(t *testing.T) {
	parent := t.TempDir()
	name := rapid.SampledFrom([]string{
		"a.go", "durable/a.go", "durable/x.txt", "durable/wire/b.go", "durable/gone/deep/c.go", "go.mod", ".hidden",
	})
	content := rapid.SampledFrom([]string{"", "a", "b"})
	rapid.Check(t, func(t *rapid.T) {
		project, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		want := wholeSDK("b")
		for path, content := range rapid.MapOfN(name, content, 0, 5).Draw(t, "leftovers") {
			target := filepath.Join(project, ".devtool", "sdk", filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(target, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		sdk := sdkOf(map[string]string{"durable/a.go": "a", "durable/wire/b.go": "b"})
		if _, err := writeSDK(sdk, project); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, readTree(t, project)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := os.Stat(filepath.Join(project, ".devtool", "sdk", "durable", "gone")); err == nil {
			t.Error("an empty folder was left")
		}
		if changed, err := writeSDK(sdk, project); changed || err != nil {
			t.Errorf("again: got changed %t, %v, want false", changed, err)
		}
	})
}

func TestSeveralMayWriteTheSDKAtOnce(t *testing.T) {
	project := t.TempDir()
	sdk := sdkOf(map[string]string{"durable/a.go": "a", "durable/wire/b.go": "b"})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := writeSDK(sdk, project); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	want := wholeSDK("b")
	if diff := cmp.Diff(want, readTree(t, project)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheSDKNeedsNothingElse checks the real SDK. It may import its own packages, which are part of
// the copy, and the standard library.
func TestTheSDKNeedsNothingElse(t *testing.T) {
	files, err := sdkFiles(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		source, err := goparser.ParseFile(token.NewFileSet(), name, files[name], goparser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, spec := range source.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			ours, isOurs := strings.CutPrefix(imported, "devtool.internal/")
			host, _, _ := strings.Cut(imported, "/")
			if isOurs && !slices.Contains(sdkFolders, ours) || !isOurs && strings.Contains(host, ".") {
				t.Errorf("%s imports %s, which is not part of the SDK", name, imported)
			}
		}
	}
}
