package plugin

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// maxSource bounds how far into a file sourceLine reads, in bytes.
const maxSource = 8 << 20

// position matches "file:line:column: message". The column is optional, as go leaves it out for
// go.mod. Only names of files that go builds from match, because addresses such as proxy.example:80
// have the same form.
var position = regexp.MustCompile(
	`^(.+?\.(?:go|mod|sum|work|[chsmSfF]|cc|cpp|cxx|hh|hpp|hxx|mm|swig|swigcxx)):(\d+)(?::(\d+))?: (.+)$`)

// newBuildError turns the output of go into an error.
func newBuildError(b *Builder, output string) *BuildError {
	dir := b.Dir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	pkg, diagnostics := parseOutput(output)
	e := &BuildError{Diagnostics: diagnostics, Output: output, Package: b.Package}
	if pkg != "" {
		e.Package = pkg
	}
	if len(diagnostics) == 0 {
		e.Diagnostics = []Diagnostic{{
			Message: "go build failed without a message; run `go build " + b.Package + "` in " + dir + " to see why",
		}}
	}
	for i := range e.Diagnostics {
		d := &e.Diagnostics[i]
		if d.File != "" {
			d.Source = sourceLine(resolve(dir, d.File), d.Line)
			d.File = displayName(dir, d.File)
		}
		if strings.HasPrefix(d.Message, "go.mod file not found") {
			d.Notes = append(d.Notes, "run `go mod init NAME` in "+dir+" to make it a module")
		}
	}
	return e
}

// parseOutput reads the messages of the go command. It returns the first package that they name and
// the diagnostics, whose files are as go printed them.
//
// The output has lines of these kinds:
//
//   - "# package" above the messages of a package,
//   - messages with a position,
//   - messages without one (the go command's own begin with "go: "),
//   - continuations of the message above: indented lines, and lines that begin with "note: ".
func parseOutput(output string) (pkg string, diagnostics []Diagnostic) {
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimSpace(line)
		continues := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "note: ")
		d, positioned := parsePosition(line)
		switch {
		case text == "":
		case strings.HasPrefix(line, "# "):
			if pkg == "" {
				pkg, _, _ = strings.Cut(strings.TrimSpace(line[2:]), " ")
			}
		case continues && len(diagnostics) > 0:
			last := &diagnostics[len(diagnostics)-1]
			last.Notes = append(last.Notes, strings.TrimPrefix(text, "note: "))
		case text == "too many errors" || positioned && d.Message == "too many errors":
			// The compiler stopped counting. This is not an error of its own.
		case strings.HasPrefix(line, "go: errors parsing "):
			// Only a headline: the errors follow, with their positions.
		case positioned:
			diagnostics = append(diagnostics, d)
		default:
			message := strings.TrimSpace(strings.TrimPrefix(text, "go: "))
			if message != "" {
				diagnostics = append(diagnostics, Diagnostic{Message: message})
			}
		}
	}
	return pkg, diagnostics
}

// parsePosition splits a line that begins with a position.
func parsePosition(line string) (Diagnostic, bool) {
	m := position.FindStringSubmatch(strings.TrimPrefix(line, "go: "))
	if m == nil || strings.Contains(m[1], ": ") || strings.TrimSpace(m[4]) == "" {
		return Diagnostic{}, false
	}
	lineNumber, err := strconv.Atoi(m[2])
	if err != nil || lineNumber < 1 {
		return Diagnostic{}, false
	}
	column := 0
	if m[3] != "" {
		if column, err = strconv.Atoi(m[3]); err != nil {
			return Diagnostic{}, false
		}
	}
	return Diagnostic{File: m[1], Line: lineNumber, Column: column, Message: strings.TrimSpace(m[4])}, true
}

// resolve returns the path of a file that go named while running in dir.
func resolve(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// displayName returns file relative to dir when it is below it, and else its full path.
func displayName(dir, file string) string {
	full := resolve(dir, file)
	if rel, err := filepath.Rel(dir, full); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return full
}

// sourceLine returns a line of a file, or "" if the file does not have it.
func sourceLine(name string, number int) string {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReader(io.LimitReader(f, maxSource))
	for n := 1; ; n++ {
		text, err := r.ReadString('\n')
		if n == number {
			return strings.TrimRight(text, "\r\n")
		}
		if err != nil {
			return ""
		}
	}
}
