package main_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// The widest that a line may be, in columns. A tab counts as four.
const (
	maxCommentColumns = 100
	maxCodeColumns    = 120
)

// goldenSource holds analyzer input, where a comment states what the analyzer says of its line.
const goldenSource = "durable/vet/testdata"

func TestLinesFitTheirColumns(t *testing.T) {
	for _, file := range goFiles(t) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(source), "// Code generated ") {
			continue // its generator decides
		}
		for i, line := range strings.Split(string(source), "\n") {
			if fault := columnFault(line); fault != "" {
				t.Errorf("%s:%d: %s", filepath.ToSlash(file), i+1, fault)
			}
		}
	}
}

func TestWideLinesAreNoticed(t *testing.T) {
	long := strings.Repeat("x", 130)
	for _, test := range []struct {
		name, line, want string
	}{
		{"a comment at the limit", "// " + long[:97], ""},
		{"a comment above it", "// " + long[:98], "comment of 101 columns, want at most 100"},
		{"an indented comment", "\t// " + long[:94], "comment of 101 columns, want at most 100"},
		{"code at the limit", "\tx := " + long[:111], ""},
		{"code above it", "\tx := " + long[:112], "code of 121 columns, want at most 120"},
		{"a comment after code", "\tx() // " + long[:110], "code of 121 columns, want at most 120"},
		{"letters of several bytes", "// " + strings.Repeat("é", 97), ""},
		{"a tab after text", "//\t" + long[:97], "comment of 101 columns, want at most 100"},
		{"a directive", "//go:embed " + long, ""},
		{"a URL", "// https://example.org/" + long, ""},
		{"a URL in code", "\tx := \"https://example.org/" + long + "\"", ""},
		{
			"text that is too long beside a URL", "// " + long + " https://example.org/",
			"comment of 154 columns, want at most 100",
		},
	} {
		if got := columnFault(test.line); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

var url = regexp.MustCompile(`\w+://\S+`)

// columnFault says how line is too wide, or returns nothing if it fits. A line that is too wide
// only because of one URL fits, as does a directive to the compiler: neither can be broken.
func columnFault(line string) string {
	kind, limit := "code", maxCodeColumns
	switch text := strings.TrimSpace(line); {
	case strings.HasPrefix(text, "//go:"):
		return ""
	case strings.HasPrefix(text, "//"):
		kind, limit = "comment", maxCommentColumns
	}
	width := columns(line)
	if width <= limit || width-columns(url.FindString(line)) <= limit && url.MatchString(line) {
		return ""
	}
	return fmt.Sprintf("%s of %d columns, want at most %d", kind, width, limit)
}

// columns returns the width of line, with tab stops four columns apart.
func columns(line string) int {
	width := 0
	for i, part := range strings.Split(line, "\t") {
		if i > 0 {
			width += 4 - width%4
		}
		width += utf8.RuneCountInString(part)
	}
	return width
}

// maxLines is the longest that a file may be. A longer one has more than one idea.
const maxLines = 600

func TestFilesStayShort(t *testing.T) {
	for _, file := range goFiles(t) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(source, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines, want at most %d: split it", filepath.ToSlash(file), lines, maxLines)
		}
	}
}

// goFiles returns all Go files but golden source, tests and their data included.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case filepath.ToSlash(name) == goldenSource:
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(name, ".go"):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
