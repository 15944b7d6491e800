package store

import "strconv"

// What the tests need and the engine must not have: a back door into the database of an open object.

// RunSQL runs SQL in the object's implicit transaction, with none of the rules that hold for its user.
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

// FillDisk lets the file grow by so many pages, as if the disk were full then.
func (o *Object) FillDisk(pages int) error {
	var count int64
	if err := o.db.each("PRAGMA page_count", func(r row) bool { count = r.integer(0); return false }); err != nil {
		return err
	}
	return o.db.execOnce("PRAGMA max_page_count=" + strconv.FormatInt(count+int64(pages), 10))
}

// MakeDatabase makes a file as another program would, with these statements.
func MakeDatabase(path string, statements ...string) error {
	image, err := newImage(func(d *database) error { return d.execAll(statements...) })
	if err != nil {
		return err
	}
	return placeFile(path, image)
}

// CachedStatements returns how many statements of the user are kept prepared, and the bytes of their texts.
func (o *Object) CachedStatements() (n, size int) {
	return o.statements.recent.Len(), o.statements.size
}
