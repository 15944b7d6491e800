package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"devtool.internal/internal/safefile"
)

// companions are the suffixes of the files that SQLite keeps beside a database file. They are
// worthless without it, and would be applied to another database file of the same name.
var companions = []string{"-wal", "-shm", "-journal"}

var objectFile = regexp.MustCompile(`^([0-9a-f]{64})\.sqlite$`)

// ObjectPath returns the path of an object's file in the namespace's folder. The id is 64
// lower-case hex digits.
func ObjectPath(dir, id string) string { return filepath.Join(dir, id+".sqlite") }

// Objects returns the ids of all objects that have a file in the namespace's folder, sorted. It
// returns none for a folder that does not exist. It opens no file. So a folder or a pipe with the
// name of an object's file counts, and reading it says what is wrong with it.
func Objects(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list objects: %w", err)
	}
	var ids []string
	for _, entry := range entries {
		if m := objectFile.FindStringSubmatch(entry.Name()); m != nil {
			ids = append(ids, m[1])
		}
	}
	return ids, nil
}

// newImage returns the content of a database file that fill has filled. It starts with the content
// base, or empty if base is nil. Making it in memory takes a tenth of a millisecond, and writing it
// is one step. SQLite on disk would sync each of its own steps.
func newImage(base []byte, fill func(*database) error) ([]byte, error) {
	d, err := openMemory()
	if err != nil {
		return nil, err
	}
	defer d.close()
	if base != nil {
		if err := d.load(base); err != nil {
			return nil, err
		}
	}
	if err := fill(d); err != nil {
		return nil, err
	}
	return d.image()
}

// emptyImage returns a function that returns the content of a database file with a schema and no
// rows. Each file of that kind begins with the same content, so it is made once.
func emptyImage(schema []string) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		return newImage(nil, func(d *database) error { return d.execAll(schema...) })
	})
}

// placeFile creates a database file with the given content, and its folder. A process that is
// killed leaves either the whole file or none. The content reaches the disk with the first
// checkpoint; a power cut before that may lose the file, together with its log, or leave it empty.
// The caller ensures that the file does not exist and that no other process creates it at the same
// time.
func placeFile(path string, image []byte) error {
	if err := removeFiles(path, companions); err != nil {
		return err
	}
	// The temporary name is always the same. So a kill leaves at most one stray file, which the
	// next attempt replaces.
	if err := safefile.Replace(path, path+".new", image); err != nil {
		return explainFile(path, err)
	}
	return nil
}

// smallestPage is the smallest page of a database in bytes. The size of a file is a multiple of it.
const smallestPage = 512

// inspect looks at a database file before it is opened: SQLite would wait for a pipe, follow a link
// and take an empty file for a new database. The error is ErrCorrupt if the file, or one beside it,
// is not what SQLite left there.
//
// No file of ours is ever empty, because placeFile renames a whole one into place. A power cut may
// leave an empty one, whose content is lost. SQLite would delete its log, too.
func inspect(path string) (fs.FileInfo, error) {
	info, err := safefile.Regular(path)
	logged := false
	for _, suffix := range companions {
		if err != nil {
			break
		}
		var beside fs.FileInfo
		beside, err = safefile.Regular(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		} else if err == nil {
			logged = logged || beside.Size() > 0
		}
	}
	if bad := (*safefile.Irregular)(nil); errors.As(err, &bad) {
		return nil, damaged(bad.Path, "it is "+bad.Is+", not "+bad.Want)
	}
	switch {
	case err != nil:
		return nil, explainFile(path, err)
	case info.Size() == 0:
		return nil, damaged(path, "it is empty, as after a power cut")
	case info.Size() < smallestPage, info.Size()%smallestPage != 0 && !logged: // a log may have the rest
		return nil, damaged(path, fmt.Sprintf("its end is missing: it has %d bytes", info.Size()))
	}
	return info, nil
}

// removeFiles deletes the files path + suffix that exist, in the order of suffixes.
func removeFiles(path string, suffixes []string) error {
	for _, suffix := range suffixes {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explainFile(path, err)
		}
	}
	return nil
}

// moveAside renames a database file, or what is in its place, to the first free name of the form
// path.damaged-N. Its companions stay behind, and placeFile removes them, except folders: what
// somebody keeps there is not ours to delete.
func moveAside(path string) error {
	for _, suffix := range companions {
		if _, err := safefile.Folder(path + suffix); err == nil {
			if err := moveAside(path + suffix); err != nil {
				return err
			}
		}
	}
	for n := 1; ; n++ {
		target := fmt.Sprintf("%s.damaged-%d", path, n)
		_, err := os.Lstat(target)
		if err == nil {
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(path, target)
		}
		if err != nil {
			return explainFile(path, err)
		}
		return nil
	}
}
