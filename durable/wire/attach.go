package wire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// AttachFile is the slash-separated path, below a project, of the file that leads other programs to
// the project's emulator. AttachContent has its lines:
//
//	the path of a socket
//	the path of the project's folder
//	the FolderID of that folder, or nothing
//
// A copy of a project has the file of the original. So a reader ignores the file unless the folder
// in which it has found the file is the one that the file names.
const AttachFile = ".devtool/attach"

// maxAttach bounds AttachFile in bytes.
const maxAttach = 64 << 10

// AttachContent returns the content of AttachFile for the project in a folder.
func AttachContent(socket, folder string) (string, error) {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	id, err := FolderID(abs)
	return fmt.Sprintf("%s\n%s\n%s\n", socket, abs, id), err
}

// ErrCopied is the error for an AttachFile that belongs to another folder.
var ErrCopied = errors.New("belongs to the project in another folder, from which it was copied")

// ReadAttach returns the socket that AttachFile of the project in folder leads to. The error is
// fs.ErrNotExist if there is no such file, and ErrCopied if the file is another project's.
func ReadAttach(folder string) (socket string, err error) {
	path := filepath.Join(folder, filepath.FromSlash(AttachFile))
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // a pipe would block its reader
		return "", fmt.Errorf("%s is not a regular file: delete it", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxAttach))
	if err != nil {
		return "", err
	}
	lines := append(strings.Split(string(content), "\n"), "", "", "")
	if !SameFolder(folder, lines[1], lines[2]) {
		return "", fmt.Errorf("%s %w", path, ErrCopied)
	}
	return lines[0], nil
}

// SameFolder reports whether folder is the one that had this path and FolderID. Without ids the
// paths have to lead to the same folder.
func SameFolder(folder, path, id string) bool {
	now, err := FolderID(folder)
	if err != nil || path == "" {
		return false
	}
	if now != "" {
		return now == id
	}
	a, errA := os.Stat(folder)
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
