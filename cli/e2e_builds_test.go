package cli_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Many tests serve the same few programs, each in a folder of its own. go does not link a program
// again if the output of `go build` is that program already. So these tests share what the first of
// them has built, by the content of the sources. go decides whether it is the right program, and
// builds it otherwise. So a wrong one costs time only.
//
// They also share the files of the SDK: to create and to remove them for each project would take
// about as long as a build that has nothing to do.

// projectSDK is where devtool writes the SDK for a project.
var projectSDK = filepath.Join(".devtool", "sdk")

// sharedSDK returns where the tests share the files of the SDK.
func sharedSDK() string { return filepath.Join(binaryFolder, "sdk") }

var leaveSDK sync.Once // by the first project that is ready

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

// takeProgram gives a project that was never built the SDK and the program that other tests have
// left, if there are any. The projects then have the same files: go and devtool replace files of
// these and never write into one.
func takeProgram(dir string) {
	if _, err := os.Lstat(filepath.Join(dir, ".devtool")); errors.Is(err, fs.ErrNotExist) {
		linkFolder(sharedSDK(), filepath.Join(dir, projectSDK)) //nolint:errcheck // then devtool writes it
	}
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

// leaveProgram leaves the program that devtool dev has built in dir, and the SDK that it was built
// with, to the tests that follow.
func leaveProgram(dir string) {
	leaveSDK.Do(func() {
		scratch := filepath.Join(binaryFolder, "sdk.tmp")
		if linkFolder(filepath.Join(dir, projectSDK), scratch) == nil {
			os.Rename(scratch, sharedSDK()) //nolint:errcheck // then devtool writes it
		}
	})
	if shared, err := sharedProgram(dir); err == nil {
		os.Link(filepath.Join(dir, builtProgram), shared) //nolint:errcheck // another test may have been faster
	}
}

// linkFolder makes a folder with the same files as another one.
func linkFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return os.Link(path, filepath.Join(to, rel))
	})
}
