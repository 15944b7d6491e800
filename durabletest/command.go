package durabletest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// envCommand is the environment variable that names the devtool command.
const envCommand = "DEVTOOL"

// command returns the path of the devtool command.
var command = sync.OnceValues(func() (string, error) {
	if name := os.Getenv(envCommand); name != "" {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return "", fmt.Errorf("find the devtool command that %s names: %w", envCommand, err)
		}
		return path, nil
	}
	if path, err := exec.LookPath("devtool"); err == nil {
		return filepath.Abs(path)
	}
	path, err := build()
	if errors.Is(err, errNoSource) {
		return "", fmt.Errorf("found no devtool command to run the emulator: put devtool on PATH, or name it in "+
			"the variable %s", envCommand)
	}
	return path, err
})

// errNoSource is the error of build if the test's module does not depend on the command's source.
var errNoSource = errors.New("no source of devtool")

// build builds devtool from its source and returns the path. It keeps the binary for the next test
// that needs the same source.
func build() (string, error) {
	// A project's copy of the SDK has the packages for handlers and tests, but not the command.
	if name, err := run("go", "list", "-f", "{{.Name}}", "devtool.internal"); err != nil || name != "main" {
		return "", errNoSource
	}
	// The build ids of all packages of the command identify its source.
	parts, err := run("go", "list", "-deps", "-export", "-f", "{{.ImportPath}} {{.BuildID}}", "devtool.internal")
	if err != nil {
		return "", fmt.Errorf("build devtool: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	folder := filepath.Join(cache, "devtool", "durabletest")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("build devtool: %w", err)
	}
	name := fmt.Sprintf("devtool-%x", sha256.Sum256([]byte(runtime.Version()+parts)))[:32]
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	path := filepath.Join(folder, name)
	now := time.Now()
	if err := os.Chtimes(path, now, now); err == nil { // it exists, and is now marked as used
		return path, nil
	}
	removeUnused(folder, now)
	building, err := os.MkdirTemp(folder, "building-")
	if err != nil {
		return "", fmt.Errorf("build devtool: %w", err)
	}
	defer os.RemoveAll(building)
	made := filepath.Join(building, name)
	if _, err := run("go", "build", "-o", made, "devtool.internal"); err != nil {
		return "", fmt.Errorf("build devtool: %w", err)
	}
	if err := os.Rename(made, path); err != nil { // in one step, because other tests may look for it
		return "", fmt.Errorf("build devtool: %w", err)
	}
	return path, nil
}

// keptFor is how long an unused devtool is kept.
const keptFor = 24 * time.Hour

// removeUnused removes binaries that no test has used for keptFor.
func removeUnused(folder string, now time.Time) {
	built, _ := filepath.Glob(filepath.Join(folder, "devtool-*"))
	for _, path := range built {
		if info, err := os.Stat(path); err == nil && now.Sub(info.ModTime()) > keptFor {
			os.Remove(path) //nolint:errcheck // another test may have been faster
		}
	}
}

// run runs a command and returns what it prints. It builds without cgo, as releases are built,
// whatever the test is built with.
func run(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
