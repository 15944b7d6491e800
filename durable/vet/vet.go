// Package vet finds mistakes in handler programs that the compiler accepts: so far, uses of the
// machine's clock (handlertime.go). `devtool vet` shows them, and `devtool dev` hints at them after
// a build.
//
// HandlerTime is an ordinary analyzer for golang.org/x/tools/go/analysis, which other drivers can
// run, too. Check is the driver of devtool. It loads the program's own packages from source. For
// the packages that they import it reads the compiler's export data, which go's cache has after a
// build.
//
// The package is not part of the SDK's copy in projects. It knows the SDK by its names and does not
// import it.
package vet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// A Finding is a place in handler code that should be changed.
type Finding struct {
	File     string `json:"file"` // relative to the folder that was checked, if below it
	Line     int    `json:"line"`
	Column   int    `json:"column"` // in bytes, from 1
	Analyzer string `json:"analyzer"`
	Use      string `json:"use"` // what is used, such as time.Now
	Message  string `json:"message"`
	// Fix is the text that replaces Was. Both are empty if replacing text is not enough.
	Was string `json:"was,omitempty"`
	Fix string `json:"fix,omitempty"`
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// BrokenError is the error for packages that can't be checked because they do not compile.
type BrokenError struct{ Problems []string }

func (e *BrokenError) Error() string {
	text := "the program does not compile: " + e.Problems[0]
	if more := len(e.Problems) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// Check checks the packages that patterns mean to the go command in dir. It returns the findings in
// the order of files and lines.
func Check(ctx context.Context, dir string, patterns ...string) ([]Finding, error) {
	loaded, err := packages.Load(&packages.Config{
		Context: ctx,
		Dir:     dir,
		Env:     append(os.Environ(), "PWD="+dir),
		Mode:    packages.LoadSyntax,
	}, patterns...)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("load packages: %w", err)
	}
	if err := broken(dir, loaded); err != nil {
		return nil, err
	}
	own := make(map[*packages.Package]bool)
	for _, p := range loaded {
		own[p] = true
	}
	for _, p := range loaded {
		// Other modules are not checked, and their source is not loaded.
		maps.DeleteFunc(p.Imports, func(_ string, imported *packages.Package) bool { return !own[imported] })
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{HandlerTime}, loaded, nil)
	if err != nil {
		return nil, fmt.Errorf("check packages: %w", err)
	}
	var found []Finding
	for _, action := range graph.Roots {
		if action.Err != nil {
			return nil, fmt.Errorf("check package %s: %w", action.Package.PkgPath, action.Err)
		}
		for _, d := range action.Diagnostics {
			found = append(found, finding(dir, action, d))
		}
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return found, nil
}

// broken returns an error if any of the packages can't be checked.
func broken(dir string, loaded []*packages.Package) error {
	var problems []string
	for _, p := range loaded {
		for _, e := range p.Errors {
			// The go command's headline of errors that the type checker has found here, too.
			if strings.HasPrefix(e.Msg, "# ") && len(p.Errors) > 1 {
				continue
			}
			text := strings.TrimSpace(e.Msg)
			if e.Pos != "" && e.Pos != "-" {
				text = relative(dir, e.Pos) + ": " + text
			}
			problems = append(problems, text)
		}
	}
	switch {
	case len(problems) > 0:
		return &BrokenError{problems}
	case len(loaded) == 0:
		return errors.New("there is no package to check")
	}
	return nil
}

func finding(dir string, action *checker.Action, d analysis.Diagnostic) Finding {
	at := action.Package.Fset.Position(d.Pos)
	f := Finding{
		File: relative(dir, at.Filename), Line: at.Line, Column: at.Column,
		Analyzer: action.Analyzer.Name, Use: d.Category, Message: d.Message,
	}
	if len(d.SuggestedFixes) > 0 {
		f.Was, f.Fix = applied(action, at.Filename, d.SuggestedFixes[0].TextEdits)
	}
	return f
}

// applied returns the text from the start of the first edit to the end of the last one, before and
// after the edits.
func applied(action *checker.Action, file string, edits []analysis.TextEdit) (was, fix string) {
	source, err := os.ReadFile(file)
	if err != nil {
		return "", ""
	}
	offset := func(i int) (from, to int) {
		return action.Package.Fset.Position(edits[i].Pos).Offset, action.Package.Fset.Position(edits[i].End).Offset
	}
	first, _ := offset(0)
	_, last := offset(len(edits) - 1)
	if last > len(source) {
		return "", "" // the file was saved in between
	}
	var text strings.Builder
	at := first
	for i, edit := range edits {
		from, to := offset(i)
		text.Write(source[at:from])
		text.Write(edit.NewText)
		at = to
	}
	return string(source[first:last]), text.String()
}

// relative returns path relative to dir if it is below dir. A position may follow the path.
func relative(dir, path string) string {
	const separator = string(filepath.Separator)
	if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, separator)+separator); ok {
		return rest
	}
	return path
}
