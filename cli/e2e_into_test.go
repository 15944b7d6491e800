package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// intoModule is a project in dir, with links resolved as the go command resolves them.
func intoModule(t *testing.T) (p project, env []string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return project{t, dir}, append(offline(t), "GOFLAGS="+sharedFlags)
}

// served runs the project's worker in an emulator and returns what it answers.
func (p project) served(path string) string {
	p.t.Helper()
	got := p.devtool("exec", "--", "sh", "-c", "curl -fsS \"$DEVTOOL_URL"+path+"\"")
	if got.code != 0 {
		p.t.Fatalf("devtool exec: got exit code %d\n%s", got.code, got.err)
	}
	return got.out
}

func (p project) wantCounter() {
	p.t.Helper()
	if got, want := p.served("/"), "{\"count\":1}\n"; got != want {
		p.t.Errorf("got %q, want %q", got, want)
	}
}

func TestANewModuleWithDevtoolBuildsAsItIs(t *testing.T) {
	t.Parallel()
	p, env := intoModule(t)
	mustRun(t, p.dir, env, "go", "mod", "init", "example.com/fresh")
	p.succeed(nil, "init", "--into")
	for _, line := range []string{"vet ./...", "build ./...", "mod verify", "list -deps ./..."} {
		mustRun(t, p.dir, env, "go", strings.Fields(line)...)
	}
	if out := mustRun(t, p.dir, env, "go", "mod", "tidy", "-diff"); out != "" {
		t.Errorf("go mod tidy would change\n%s", out)
	}
	p.wantCounter()
}

// TestDevtoolIsAddedToAnOldVendoredModule follows the advice that init prints.
func TestDevtoolIsAddedToAnOldVendoredModule(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	p, env := intoModule(t)
	p.write("go.mod", "module example.com/shop\n\ngo 1.20\n\nrequire example.com/dep v0.0.0\n\n"+
		"replace example.com/dep => ./dep\n")
	p.write("main.go", "package main\n\nimport _ \"example.com/dep\"\n\nfunc main() {}\n")
	p.write("dep/go.mod", "module example.com/dep\n\ngo 1.20\n")
	p.write("dep/dep.go", "package dep\n")
	mustRun(t, p.dir, env, "go", "mod", "vendor")

	got := p.devtool("init", "--into")
	if got.code != 0 || !strings.Contains(got.out, "lacks the SDK: run `go mod vendor`.") {
		t.Fatalf("got %+v, want the advice to vendor the SDK", got)
	}
	if out, err := run(p.dir, env, "go", "build", "./..."); err == nil || !strings.Contains(out, "vendor") {
		t.Errorf("go build without the advice: got %v, %q", err, out)
	}
	mustRun(t, p.dir, env, "go", "mod", "vendor")
	mustRun(t, p.dir, env, "go", "build", "./...")
	if out := mustRun(t, p.dir, env, "go", "mod", "tidy", "-diff"); out != "" {
		t.Errorf("go mod tidy would change\n%s", out)
	}
	p.wantCounter()
}

// TestDevtoolIsAddedToAModuleOfAWorkspace runs the commands that init prints.
func TestDevtoolIsAddedToAModuleOfAWorkspace(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	p, env := intoModule(t)
	p.write("go.work", "go 1.21\n\nuse ./lib\n\nuse ./shop\n")
	p.write("lib/go.mod", "module example.com/lib\n\ngo 1.21\n")
	p.write("lib/lib.go", "package lib\n")
	p.write("shop/go.mod", "module example.com/shop\n\ngo 1.21\n")
	p.write("shop/main.go", "package main\n\nimport _ \"example.com/lib\"\n\nfunc main() {}\n")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, p.dir, env, path, "init", "--into", "shop")
	want := "\nThe go.work file in " + p.dir + " needs these commands, run there:\n\n  go work use\n\n"
	if !strings.Contains(out, want) {
		t.Fatalf("got\n%s\nwant it to contain %q", out, want)
	}
	mustRun(t, p.dir, env, "go", "work", "use")
	mustRun(t, p.dir, env, "go", "build", "./shop/...", "./lib/...")
	out = mustRun(t, p.dir, env, path, "init", "--into", "shop")
	if !strings.HasSuffix(out, "has devtool: nothing is left to add\n") {
		t.Errorf("a second run: got %q", out)
	}

	// A second module of the workspace has to share the SDK.
	out = mustRun(t, p.dir, env, path, "init", "--into", "lib")
	share := regexp.MustCompile(`(?m)^ {2}(go work edit -replace \S+)$`).FindStringSubmatch(out)
	if share == nil {
		t.Fatalf("got\n%s\nwant the command that shares the SDK", out)
	}
	mustRun(t, p.dir, env, "sh", "-c", share[1])
	mustRun(t, p.dir, env, "go", "vet", "./shop/...", "./lib/...")
}

