package vet

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// MayFind reports whether Check of all packages below dir may find something. It reads the source
// alone, so it takes a small part of Check's time. If it returns false, Check finds nothing: no
// file names a function that uses the machine's clock.
func MayFind(dir string) bool {
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	found := false
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if path != dir && ignored(entry.Name()) {
				return filepath.SkipDir
			}
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && namesClock(path):
			found = true
			return filepath.SkipAll
		}
		return nil
	})
	return found || err != nil
}

// ignored reports whether the pattern ./... of the go command leaves out folders of this name.
func ignored(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// namesClock reports whether a file names a function that uses the machine's clock, or can't be
// read. It opens no pipe or device, which may have no end.
func namesClock(name string) bool {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return true
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		return true
	}
	packages := make(map[string]string) // from the name in this file to the path
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !usesClock[imported] {
			continue
		}
		local := path.Base(imported)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == "." { // its functions look like those of the package
			return true
		}
		packages[local] = imported
	}
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok {
				_, uses := instead[packages[x.Name]+"."+selector.Sel.Name]
				found = found || uses
			}
		}
		return !found && len(packages) > 0
	})
	return found
}

// usesClock has the packages of the functions in instead.
var usesClock = func() map[string]bool {
	all := make(map[string]bool)
	for name := range instead {
		all[name[:strings.LastIndexByte(name, '.')]] = true
	}
	return all
}()
