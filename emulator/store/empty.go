package store

import "fmt"

// IsEmpty reports whether the object stores nothing, as the open transaction sees it: no key, no
// alarm, and no table, view, index or trigger of the user. A table without rows is something.
// The recorded name is nothing, because it only serves the rest.
func (o *Object) IsEmpty() (empty bool, err error) {
	if err = o.usable(); err == nil {
		empty, err = isEmpty(o.db)
	}
	if err != nil {
		return false, fmt.Errorf("look for stored data: %w", err)
	}
	return empty, nil
}

// CloseOrRemove closes the file as Close does, and removes it if the object stores nothing. It
// removes no other file that has taken its path.
//
// No step loses anything, because what stores nothing is removed only after its commit. A process
// that is killed before the last step leaves a file that ReadObject reports as empty. The object's
// next CloseOrRemove removes it.
func (o *Object) CloseOrRemove() error {
	if o.db == nil {
		return nil
	}
	err := o.Rollback()
	empty := false
	if err == nil {
		empty, err = o.IsEmpty()
	}
	if closeErr := o.Close(); closeErr != nil {
		return closeErr
	}
	if err != nil || !empty || o.Moved() {
		return err
	}
	return RemoveObject(o.path)
}

// isEmpty is IsEmpty for a file that has all tables of objectSchema.
func isEmpty(d *database) (empty bool, err error) {
	err = d.each(`SELECT NOT EXISTS (SELECT 1 FROM _cf_KV)
		AND NOT EXISTS (SELECT 1 FROM _cf_METADATA WHERE key <> ?1 AND value IS NOT NULL)
		AND NOT EXISTS (SELECT 1 FROM sqlite_schema
			WHERE tbl_name NOT IN ('_cf_KV', '_cf_METADATA') AND lower(substr(name, 1, 7)) <> 'sqlite_')`,
		func(r row) bool { empty = r.integer(0) != 0; return false }, integer(nameKey))
	return empty, err
}
