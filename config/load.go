package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"devtool.internal/internal/safefile"
)

// maxFileSize is far above any real configuration. It bounds the work that a wrong file can cause.
const maxFileSize = 1 << 20

// Options says how to read a file.
type Options struct {
	Env string // the environment to read, or "" for the top level
}

// Load reads the file at path as it applies in the environment that o names. It returns the
// warnings in file order. For a file that can't be used it returns an *Error, which holds all
// errors and warnings.
func Load(path string, o Options) (*Config, []Diagnostic, error) {
	f, err := formatOf(path)
	if err != nil {
		return nil, nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read config: %w", err)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	r, root := parse(path, data, f)
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	c := decode(r, root, o.Env, filepath.Base(filepath.Dir(abs)))
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	c.Path = abs
	return c, r.sorted(), nil
}

// pipePatience is how long readFile waits for the writer of a named pipe, in real time. A password
// manager first asks its user.
var pipePatience = 10 * time.Second

// readFile returns the content of a file, which may be a named pipe.
func readFile(path string) ([]byte, error) {
	data, err := safefile.ReadGiven(path, maxFileSize, pipePatience)
	if large := (*safefile.TooLarge)(nil); errors.As(err, &large) {
		return nil, fmt.Errorf("read config: %s is larger than %d KiB, the limit of a configuration",
			path, maxFileSize>>10)
	}
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return data, nil
}

// parse returns the tree of a file's content. The tree is an object, and only valid if the report
// has no error.
func parse(path string, data []byte, f format) (*report, *node) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if name := foreignEncoding(data); name != "" {
		r := &report{src: newSource(path, "", f)}
		r.errorf("encoding", span{}, "save it as UTF-8", "the file is encoded in %s", name)
		return r, nil
	}
	if i := invalidUTF8(data); i < len(data) {
		r := &report{src: newSource(path, string(data[:i]), f)}
		r.errorf("encoding", span{i, i}, "save the file as UTF-8", "the byte 0x%02x here is not UTF-8 text", data[i])
		return r, nil
	}
	r := &report{src: newSource(path, string(data), f)}
	if strings.TrimSpace(r.src.text) == "" {
		r.errorf("empty-file", span{}, "run `devtool init` in an empty folder to get an example", "the file is empty")
		return r, nil
	}
	var root *node
	if f == formatTOML {
		root = parseTOML(r)
	} else {
		root = parseJSONC(r)
	}
	if root != nil && root.kind != kindObject {
		r.errorf("wrong-type", root.span, "write the configuration between { and }",
			"the top level must be an object, not %s", root.describe())
	}
	return r, root
}

// foreignEncoding returns the name of the encoding that data's byte order mark stands for, or ""
// for UTF-8 or no mark.
func foreignEncoding(data []byte) string {
	for _, bom := range []struct{ mark, name string }{
		{"\xff\xfe\x00\x00", "UTF-32 (little endian)"}, // begins like UTF-16, so it comes first
		{"\x00\x00\xfe\xff", "UTF-32 (big endian)"},
		{"\xff\xfe", "UTF-16 (little endian)"},
		{"\xfe\xff", "UTF-16 (big endian)"},
	} {
		if bytes.HasPrefix(data, []byte(bom.mark)) {
			return bom.name
		}
	}
	return ""
}

// invalidUTF8 returns the offset of the first byte that is not part of a valid character, or
// len(data).
func invalidUTF8(data []byte) int {
	i := 0
	for i < len(data) {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		i += size
	}
	return i
}