func TestCommandsSayHowAModuleGetsTheSDK(t *testing.T) {
	t.Parallel()
	p, _ := intoModule(t)
	c := makeProject(t, t.TempDir(), "app")
	p.write("main.go", c.read("main.go"))
	p.write("wrangler.jsonc", c.read("wrangler.jsonc"))

	hint := "  Run `go mod init NAME` and then `devtool init --into` in " + p.dir + "\n"
	if got := p.devtool("exec", "--", "go", "version"); got.code == 0 || !strings.HasSuffix(got.err, hint) {
		t.Errorf("without a go.mod: got %+v, want the hint %q", got, hint)
	}

	p.write("go.mod", "module app\n\ngo 1.26\n")
	hint = "devtool: go.mod lacks the SDK's module, devtool.internal, " +
		"but main.go:13 imports devtool.internal/durable\n" +
		"  Run `devtool init --into` in " + p.dir + " to add it\n"
	for _, args := range [][]string{{"dev", "--port", "0"}, {"exec", "--", "go", "version"}, {"vet"}} {
		if got := p.devtool(args...); got.code == 0 || !strings.HasSuffix(got.err, hint) {
			t.Errorf("devtool %s: got %+v, want it to end with %q", args[0], got, hint)
		}
	}

	p.write("go.mod", "module app\n\ngo 1.26\n\nrequire devtool.internal v0.0.0\n")
	hint = "  Run `devtool init --into` in " + p.dir + " to add the SDK's module, devtool.internal\n"
	if got := p.devtool("exec", "--", "go", "version"); got.code == 0 || !strings.HasSuffix(got.err, hint) {
		t.Errorf("without the replace line: got %+v, want the hint %q", got, hint)
	}
	p.succeed(nil, "init", "--into")
	p.wantCounter()
}

func TestInitSaysThatGitIgnoresTheSDK(t *testing.T) {
	t.Parallel()
	p, env := intoModule(t)
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: it is in the package git")
	}
	mustRun(t, p.dir, env, "git", "init", "-q")
	p.write("go.mod", "module app\n\ngo 1.26\n")
	p.write(".gitignore", ".devtool/\n")
	const want = "git ignores .devtool/sdk, by .gitignore:1:.devtool/. " +
		"A fresh clone builds only with it: change that rule."
	if got := p.devtool("init", "--into"); !strings.Contains(got.out, "\n"+want+"\n") {
		t.Errorf("got\n%s\nwant it to contain %q", got.out, want)
	}
	p.write(".gitignore", "")
	if got := p.devtool("init", "--into"); strings.Contains(got.out, "git ignores") {
		t.Errorf("with devtool's own lines: got\n%s", got.out)
	}
}

func TestInitAsksWhetherToAddDevtool(t *testing.T) {
	for answer, yes := range map[string]bool{
		"\n": true, "y\n": true, "Yes\n": true, "n\n": false, "no\n": false, "what\n": false, "": false, "y": false,
	} {
		c := call{dir: t.TempDir(), sdk: fakeSDK, terminal: true, in: answer}
		writeFile(t, filepath.Join(c.dir, "go.mod"), "module app\n\ngo 1.26\n")
		got := c.run(t.Context(), "init")
		question := c.dir + " has the Go module app. Add devtool to it? [Y/n] "
		if !strings.HasPrefix(got.err, question) {
			t.Errorf("%q: got %q, want the question %q", answer, got.err, question)
		}
		_, err := os.Stat(filepath.Join(c.dir, "main.go"))
		if wrote := err == nil; wrote != yes || (got.code == 0) != yes {
			t.Errorf("%q: got exit code %d, added %t, want %t", answer, got.code, wrote, yes)
		}
	}
}

func TestInitIntoTakesBackWhatItWroteWhenItCannotFinish(t *testing.T) {
	dir := t.TempDir()
	const goMod = "module app\n\ngo 1.25\n"
	writeFile(t, filepath.Join(dir, "go.mod"), goMod)
	writeFile(t, filepath.Join(dir, ".gitignore"), "/bin/\n")
	writeFile(t, filepath.Join(dir, "lib.go"), "package app\n")
	// As for a new project, the SDK can be read only once.
	sdk := &unreadable{MapFS: fakeSDK, after: len(fakeSDK) - 1}
	got := call{dir: dir, sdk: sdk}.run(t.Context(), "init", "--into")
	if got.code != 1 || !strings.Contains(got.err, "add devtool to app: read SDK") {
		t.Errorf("got %+v, want an error of the second step", got)
	}
	left := map[string]string{}
	for _, name := range allFiles(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		left[name] = string(content)
	}
	if len(left) != 3 || left["go.mod"] != goMod || left[".gitignore"] != "/bin/\n" {
		t.Errorf("got %q, want what was there before", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "worker")); err == nil {
		t.Error("an empty folder was left")
	}
}

// allFiles returns the files below dir, relative to it.
func allFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			var name string
			name, err = filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestLineEndingsOfGoModStay uses the line endings of Windows.
func TestLineEndingsOfGoModStay(t *testing.T) {
	c := call{dir: t.TempDir(), sdk: fakeSDK}
	path := filepath.Join(c.dir, "go.mod")
	writeFile(t, path, "module app // mine\r\n\r\ngo 1.26\r\n")
	if got := c.run(t.Context(), "init", "--into"); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = "module app // mine\r\n\r\ngo 1.26\r\n\r\nrequire devtool.internal v0.0.0\r\n\r\n" +
		"replace devtool.internal => ./.devtool/sdk\r\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
