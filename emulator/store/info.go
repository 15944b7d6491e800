package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Info is what a file records about its object.
type Info struct {
	Name     string
	HasName  bool
	Alarm    time.Time // UTC
	HasAlarm bool
	Empty    bool // the object stores nothing (see Object.IsEmpty)
}

// ReadObject returns what a file that is not open records about its object. It does not change a
// file that was closed properly. It first recovers a file left by a crash, as OpenObject would. It
// leaves no files beside it.
func ReadObject(path string) (Info, error) {
	info, err := readObject(path)
	if err != nil {
		return Info{}, fmt.Errorf("read object: %w", err)
	}
	return info, nil
}

func readObject(path string) (_ Info, err error) {
	if _, err := inspect(path); err != nil {
		return Info{}, err
	}
	crashed, err := hasLog(path)
	if err != nil {
		return Info{}, err
	}
	open := openImmutable
	if crashed {
		open = openDatabase
	}
	d, err := open(path)
	if err != nil {
		return Info{}, err
	}
	defer func() {
		if closeErr := d.close(); err == nil {
			err = closeErr
		}
	}()
	info, complete, err := readInfo(d)
	if err == nil && complete { // a file that workerd has begun counts as stored
		info.Empty, err = isEmpty(d)
	}
	return info, err
}

// hasLog reports whether there is a log beside the file that is not yet merged into it.
func hasLog(path string) (bool, error) {
	for _, suffix := range []string{"-wal", "-journal"} {
		stat, err := os.Stat(path + suffix)
		if err == nil && stat.Size() > 0 {
			return true, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, explainFile(path, err)
		}
	}
	return false, nil
}

// readInfo reads the name and the alarm, and reports whether the file has all tables of
// objectSchema. workerd creates them with the first key and the first alarm.
func readInfo(d *database) (info Info, complete bool, err error) {
	const metadata = "_cf_METADATA"
	tables := make(map[string]bool)
	err = d.each("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('_cf_KV', '"+metadata+"')",
		func(r row) bool { tables[r.text(0)] = true; return true })
	if err != nil || !tables[metadata] {
		return Info{}, false, err
	}
	err = d.each("SELECT key, value FROM _cf_METADATA WHERE key IN (?1, ?2) AND value IS NOT NULL", func(r row) bool {
		if r.integer(0) == alarmKey {
			info.Alarm, info.HasAlarm = fromNanoseconds(r.integer(1)), true
		} else {
			info.Name, info.HasName = r.text(1), true
		}
		return true
	}, integer(alarmKey), integer(nameKey))
	return info, len(tables) == len(objectSchema), err
}
