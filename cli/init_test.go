package cli_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"devtool.internal/templates"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// goCommand runs the go command offline in dir and returns its output.
func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.Command("go", args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS="+sharedFlags, "GOWORK=off", "GO111MODULE=on")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// TestANewProjectBuildsOffline makes projects with the SDK of this repository. They are vetted and
// tested by TestAFreshProjectTestsItself.
func TestANewProjectBuildsOffline(t *testing.T) {
	for _, template := range templates.All() {
		t.Run(template.Name, func(t *testing.T) {
			c := call{dir: t.TempDir(), sdk: os.DirFS("..")}
			if got := c.run(t.Context(), "init", "app", "--template", template.Name); got.code != 0 {
				t.Fatalf("init: %+v", got)
			}
			project := filepath.Join(c.dir, "app")
			goCommand(t, project, "build", "-o", os.DevNull, ".")
			// The project needs nothing but the SDK and the standard library.
			listed := goCommand(t, project, "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
			for _, imported := range strings.Fields(listed) {
				if imported != "app" && !strings.HasPrefix(imported, "devtool.internal/") {
					t.Errorf("the project depends on %s", imported)
				}
			}
		})
	}
}

// TestNoModuleIsCalledLikeAStandardPackage makes a project for each top-level name of the standard
// library, and for other names that the go command reserves.
func TestNoModuleIsCalledLikeAStandardPackage(t *testing.T) {
	names := map[string]bool{
		"main": true, "all": true, "cmd": true, "std": true, "tool": true, "work": true, "devtool": true, "con": true,
	}
	for _, path := range strings.Fields(goCommand(t, ".", "list", "std")) {
		top, _, _ := strings.Cut(path, "/")
		names[top] = true
	}
	c := call{dir: t.TempDir(), sdk: fakeSDK}
	for name := range names {
		if got := c.run(t.Context(), "init", name); got.code != 0 {
			t.Fatalf("init %s: %+v", name, got)
		}
		content, err := os.ReadFile(filepath.Join(c.dir, name, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(content), "module "+name+"-worker\n"; !strings.HasPrefix(got, want) {
			t.Errorf("go.mod of %s begins %q, want %q", name, got[:len(want)], want)
		}
	}
}

func TestEveryFolderGivesAValidName(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z0-9_][a-z0-9-_]*$`)
	parent := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		folder := rapid.StringMatching(`[A-Za-z0-9_ .äß'+-]{1,20}`).Draw(t, "folder")
		if strings.Trim(folder, ".") == "" {
			return
		}
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			t.Fatal(err)
		}
		c := call{dir: dir, sdk: fakeSDK}
		got := c.run(context.Background(), "init", "--json", "--", folder)
		if got.code != 0 {
			t.Fatalf("init %q: %+v", folder, got)
		}
		name := regexp.MustCompile(`"name": "(.*)"`).FindStringSubmatch(got.out)
		if name == nil || !valid.MatchString(name[1]) {
			t.Errorf("init %q: got name %q", folder, name)
		}
	})
}

func TestInitWritesAllOrNothing(t *testing.T) {
	for name, sdk := range map[string]fs.FS{
		"no SDK in this build": fstest.MapFS{},
		"half an SDK":          fstest.MapFS{"durable/durable.go": fakeSDK["durable/durable.go"]},
		"an unreadable SDK":    &unreadable{MapFS: fakeSDK},
	} {
		c := call{dir: t.TempDir(), sdk: sdk}
		got := c.run(t.Context(), "init", "app")
		if got.code != 1 || !strings.Contains(got.err, "SDK") {
			t.Errorf("%s: got %+v, want exit code 1 and an error about the SDK", name, got)
		}
		if _, err := os.Stat(filepath.Join(c.dir, "app")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was written", name)
		}
	}
}

func TestInitTakesBackWhatItWroteWhenItCannotFinish(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "app", "notes.txt"), "mine")
	// init reads the SDK twice: before it writes anything, and to write it. The second time fails.
	// One file of fakeSDK is a test, which init never reads.
	got := call{dir: dir, sdk: &unreadable{MapFS: fakeSDK, after: len(fakeSDK) - 1}}.run(t.Context(), "init", "app")
	if got.code != 1 || !strings.Contains(got.err, "write project: read SDK") {
		t.Errorf("got %+v, want an error of the second step", got)
	}
	var left []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if !entry.IsDir() {
			left = append(left, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 || left[0] != "notes.txt" {
		t.Errorf("got %q, want only what was there before", left)
	}
}

func TestInitDoesNotWriteThroughAFile(t *testing.T) {
	c := call{dir: t.TempDir(), sdk: fakeSDK}
	writeFile(t, filepath.Join(c.dir, "app", ".devtool"), "mine")
	if got := c.run(t.Context(), "init", "app"); got.code != 1 {
		t.Errorf("got %+v, want a failure", got)
	}
	if left, _ := os.ReadDir(filepath.Join(c.dir, "app")); len(left) != 1 {
		t.Errorf("got %v, want only what was there before", left)
	}
}

// unreadable is a file system whose files can be listed, but not read after a number of reads.
type unreadable struct {
	fstest.MapFS
	after int // reads that still succeed
}

func (u *unreadable) ReadFile(name string) ([]byte, error) {
	if u.after == 0 {
		return nil, fs.ErrPermission
	}
	u.after--
	return u.MapFS.ReadFile(name)
}
