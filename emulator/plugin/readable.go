package plugin

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devtool.internal/internal/safefile"
)

// The go command reads whatever has the name of a source file or of go.mod. It waits for the writer
// of a pipe for ever, and reads a device until the memory is full. So such files are found and
// named.

// Check returns a *BuildError if the go command could not read what it reads first: the files of
// modules and workspaces, and those of the program's own package.
func (b *Builder) Check() error {
	in := b.AssumedInputs(nil)
	files := slices.Sorted(maps.Keys(in.files))
	links := slices.DeleteFunc(slices.Clone(files), func(path string) bool { return !isLink(path) })
	for _, path := range append(links, files...) { // the name of a link says more than its target
		if err := checkFile(path); err != nil {
			return b.unreadable(err)
		}
	}
	for folder := range in.packages {
		if err := CheckPackage(folder); err != nil {
			return b.unreadable(err)
		}
	}
	return nil
}

// CheckModule is Check for all packages of the module.
func (b *Builder) CheckModule(ctx context.Context) error {
	if err := b.Check(); err != nil {
		return err
	}
	return b.search(ctx)
}

// search returns the error of Check for the source files of all packages in the program's module.
// It lists all folders, so a build does it only if it takes long.
func (b *Builder) search(ctx context.Context) error {
	root := nearest(b.dir(), "go.mod")
	if root == "" {
		return nil
	}
	s := scope{roots: []string{root}}
	var found error
	err := s.walk(root, func(folder string) error {
		if found == nil {
			found = CheckPackage(folder)
		}
		return errors.Join(found, ctx.Err())
	}, func(string, fs.DirEntry) {})
	if err == nil || found == nil {
		return nil
	}
	return b.unreadable(found)
}

func (b *Builder) unreadable(err error) error {
	return b.failure(err.Error(), "replace it by a file that the go command can read")
}

// CheckPackage returns an error that names a file of the package in folder that the go command
// could not read to an end. It returns nil for a folder that can't be read.
func CheckPackage(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil //nolint:nilerr // the go command says why
	}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			continue
		}
		if filepath.Ext(name) != ".go" && !isSource(name) {
			continue
		}
		if err := checkFile(filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// checkFile is safefile.CheckSource for a file that need not exist. The go command itself refuses a
// folder in the place of a file.
func checkFile(path string) error {
	err := safefile.CheckSource(path)
	bad := (*safefile.Irregular)(nil)
	if errors.As(err, &bad) && bad.Is == safefile.Kind(fs.ModeDir) || exceptGone(err) == nil {
		return nil
	}
	return err
}
