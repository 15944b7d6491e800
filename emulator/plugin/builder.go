package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"devtool.internal/internal/leftover"
	"devtool.internal/internal/safefile"
)

// Builder compiles the handler program. Only one Build of an Output may run at a time.
type Builder struct {
	Dir     string   // folder in which go runs: the one of the configuration
	Package string   // package main, as an argument to go: "." or "./cmd/x"
	Output  string   // file to write, for this user alone; its folder is created when missing
	Debug   bool     // keep the symbols that a debugger needs
	Env     []string // added to this process's environment

	// interval replaces progressInterval in tests.
	interval time.Duration
}

// Result describes a successful build.
type Result struct {
	// Changed reports whether the program differs from the one that Output held before. An edit
	// that changes no code, such as a comment below the last function, leaves it false: there is
	// nothing to reload.
	Changed bool

	// Took is how long the build ran, in real time.
	Took time.Duration

	// Hash identifies the program by its content.
	Hash string
}

// Build runs `go build`. It calls progress, which may be nil, from another goroutine about every
// two seconds, and never after it has returned.
//
// A program that does not compile, or any other failure that the user can fix, is a [*BuildError].
// When ctx ends, Build kills go and the compilers it started, and returns an error that wraps the
// cause. Output then holds the previous program or none.
//
// The environment of go and its GOFLAGS stay as the user has them, CGO_ENABLED included, with these
// exceptions. The program is for the system that this process runs on, whatever GOOS and GOARCH
// say. The linker's flags of GOFLAGS are used beside those that Build needs; an output file there
// is not. VCS stamping is off: it would change the program with every commit, and it fails the
// build in a broken checkout. Go's working folder is a temporary one beside Output. So a rename is
// enough to put the linked program in place, and a killed go leaves nothing behind in the system's
// temporary folder.
func (b *Builder) Build(ctx context.Context, progress func(Progress)) (Result, error) {
	began := time.Now()
	output, err := filepath.Abs(b.Output)
	if err != nil {
		return Result{}, fmt.Errorf("find output file %s: %w", b.Output, err)
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		failure := b.failure("go was not found on PATH: install Go 1.26 or later from https://go.dev/dl/ " +
			"and check that `go version` works in this terminal")
		failure.NoGo = true
		return Result{}, failure
	}
	if _, err := os.Stat(b.Dir); b.Dir != "" && err != nil { // else MkdirAll below might create it
		return Result{}, fmt.Errorf("find folder of the program: %w", err)
	}
	if err := b.Check(); err != nil {
		return Result{}, err
	}
	if err := makeRoom(output); err != nil {
		return Result{}, fmt.Errorf("create output folder: %w", err)
	}
	work, err := leftover.Make(filepath.Dir(output), ".go-build-")
	if err != nil {
		return Result{}, fmt.Errorf("create go's working folder: %w", err)
	}
	defer func() { _ = work.Remove() }()

	before, err := programHash(output)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Result{}, fmt.Errorf("read the previous program: %w", err)
	}
	stat, _ := os.Stat(output)

	cmd := exec.Command(goTool, "build")
	cmd.Dir = b.Dir
	cmd.Env = b.environ("GOTMPDIR=" + work.Path)
	cmd.Args = append(append(cmd.Args, b.buildFlags(output, goFlags(cmd.Env))...), "--", b.Package)
	messages, err := b.run(ctx, cmd, began, progress)
	if err != nil && ctx.Err() != nil {
		discardPartial(output, stat)
		return Result{}, fmt.Errorf("build %s: %w", b.Package, context.Cause(ctx))
	}
	if unreadable := (*BuildError)(nil); errors.As(err, &unreadable) {
		return Result{}, err
	}
	if err != nil && messages == "" {
		return Result{}, fmt.Errorf("run go build: %w", err)
	}
	if err != nil {
		return Result{}, newBuildError(b, messages)
	}

	after, err := programHash(output)
	if errors.Is(err, errArchive) {
		_ = os.Remove(output)
		return Result{}, b.notMain(ctx, goTool)
	}
	if err == nil { // go makes it executable for everybody, as far as the umask lets it
		err = os.Chmod(output, 0o700)
	}
	if err != nil {
		return Result{}, fmt.Errorf("read the built program: %w", err)
	}
	return Result{Changed: after != before, Took: time.Since(began), Hash: after}, nil
}

// makeRoom makes the folder of output for this user alone. It removes what stands in the place of
// output and is neither a program nor a folder: go would write through a link or wait for a pipe.
func makeRoom(output string) error {
	folder := filepath.Dir(output)
	if err := safefile.InDotFolder(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	_, err := safefile.Regular(output)
	if bad := (*safefile.Irregular)(nil); errors.As(err, &bad) {
		return os.Remove(output)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// run runs cmd until it or ctx ends, and returns its messages. If cmd takes long, and there is a
// file that it can't read, run kills it, and the error is a *BuildError.
func (b *Builder) run(ctx context.Context, cmd *exec.Cmd, began time.Time, progress func(Progress)) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	var out buildOutput
	cmd.Stdout, cmd.Stderr = &out, &out
	g, err := startGroup(cmd)
	if err != nil {
		return "", err
	}
	stopKill := context.AfterFunc(ctx, g.kill)
	defer stopKill()

	searched, stopSearch := context.WithCancel(ctx)
	var unreadable error
	var reporting sync.WaitGroup
	reporting.Go(func() {
		select {
		case <-searched.Done():
		case <-time.After(b.progressInterval()):
			if unreadable = b.search(searched); unreadable != nil {
				g.kill()
			}
		}
	})
	if progress != nil {
		reporting.Go(func() { b.report(searched.Done(), &out, began, progress) })
	}
	err = g.wait()
	stopSearch()
	reporting.Wait()
	if err != nil && unreadable != nil {
		err = unreadable
	}
	return out.text(), err
}

// report calls progress until ended is closed.
func (b *Builder) report(ended <-chan struct{}, out *buildOutput, began time.Time, progress func(Progress)) {
	ticker := time.NewTicker(b.progressInterval())
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			p := out.progress()
			p.Elapsed = time.Since(began)
			progress(p)
		}
	}
}

func (b *Builder) progressInterval() time.Duration { return cmp.Or(b.interval, progressInterval) }

// failure returns the error of a build that failed as a whole, without a place in a file.
func (b *Builder) failure(message string, notes ...string) *BuildError {
	return &BuildError{
		Diagnostics: []Diagnostic{{Message: message, Notes: notes}},
		Output:      message + "\n",
		Package:     b.Package,
	}
}

// notMain returns the error for a package that is not a program. Go compiles one without complaint
// and writes an archive to Output.
func (b *Builder) notMain(ctx context.Context, goTool string) error {
	cmd := exec.CommandContext(ctx, goTool, "list", "-f", "{{.Name}}", "--", b.Package)
	cmd.Dir, cmd.Env = b.Dir, b.environ()
	name, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("name package %s: %w", b.Package, err)
	}
	return b.failure(
		fmt.Sprintf("%s is package %s, want main", b.Package, strings.TrimSpace(string(name))),
		"point the config's \"main\" at the folder of a program: package main with a func main")
}

// discardPartial removes output if the killed build changed it. Where go copies instead of
// renaming, half a program may be there. Go would take it for a finished one, because it reads only
// the id at the beginning.
func discardPartial(output string, before fs.FileInfo) {
	after, err := os.Stat(output)
	if err != nil {
		return
	}
	if before == nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		_ = os.Remove(output)
	}
}
