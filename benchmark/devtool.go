package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A devtool is our side of the comparison.
type devtool struct {
	binary   string
	released string            // its version
	projects map[string]string // the folder of each program
}

var _ side = (*devtool)(nil)

// newDevtool builds the binary as it is released, and a project for each program, below work.
func newDevtool(ctx context.Context, work string) (*devtool, error) {
	mod, err := output(exec.CommandContext(ctx, "go", "env", "GOMOD"))
	if err != nil {
		return nil, fmt.Errorf("find the source of devtool: %w", err)
	}
	root := filepath.Dir(mod)
	if _, err := os.Stat(filepath.Join(root, "benchmark", "peer")); err != nil {
		return nil, fmt.Errorf("find the source of devtool: run this inside it, as `make bench` does: %w", err)
	}
	d := &devtool{binary: filepath.Join(work, "devtool"), projects: map[string]string{}}
	build := exec.CommandContext(ctx, "go", "build", "-o", d.binary, ".")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := output(build); err != nil {
		return nil, fmt.Errorf("build devtool: %w", err)
	}
	if d.released, err = output(exec.CommandContext(ctx, d.binary, "--version")); err != nil {
		return nil, fmt.Errorf("ask devtool for its version: %w", err)
	}
	d.released = "devtool " + strings.TrimPrefix(d.released, "devtool ")

	if _, err := d.project(ctx, work, batcher, "batcher"); err != nil {
		return nil, err
	}
	// The program comes from testdata, in a project as a user creates it.
	dir, err := d.project(ctx, work, bench, "counter")
	if err != nil {
		return nil, err
	}
	for _, file := range []string{"main.go", "wrangler.jsonc"} {
		b, err := os.ReadFile(filepath.Join(root, "testdata", "handlers", "bench", file))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), b, 0o600)
		}
		if err != nil {
			return nil, fmt.Errorf("make project %s: %w", bench, err)
		}
	}
	return d, nil
}

func (d *devtool) project(ctx context.Context, work, program, template string) (string, error) {
	dir := filepath.Join(work, "projects", program)
	if _, err := output(exec.CommandContext(ctx, d.binary, "init", dir, "--template", template)); err != nil {
		return "", fmt.Errorf("make project %s: %w", program, err)
	}
	d.projects[program] = dir
	return dir, nil
}

func (d *devtool) name() string { return "devtool" }

func (d *devtool) source(program string) string { return filepath.Join(d.projects[program], "main.go") }

func (d *devtool) version() string { return d.released }

func (d *devtool) command(ctx context.Context, program, state string, ready *os.File) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.binary, "dev", d.projects[program],
		"--port", "0", "--persist-to", state, "--log-level", "none", "--json")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "CLOUDFLARE_ENV=")
	cmd.Stdout = ready
	return cmd
}

func (d *devtool) address(line []byte) (string, error) {
	var status struct{ URL string }
	if err := json.Unmarshal(line, &status); err != nil {
		return "", fmt.Errorf("read its status: %w", err)
	}
	u, err := url.Parse(status.URL)
	if err == nil && u.Host == "" {
		err = errors.New("it has no address")
	}
	if err != nil {
		return "", fmt.Errorf("read its status %s: %w", line, err)
	}
	return u.Host, nil
}

// output runs cmd and returns its output. The error holds what cmd writes to standard error.
func output(cmd *exec.Cmd) (string, error) {
	b, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(b)), err
}
