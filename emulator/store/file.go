package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
)

// companions are the suffixes of the files that SQLite keeps beside a database file. They are
// worthless without it, and would be applied to another database file of the same name.
var companions = []string{"-wal", "-shm", "-journal"}

var objectFile = regexp.MustCompile(`^([0-9a-f]{64})\.sqlite$`)

// ObjectPath returns the path of an object's file in the namespace's folder. The id is 64
// lower-case hex digits.
func ObjectPath(dir, id string) string { return filepath.Join(dir, id+".sqlite") }

// Objects returns the ids of all objects that have a file in the namespace's folder, sorted. It
// returns none for a folder that does not exist. It opens no file.
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
		if m := objectFile.FindStringSubmatch(entry.Name()); m != nil && entry.Type().IsRegular() {
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
// checkpoint; a power cut before that may lose the file, together with its log. The caller ensures
// that the file does not exist and that no other process creates it at the same time.
func placeFile(path string, image []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return explainFile(path, err)
	}
	if err := removeFiles(path, companions); err != nil {
		return err
	}
	// The name is always the same. So a kill leaves at most one stray file, which the next attempt
	// overwrites.
	unfinished := path + ".new"
	err := os.WriteFile(unfinished, image, 0o600)
	if err == nil {
		err = os.Rename(unfinished, path)
	}
	if err != nil {
		os.Remove(unfinished)
		return explainFile(path, err)
	}
	return nil
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

// moveAside renames a database file to the first free name of the form path.damaged-N. Its
// companions stay behind; placeFile removes them.
func moveAside(path string) error {
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
