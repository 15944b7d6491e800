package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// What SQLite keeps beside a database file. They belong to it: apart from it they are worthless, and beside another
// file of the same name they would be applied to that one.
var companions = []string{"-wal", "-shm", "-journal"}

var objectFile = regexp.MustCompile(`^([0-9a-f]{64})\.sqlite$`)

// ObjectPath returns the path of the file of the object with this id, 64 lower-case hex digits, in the namespace's
// folder.
func ObjectPath(dir, id string) string { return filepath.Join(dir, id+".sqlite") }

// Objects returns the ids of the objects that have a file in the namespace's folder, sorted. A folder that does not
// exist holds none. No file is opened.
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

// newImage returns the content of a database file as fill makes it. Laying out a file in memory takes a tenth of a
// millisecond, and writing it is one step; SQLite making it on disk would sync each step of its own.
func newImage(fill func(*database) error) ([]byte, error) {
	d, err := openMemory()
	if err != nil {
		return nil, err
	}
	defer d.close()
	if err := fill(d); err != nil {
		return nil, err
	}
	return d.image()
}

// placeFile makes a database file with the given content, and its folder. A process that is killed leaves either the
// whole file or none. The content reaches the disk with the first checkpoint; a power cut before that may lose the
// file, together with what was in its log. The caller sees to it that the file does not exist and that no other process
// makes it at the same time.
func placeFile(path string, image []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return explainFile(path, err)
	}
	if err := removeFiles(path, companions); err != nil {
		return err
	}
	// The name is always the same, so that a kill leaves one stray file at most, which the next attempt overwrites.
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

// removeFiles deletes, in this order, those of the files path + suffix that there are.
func removeFiles(path string, suffixes []string) error {
	for _, suffix := range suffixes {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explainFile(path, err)
		}
	}
	return nil
}

// moveAside renames a database file to the first free name of the form path.damaged-N. What SQLite left beside it stays
// behind, for placeFile to clear away.
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
