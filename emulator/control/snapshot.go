package control

// Snapshot is all that an object stores, at one moment between two of its turns. Keys and Alarm of
// the details are those of that moment.
type Snapshot struct {
	ObjectDetails
	Entries []StoredEntry `json:"entries"` // by the bytes of their keys
	Tables  []StoredTable `json:"tables"`  // by name
}

// StoredEntry is an Entry with its value as it is stored.
type StoredEntry struct {
	Entry
	Stored []byte `json:"stored"`
}

// StoredTable is a table of an object's database, with all its rows. Problem says why there are
// none, if they can't be read.
type StoredTable struct {
	Name    string       `json:"name"`
	SQL     string       `json:"sql"` // the statement that makes it
	Columns []string     `json:"columns"`
	Rows    [][]SQLValue `json:"rows"`
	Problem string       `json:"problem,omitempty"`
}
