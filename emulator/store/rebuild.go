package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"devtool.internal/internal/safefile"
)

// openIndex opens the index, or builds it if it is missing or damaged. A new index appears under
// its name only once it is complete. So the next start repeats a rebuild that was interrupted.
func openIndex(dir string) (*Index, error) {
	path := filepath.Join(dir, indexFile)
	if err := safefile.MakeFolder(dir); err != nil {
		return nil, explainFile(path, err)
	}
	db, err := openIndexFile(path)
	if err == nil {
		return &Index{db: db}, nil
	}
	damaged := errors.Is(err, ErrCorrupt)
	if !damaged && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}

	ids, err := Objects(dir)
	if err != nil {
		return nil, err
	}
	x := &Index{rebuilt: damaged || len(ids) > 0}
	image, err := emptyIndex()
	if err == nil && len(ids) > 0 {
		image, err = newImage(image, func(d *database) error { return x.fill(d, dir, ids) })
	}
	if err != nil {
		return nil, err
	}
	if damaged {
		if err := moveAside(path); err != nil {
			return nil, err
		}
	}
	if err := placeFile(path, image); err != nil {
		return nil, err
	}
	x.db, err = openNewIndex(path)
	return x, err
}

// openNewIndex opens an index file that this process has just made, so it needs no checks.
func openNewIndex(path string) (*database, error) {
	db, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	if err := db.useWAL(); err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

var emptyIndex = emptyImage(indexSchema)

// fill writes the objects' alarms into an empty index. It skips a damaged object, which must not
// stop its whole namespace. It fails if an object can't be opened for another reason, because the
// alarm would be lost.
func (x *Index) fill(d *database, dir string, ids []string) error {
	for _, id := range ids {
		info, err := ReadObject(ObjectPath(dir, id))
		if errors.Is(err, ErrCorrupt) {
			x.skipped = append(x.skipped, err)
			continue
		}
		if err != nil {
			return err
		}
		if !info.HasAlarm {
			continue
		}
		ns, err := nanoseconds(info.Alarm)
		if err != nil {
			return err
		}
		var name value
		if info.HasName {
			name = text(info.Name)
		}
		err = d.exec("INSERT INTO _cf_ALARM (actor_id, scheduled_time, actor_name, set_order) VALUES (?1, ?2, ?3, 0)",
			text(id), integer(ns), name)
		if err != nil {
			return err
		}
	}
	return nil
}

// openIndexFile opens an index file and checks it. The error is ErrCorrupt if the file can't serve
// as an index.
func openIndexFile(path string) (*database, error) {
	if _, err := inspect(path); err != nil {
		return nil, err
	}
	db, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	if err := prepareIndex(db); err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

func prepareIndex(db *database) error {
	verdict := ""
	err := db.each("PRAGMA quick_check(1)", func(r row) bool { verdict = r.text(0); return false })
	if err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%s: %w (%s)", db.path, ErrCorrupt, verdict)
	}

	var columns []string
	err = db.each("PRAGMA table_info(_cf_ALARM)", func(r row) bool {
		columns = append(columns, r.text(1))
		return true
	})
	if err != nil {
		return err
	}
	for _, column := range []string{"actor_id", "scheduled_time"} {
		if !slices.Contains(columns, column) {
			return fmt.Errorf("%s: %w (column _cf_ALARM.%s is missing)", db.path, ErrCorrupt, column)
		}
	}
	if err := db.useWAL(); err != nil { // not before the checks, since it writes to the file
		return err
	}
	// workerd's index has no set_order, and in old versions no names.
	for _, column := range []struct{ name, kind string }{{"actor_name", "TEXT"}, {"set_order", "INTEGER"}} {
		if slices.Contains(columns, column.name) {
			continue
		}
		if err := db.execOnce("ALTER TABLE _cf_ALARM ADD COLUMN " + column.name + " " + column.kind); err != nil {
			return err
		}
	}
	return nil
}
