package control

// Snapshot is everything that an object stores at one moment between two of its turns. Keys and
// Alarm of the details are of that moment.
type Snapshot struct {
	ObjectDetails
	Entries []StoredEntry `json:"entries"` // in the order of their keys' bytes
	Tables  []StoredTable `json:"tables"`  // by name
}

// StoredEntry is an Entry with its value as it is stored.
type StoredEntry struct {
	Entry
	Stored []byte `json:"stored"`
}

// StoredTable is a table of an object's database with all its rows. If the rows can't be read,
// there are none, and Problem says why.
type StoredTable struct {
	Name    string       `json:"name"`
	SQL     string       `json:"sql"` // the statement that creates the table
	Columns []string     `json:"columns"`
	Rows    [][]SQLValue `json:"rows"`
	Problem string       `json:"problem,omitempty"`
}
