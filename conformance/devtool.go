package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// fastRate is how many times real time the fast clock runs.
const fastRate = "1000"

// startDevtool starts the devtool that buildDevtool has built, with the module's handler program
// and fresh state below dir.
func startDevtool(ctx context.Context, binary, root, dir string, p pace) (*server, error) {
	project := filepath.Join(root, "testdata", "handlers", "conformance")
	arguments := []string{"dev", project, "--port", "0", "--persist-to", filepath.Join(dir, "state"),
		"--log-level", "error", "--json"}
	if p == frozen {
		arguments = append(arguments, "--frozen")
	}
	command := exec.CommandContext(ctx, binary, arguments...)
	var address struct{ URL string }
	s, err := serve(ctx, command, func(f *os.File) { command.Stdout = f }, &address)
	if err != nil {
		return nil, err
	}
	s.url = address.URL
	if p == fast {
		speed := exec.CommandContext(ctx, binary, "time", "speed", fastRate, "--url", s.url)
		if output, err := speed.CombinedOutput(); err != nil {
			interrupt(command.Process) //nolint:errcheck // it has probably ended
			s.stop()
			return nil, fmt.Errorf("set the clock's rate: %w\n%s", err, output)
		}
	}
	return s, nil
}

// buildDevtool builds devtool in dir, and returns its path and that of the module.
func buildDevtool(ctx context.Context, dir string) (binary, root string, err error) {
	root, err = moduleRoot()
	if err != nil {
		return "", "", err
	}
	binary = filepath.Join(dir, "devtool.exe")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("build devtool: %w\n%s", err, output)
	}
	return binary, root, nil
}

// moduleRoot returns the folder of the module that the working directory is in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("find the module: no go.mod here or above; run this in the project")
		}
		dir = filepath.Dir(dir)
	}
}
