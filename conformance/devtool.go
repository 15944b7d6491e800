package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// startDevtool builds devtool from the module that the working directory is in, and starts it with the handler program
// of the same module, fresh state and a clock that runs.
func startDevtool(ctx context.Context, dir string) (*server, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "devtool.exe")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build devtool: %w\n%s", err, output)
	}
	project := filepath.Join(root, "testdata", "handlers", "conformance")
	command := exec.CommandContext(ctx, binary, "dev", project, "--port", "0", "--persist-to", filepath.Join(dir, "state"),
		"--log-level", "error", "--json")
	var told struct{ URL string }
	s, err := serve(ctx, command, func(f *os.File) { command.Stdout = f }, &told)
	if err != nil {
		return nil, err
	}
	s.url = told.URL
	return s, nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w: run this in the project", err)
	}
	return strings.TrimSpace(string(out)), nil
}
