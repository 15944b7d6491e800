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

// FileSize returns how many bytes an object takes on disk, with what its log has not merged yet. It opens no file, so it
// may be asked at any time. Without a file it is an error that is fs.ErrNotExist.
func FileSize(path string) (int64, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("measure object: %w", explainFile(path, err))
	}
	size := stat.Size()
	for _, suffix := range companions {
		if stat, err := os.Stat(path + suffix); err == nil { // it may be gone since, and merged
			size += stat.Size()
		}
	}
	return size, nil
}

// RemoveObject deletes the file of an object that is not open, and what belongs to it. Without a file it does nothing.
// The file itself goes first: what a kill leaves beside it belongs to nothing, and is cleared away with the next file of
// that name.
func RemoveObject(path string) error {
	if err := removeFiles(path, append([]string{""}, companions...)); err != nil {
		return fmt.Errorf("remove object: %w", err)
	}
	return nil
}
