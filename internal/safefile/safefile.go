// Package safefile reads and writes files in folders whose content somebody else may have made, as
// in the .devtool of a copied or downloaded project.
//
// A name there may be a named pipe, which would block its reader, or a symbolic link to a place
// elsewhere, which a writer would overwrite. So the functions here look at a file before they open
// it, follow no link and wait for nobody. What they refuse is an *Irregular. A Place notices that a
// folder in use is deleted, moved or replaced.
//
// CheckSource and ReadSource are for the files of the project itself. These may be links, but a
// pipe or a device in the place of go.mod would stop devtool, and the go command, too.
package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"
)

// An Irregular is the error for a name that leads to something else than it should.
type Irregular struct {
	Path string
	Is   string // what it is, such as "a named pipe"
	Want string // what it should be, such as "a regular file"
}

func (e *Irregular) Error() string { return fmt.Sprintf("%s is %s, not %s", e.Path, e.Is, e.Want) }

// Regular returns what is at path if that is a regular file. The error is fs.ErrNotExist if there
// is nothing, and an *Irregular if there is anything else, also a symbolic link.
func Regular(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = &Irregular{path, Kind(info.Mode()), "a regular file"}
	}
	if err != nil {
		return nil, err
	}
	return info, nil
}

// Folder is Regular for a folder.
func Folder(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.IsDir() {
		err = &Irregular{path, Kind(info.Mode()), "a folder"}
	}
	if err != nil {
		return nil, err
	}
	return info, nil
}

// Kind names what a file of this mode is, with its article.
func Kind(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "a regular file"
	case fs.ModeDir:
		return "a folder"
	case fs.ModeSymlink:
		return "a symbolic link"
	case fs.ModeNamedPipe:
		return "a named pipe"
	case fs.ModeSocket:
		return "a socket"
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		return "a device"
	}
	return "a special file"
}

// Open opens a regular file, or creates it if flag has os.O_CREATE, for this user alone. It never
// blocks, even if a pipe takes the file's place meanwhile.
func Open(path string, flag int) (*os.File, error) {
	if _, err := Regular(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, flag|openFlags, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &Irregular{path, Kind(info.Mode()), "a regular file"}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Read returns the content of a regular file of at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, limit)
}

// Replace writes content to path in one step, for this user alone. Whatever is at path goes, unless
// that is a folder. temporary is the name of the file in between, in the same folder.
func Replace(path, temporary string, content []byte) error {
	err := Create(temporary, content)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary)
	}
	return err
}

// Create writes a new file for this user alone. It removes what has the name, unless that is a
// folder with content.
func Create(path string, content []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// MakeFolder makes the folder at path for this user alone, unless it exists. Its parent must exist.
// The error is an *Irregular if anything else is there.
func MakeFolder(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	_, err := Folder(path)
	return err
}

// MakePrivate is MakeFolder, and takes an existing folder from all other users.
func MakePrivate(path string) error {
	if err := MakeFolder(path); err != nil {
		return err
	}
	info, err := Folder(path)
	if err != nil {
		return err
	}
	if others := info.Mode().Perm() & 0o077; others != 0 && runtime.GOOS != "windows" {
		return os.Chmod(path, info.Mode().Perm()&^0o077)
	}
	return nil
}

// dotFolder is the folder of a project that is devtool's.
const dotFolder = ".devtool"

// DotFolder makes .devtool in the folder of a project, and the given folder below it, both for this
// user alone. It returns the path of the latter. Neither may be a symbolic link.
func DotFolder(project, name string) (string, error) {
	dot := filepath.Join(project, dotFolder)
	if err := MakePrivate(dot); err != nil {
		return "", err
	}
	if name == "" {
		return dot, nil
	}
	folder := filepath.Join(dot, name)
	return folder, MakePrivate(folder)
}

// InDotFolder checks the folders from .devtool to path, if path is in a .devtool: a project that
// somebody else has made must not lead its user elsewhere by a symbolic link. Folders may be
// missing. The error is an *Irregular.
func InDotFolder(path string) error {
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if filepath.Base(at) == dotFolder {
			return foldersTo(path, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// foldersTo checks path and its parents up to top.
func foldersTo(path, top string) error {
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if _, err := Folder(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if at == top {
			return nil
		}
	}
}

// IsName reports whether a name from a file may name a file or folder in a given folder: it leads
// neither out of that folder nor below it.
func IsName(name string) bool {
	return name != "" && name != "." && len(name) <= 255 && filepath.IsLocal(name) &&
		!strings.ContainsAny(name, `/\`) && !strings.ContainsFunc(name, unicode.IsControl)
}
