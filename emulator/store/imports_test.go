package store_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The package imports no other package of ours but the one that opens files safely, and only three
// files import the SQLite library.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	engine := []string{"sqlite.go", "statement.go", "engine.go"}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		must(t, err)
		for _, spec := range file.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if strings.HasPrefix(path, "devtool.internal/") && path != "devtool.internal/internal/safefile" {
				t.Errorf("%s imports %s: the store must import no other package of ours", name, path)
			}
			if strings.Contains(path, "sqlite") && !slices.Contains(engine, name) {
				t.Errorf("%s imports %s: only %v may", name, path, engine)
			}
		}
	}
}
