package store

import "fmt"

// A Table is a table that the user has created.
type Table struct {
	Name string
	SQL  string // the statement that creates it
}

// UserTables returns the user's tables by name, as the open transaction sees them. They include
// virtual tables, but not their shadow tables.
func (o *Object) UserTables() (tables []Table, err error) {
	if err = o.usable(); err == nil {
		err = o.db.each(`SELECT s.name, s.sql FROM sqlite_schema AS s JOIN pragma_table_list AS l ON l.name = s.name
			WHERE s.type = 'table' AND l.schema = 'main' AND l.type IN ('table', 'virtual')
			AND lower(substr(s.name, 1, 4)) <> '_cf_' AND lower(substr(s.name, 1, 7)) <> 'sqlite_' ORDER BY s.name`,
			func(r row) bool {
				tables = append(tables, Table{Name: r.text(0), SQL: r.text(1)})
				return true
			})
	}
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return tables, nil
}

// ReadTable returns a cursor over all rows of a table, with all its columns.
func (o *Object) ReadTable(name string) (*Cursor, error) {
	return o.Exec("SELECT * FROM "+quoteName(name), nil)
}
