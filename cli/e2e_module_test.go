package cli_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// offline returns the environment of a user with Go and nothing else: no network and no downloaded
// modules.
func offline(t *testing.T) []string {
	t.Helper()
	return append(os.Environ(), "GOPROXY=off", "GOMODCACHE="+t.TempDir(), "GOFLAGS=-mod=mod "+sharedFlags,
		"GOWORK=", "GO111MODULE=", "GONOSUMDB=", "GONOSUMCHECK=", "GONOPROXY=", "GOPRIVATE=",
		"GOSUMDB=sum.golang.org", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "NO_COLOR=1", "DEVTOOL_URL=", "CLOUDFLARE_ENV=")
}

// run runs a program in dir with env and returns its output.
func run(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// mustRun is run for programs that must succeed.
func mustRun(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, err := run(dir, env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

// makeProject makes a project from the template counter in a new folder of dir.
func makeProject(t *testing.T, dir, name string) project {
	t.Helper()
	parent := project{t, dir}
	parent.succeed(nil, "init", name, "--template", "counter")
	return project{t, filepath.Join(dir, name)}
}

// TestTheGoCommandWorksOfflineInAFreshProject runs the commands that people and editors run.
func TestTheGoCommandWorksOfflineInAFreshProject(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	p := makeProject(t, t.TempDir(), "app")
	before := p.read("go.mod")
	env := offline(t)
	for _, line := range []string{
		"mod verify", "mod tidy -diff", "mod tidy", "mod download", "mod graph", "list -m all", "list -deps ./...",
		"vet ./...", "build ./...", "get ./...", "mod vendor", "list -deps -test ./...",
	} {
		out := mustRun(t, p.dir, env, "go", strings.Fields(line)...)
		if line == "mod verify" && out != "all modules verified\n" {
			t.Errorf("go mod verify: got %q", out)
		}
	}
	if after := p.read("go.mod"); after != before {
		t.Errorf("go.mod has changed: got\n%s\nwant\n%s", after, before)
	}
	if _, err := os.Stat(p.path("go.sum")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a go.sum (%v): the project has a dependency", err)
	}

	// A workspace does not accept -mod=mod.
	env = append(env, "GOFLAGS="+sharedFlags)
	for _, line := range []string{"work init .", "work sync", "work use .", "vet ./...", "build ./...", "mod verify"} {
		mustRun(t, p.dir, env, "go", strings.Fields(line)...)
	}
}

// TestTwoProjectsInAWorkspace runs the commands that the messages suggest.
func TestTwoProjectsInAWorkspace(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	env := append(offline(t), "GOFLAGS="+sharedFlags)
	mustRun(t, dir, env, "go", "work", "init")
	folder := regexp.QuoteMeta(dir)
	const share = "go work edit -replace devtool.internal=./a/.devtool/sdk"

	// The first project only has to be added to the workspace.
	out := mustRun(t, dir, env, path, "init", "a", "--template", "counter")
	wantMatch(t, out, `\nThe go.work file in `+folder+` needs these commands, run there:\n\n  go work use ./a\n$`)
	mustRun(t, dir, env, "go", "work", "use", "./a")
	mustRun(t, dir, env, path, "exec", "a", "--", "go", "version")

	// The second one must also share the SDK.
	out = mustRun(t, dir, env, path, "init", "b", "--template", "counter")
	wantMatch(t, out, `run there:\n\n  go work use ./b\n  `+regexp.QuoteMeta(share)+`\n$`)
	mustRun(t, dir, env, "go", "work", "use", "./b")
	refusal := "devtool: " + dir + "/go.work has modules with different SDKs, ./a/.devtool/sdk and ./b/.devtool/sdk\n" +
		"  Run `" + share + "` in " + dir + " to share one\n"
	for _, args := range [][]string{{"dev", "a", "--port", "0"}, {"vet", "b"}, {"exec", "b", "--", "go", "version"}} {
		if out, err := run(dir, env, path, args...); err == nil || out != refusal {
			t.Errorf("devtool %s: got %v and\n%s\nwant an error and\n%s", args[0], err, out, refusal)
		}
	}
	mustRun(t, dir, append(env, "GOWORK=off"), path, "exec", "b", "--", "go", "version")

	mustRun(t, dir, env, "go", strings.Fields(share)[1:]...)
	mustRun(t, dir, env, "go", "vet", "./a", "./b")
	mustRun(t, dir, env, path, "vet", "b")
	if out := mustRun(t, dir, env, path, "init", "c", "--template", "counter"); strings.Contains(out, "-replace") {
		t.Errorf("init of a third project suggests to share the SDK again:\n%s", out)
	}

	// b keeps the shared SDK up to date, although it is in the folder of a.
	a := project{t, filepath.Join(dir, "a")}
	want := a.read(".devtool/sdk/durable/durable.go")
	a.write(".devtool/sdk/durable/durable.go", "package durable\n")
	out = mustRun(t, dir, env, path, "exec", "b", "--verbose", "--", "go", "version")
	wantMatch(t, out, `updated the SDK in `+folder+`/a/.devtool/sdk to the one of this devtool\n`)
	if a.read(".devtool/sdk/durable/durable.go") != want {
		t.Error("the shared SDK is not that of this devtool")
	}
}

func wantMatch(t *testing.T, got, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(got) {
		t.Errorf("got\n%s\nwant a match of %s", got, pattern)
	}
}

// oldProject makes a project like those of the first devtool, with the SDK under its old path.
func oldProject(t *testing.T) project {
	t.Helper()
	p := makeProject(t, t.TempDir(), "app")
	err := filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" && entry.Name() != "go.mod" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, bytes.ReplaceAll(content, []byte("devtool.internal"), []byte("devtool")), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProjectWithTheOldPathIsRefusedAndUpgraded(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := oldProject(t)
	env := append(offline(t), "DEVTOOL="+path)
	const refusal = "go.mod:5: the SDK's module is called devtool.internal now, not devtool"
	for _, args := range [][]string{
		{"dev", "--port", "0"}, {"exec", "--", "go", "version"}, {"vet"}, {"types"}, {"types", "--check"},
	} {
		got := p.devtool(args...)
		want := "devtool: " + refusal + "\n  Run `devtool init --upgrade` in " + p.dir +
			" to change go.mod and the imports\n"
		if got.code == 0 || got.err != want || got.out != "" {
			t.Errorf("devtool %s: got %+v, want the error %q", strings.Join(args, " "), got, want)
		}
	}
	if out, err := run(p.dir, env, "go", "test", "./..."); err == nil || !strings.Contains(out, refusal) {
		t.Errorf("go test: got %v, want an error with %q\n%s", err, refusal, out)
	}

	p.succeed(nil, "init", "--upgrade")
	mustRun(t, p.dir, env, "go", "vet", "./...")
	mustRun(t, p.dir, env, "go", "test", "./...")
	p.succeed(nil, "types")
	p.succeed(nil, "exec", "--", "go", "version")

	// An error points at a later import of the old path, which an old example may have.
	p.write("late.go", "package main\n\nimport (\n\t_ \"devtool/durable\"\n)\n")
	hint := "  The SDK's module is called devtool.internal now, but late.go:4 imports devtool/durable: " +
		"run `devtool init --upgrade` in " + p.dir + "\n"
	for _, args := range [][]string{{"exec", "--", "go", "version"}, {"vet"}} {
		if got := p.devtool(args...); got.code == 0 || !strings.HasSuffix(got.err, hint) {
			t.Errorf("devtool %s: got %+v, want the hint %q", args[0], got, hint)
		}
	}
	p.succeed(nil, "init", "--upgrade")
	p.succeed(nil, "vet")
}
