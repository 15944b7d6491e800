package store

import "strconv"

// These methods give tests direct access to the database of an open object, which the emulator must
// not have.

// RunSQL runs SQL in the object's implicit transaction, without the user's rule and limits.
func (o *Object) RunSQL(sql string) error {
	if err := o.begin(); err != nil {
		return err
	}
	return o.check(o.db.execOnce(sql))
}

// Pragma runs a pragma outside any transaction and returns its first result.
func (o *Object) Pragma(pragma string) (result string, err error) {
	err = o.db.each("PRAGMA "+pragma, func(r row) bool { result = r.text(0); return false })
	return result, err
}

// Tables returns the names of all tables, views, triggers and indexes.
func (o *Object) Tables() (names []string, err error) {
	err = o.db.each("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name", func(r row) bool {
		names = append(names, r.text(0))
		return true
	})
	return names, err
}

// FillDisk lets the file grow by the given number of pages, and then fails as on a full disk.
func (o *Object) FillDisk(pages int) error {
	var count int64
	err := o.db.each("PRAGMA page_count", func(r row) bool { count = r.integer(0); return false })
	if err != nil {
		return err
	}
	return o.db.execOnce("PRAGMA max_page_count=" + strconv.FormatInt(count+int64(pages), 10))
}

// MakeDatabase creates a file with these statements, as another program would.
func MakeDatabase(path string, statements ...string) error {
	image, err := newImage(nil, func(d *database) error { return d.execAll(statements...) })
	if err != nil {
		return err
	}
	return placeFile(path, image)
}

// CachedStatements returns how many of the user's statements are kept prepared, and the bytes of
// their texts.
func (o *Object) CachedStatements() (n, size int) {
	return o.statements.recent.Len(), o.statements.size
}
