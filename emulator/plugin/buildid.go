package plugin

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// errArchive is returned for a file that is a compiled package and not a program.
var errArchive = errors.New("compiled package, not a program")

const (
	// buildIDWindow is how far into a program that is not ELF its build id can be. The linker puts
	// it at the very beginning of the code.
	buildIDWindow = 64 << 10

	// elfNoteHeader is the length of what precedes the id in its ELF note, in bytes.
	elfNoteHeader = 16
)

var (
	buildIDBegin = []byte("\xff Go build ID: \"")
	buildIDEnd   = []byte("\"\n \xff")
)

// programHash returns a string that identifies a program by its content.
//
// The go command writes an id of the form action/main action/main content/content into each
// program. The last part is a hash of the whole file without the ids themselves. It is better than
// a hash of our own: go links again, and writes other bytes, after edits that change nothing in the
// program. It also costs one read of a few KiB only. A program that was linked without an id is
// hashed as a whole.
func programHash(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()

	head := make([]byte, buildIDWindow)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	head = head[:n]
	if bytes.HasPrefix(head, []byte("!<arch>\n")) {
		return "", fmt.Errorf("%s: %w", name, errArchive)
	}
	id := buildID(f, head)
	if i := strings.LastIndexByte(id, '/'); i >= 0 && i+1 < len(id) {
		return id[i+1:], nil
	}

	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, 1<<62)); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// buildID returns the id of the program in f, whose first bytes are head, or "".
func buildID(f io.ReaderAt, head []byte) string {
	if bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return elfBuildID(f)
	}
	_, rest, found := bytes.Cut(head, buildIDBegin)
	if !found {
		return ""
	}
	id, _, found := bytes.Cut(rest, buildIDEnd)
	if !found {
		return ""
	}
	return string(id)
}

// elfBuildID returns the id of an ELF program, or "".
func elfBuildID(f io.ReaderAt) string {
	file, err := elf.NewFile(f)
	if err != nil {
		return ""
	}
	note := file.Section(".note.go.buildid")
	if note == nil || note.Size > buildIDWindow {
		return ""
	}
	data, err := note.Data()
	if err != nil || len(data) < elfNoteHeader {
		return ""
	}
	return string(bytes.TrimRight(data[elfNoteHeader:], "\x00"))
}
