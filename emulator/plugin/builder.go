package plugin

import (
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
)

// Builder compiles the handler program. Only one Build of an Output may run at
// a time.
type Builder struct {
	Dir     string   // folder in which go runs: the config's
	Package string   // folder of package main as go takes it: "." or "./cmd/x"
	Output  string   // file to write; its folder is created when missing
	Debug   bool     // keep the symbols that a debugger needs
	Env     []string // added to this process's environment

	// interval replaces progressInterval in tests.
	interval time.Duration
}

// Result is what a successful build has done.
type Result struct {
	// Changed reports whether the program differs from what Output held before.
	// It does not after an edit that changes no code, such as of a comment below
	// the last function: then there is nothing to reload.
	Changed bool

	// Took is the real time that the build needed.
	Took time.Duration

	// Hash identifies the program by its content.
	Hash string
}

// Build runs `go build`. It calls progress, which may be nil, from another
// goroutine about every two seconds, and never after it has returned.
//
// A program that does not compile, and everything else that the user can put
// right, is a [*BuildError]. When ctx ends, go and the compilers it has started
// are killed at once and the error wraps the cause; Output then holds the former
// program or none.
//
// CGO_ENABLED is left as the user has it, and so is the rest of go's
// environment, with two exceptions. VCS stamping is off: it would make a new
// program of every commit, and it stops the build in a broken checkout. Go's
// working folder is put beside Output: so the linked program reaches its place
// by a rename, and nothing is left behind in the system's temporary folder
// when go is killed.
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
	if _, err := os.Stat(b.Dir); b.Dir != "" && err != nil { // or the output's folder would be made there
		return Result{}, fmt.Errorf("find folder of the program: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o777); err != nil {
		return Result{}, fmt.Errorf("create output folder: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(output), ".go-build-*")
	if err != nil {
		return Result{}, fmt.Errorf("create go's working folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()

	before, err := programHash(output)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Result{}, fmt.Errorf("read the former program: %w", err)
	}
	stat, _ := os.Stat(output)

	args := []string{"build", "-v", "-buildvcs=false", "-o", output}
	if !b.Debug {
		args = append(args, "-ldflags=-s -w")
	}
	cmd := exec.Command(goTool, append(args, "--", b.Package)...)
	cmd.Dir = b.Dir
	cmd.Env = append(append(os.Environ(), b.Env...), "GOTMPDIR="+work)
	messages, err := b.run(ctx, cmd, began, progress)
	if err != nil && ctx.Err() != nil {
		discardPartial(output, stat)
		return Result{}, fmt.Errorf("build %s: %w", b.Package, context.Cause(ctx))
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
	if err != nil {
		return Result{}, fmt.Errorf("read the built program: %w", err)
	}
	return Result{Changed: after != before, Took: time.Since(began), Hash: after}, nil
}

// run runs cmd until it ends or ctx does and returns its messages.
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

	ended := make(chan struct{})
	var reporting sync.WaitGroup
	if progress != nil {
		reporting.Go(func() { b.report(ended, &out, began, progress) })
	}
	err = g.wait()
	close(ended)
	reporting.Wait()
	return out.text(), err
}

// report calls progress until ended is closed.
func (b *Builder) report(ended <-chan struct{}, out *buildOutput, began time.Time, progress func(Progress)) {
	interval := b.interval
	if interval == 0 {
		interval = progressInterval
	}
	ticker := time.NewTicker(interval)
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

// failure returns the error of a build that failed as a whole.
func (b *Builder) failure(message string, notes ...string) *BuildError {
	return &BuildError{
		Diagnostics: []Diagnostic{{Message: message, Notes: notes}},
		Output:      message + "\n",
		Package:     b.Package,
	}
}

// notMain returns the error for a package that is not a program. Go compiles
// one without complaint and writes an archive to Output.
func (b *Builder) notMain(ctx context.Context, goTool string) error {
	cmd := exec.CommandContext(ctx, goTool, "list", "-f", "{{.Name}}", "--", b.Package)
	cmd.Dir = b.Dir
	cmd.Env = append(os.Environ(), b.Env...)
	name, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("name package %s: %w", b.Package, err)
	}
	return b.failure(
		fmt.Sprintf("%s is package %s, want main", b.Package, strings.TrimSpace(string(name))),
		"point the config's \"main\" at the folder of a program: package main with a func main")
}

// discardPartial removes output if a build that was killed has touched it:
// where go copies instead of renaming, half a program may be there, and go
// would take it for a finished one, as the id it looks at is at the beginning.
func discardPartial(output string, before fs.FileInfo) {
	after, err := os.Stat(output)
	if err != nil {
		return
	}
	if before == nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		_ = os.Remove(output)
	}
}
