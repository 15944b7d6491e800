package cli_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Many tests serve the same few programs, each in a folder of its own. go does not link a program
// again if the output of `go build` is that program already. So these tests share what the first of
// them has built, by the content of the sources. go decides whether it is the right program, and
// builds it otherwise. So a wrong one costs time only.

// builtProgram is where devtool dev builds the program of a project, and devtool exec looks for it.
var builtProgram = filepath.Join(".devtool", "build", "handler")

// sharedProgram returns where the tests share the program with the sources in dir.
func sharedProgram(dir string) (string, error) {
	sources := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case !entry.Type().IsRegular() || filepath.Ext(path) != ".go" && entry.Name() != "go.mod":
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		fmt.Fprintf(sources, "%q %d\n%s", rel, len(content), content)
		return err
	})
	return filepath.Join(binaryFolder, fmt.Sprintf("handler-%x", sources.Sum(nil)[:16])), err
}

// takeProgram gives a project that was never built the program that another test has left, if there
// is one. Both have the same file: go and devtool replace a program and never write into one.
func takeProgram(dir string) {
	if _, err := os.Lstat(filepath.Join(dir, filepath.Dir(builtProgram))); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	shared, err := sharedProgram(dir)
	if err != nil {
		return // the test is about such a folder
	}
	if _, err := os.Stat(shared); err != nil {
		return
	}
	target := filepath.Join(dir, builtProgram)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err == nil {
		os.Link(shared, target) //nolint:errcheck // then devtool builds it
	}
}

// leaveProgram leaves the program that devtool dev has built in dir to the tests that follow.
func leaveProgram(dir string) {
	if shared, err := sharedProgram(dir); err == nil {
		os.Link(filepath.Join(dir, builtProgram), shared) //nolint:errcheck // another test may have been faster
	}
}
