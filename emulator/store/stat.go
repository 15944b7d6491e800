package store

import (
	"fmt"
	"os"
)

// CountKeys returns how many keys the object has, as the open transaction sees them.
func (o *Object) CountKeys() (n int64, err error) {
	if err = o.usable(); err == nil {
		err = o.db.each("SELECT count(*) FROM _cf_KV", func(r row) bool { n = r.integer(0); return false })
	}
	if err != nil {
		return 0, fmt.Errorf("count keys: %w", err)
	}
	return n, nil
}

// FileSize returns how many bytes an object takes on disk, including its log. It opens no file, so
// it may be called at any time. The error is fs.ErrNotExist if there is no file.
func FileSize(path string) (int64, error) {
	stat, err := os.Lstat(path)
	if err != nil {
		return 0, fmt.Errorf("measure object: %w", explainFile(path, err))
	}
	size := stat.Size()
	for _, suffix := range companions {
		if stat, err := os.Lstat(path + suffix); err == nil { // it may be gone, since it was merged
			size += stat.Size()
		}
	}
	return size, nil
}

// RemoveObject deletes the file of an object that is not open, and its companions. Without a file
// it does nothing. It deletes the file itself first: companions that a kill leaves behind are
// worthless, and are removed when a file of that name is created.
func RemoveObject(path string) error {
	if err := removeFiles(path, append([]string{""}, companions...)); err != nil {
		return fmt.Errorf("remove object: %w", err)
	}
	return nil
}
