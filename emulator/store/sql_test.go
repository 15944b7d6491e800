package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/store"
)

// query runs SQL and returns all rows.
func query(t testing.TB, o *store.Object, sql string, args ...any) [][]any {
	t.Helper()
	rows, err := tryQuery(o, sql, args...)
	if err != nil {
		t.Fatalf("%.200q: %v", sql, err)
	}
	return rows
}

func tryQuery(o *store.Object, sql string, args ...any) (rows [][]any, err error) {
	c, err := o.Exec(sql, args)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return rest(c)
}

// rest returns the rows that a cursor has left.
func rest(c *store.Cursor) (rows [][]any, err error) {
	for {
		row, ok, err := c.Next()
		if err != nil || !ok {
			return rows, err
		}
		rows = append(rows, row)
	}
}

func wantRows(t testing.TB, got [][]any, want ...[]any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// wantRefused checks that SQL fails with exactly this text.
func wantRefused(t testing.TB, o *store.Object, want, sql string, args ...any) {
	t.Helper()
	_, err := tryQuery(o, sql, args...)
	if err == nil {
		t.Errorf("%.200q was accepted, want %q", sql, want)
		return
	}
	if _, ok := errors.AsType[*store.SQLError](err); !ok {
		t.Errorf("%.200q: error is a %T, want an *SQLError", sql, err)
	}
	if got := err.Error(); got != want {
		t.Errorf("%.200q: error is\n%q, want\n%q", sql, got, want)
	}
}

func TestStatementsTakeEffectBeforeTheirRowsAreRead(t *testing.T) {
	o := newObject(t)
	_, err := o.Exec("CREATE TABLE t (a)", nil)
	must(t, err)
	_, err = o.Exec("INSERT INTO t VALUES (1), (2), (3) RETURNING a", nil)
	must(t, err)
	if !o.Dirty() {
		t.Error("a write began no transaction")
	}
	must(t, o.Commit())
	wantRows(t, query(t, o, "SELECT count(*) FROM t"), []any{int64(3)})
	if o.Dirty() {
		t.Error("a query began a transaction")
	}
}

func TestSQLIsPartOfTheImplicitTransaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	o := openObject(t, path)
	query(t, o, "CREATE TABLE t (a)")
	query(t, o, "INSERT INTO t VALUES (1)")
	must(t, o.Put("k", []byte("1")))
	must(t, o.Commit())
	query(t, o, "INSERT INTO t VALUES (2)")
	must(t, o.Put("k", []byte("2")))
	query(t, o, "DROP TABLE t")
	must(t, o.Rollback())
	wantRows(t, query(t, o, "SELECT a FROM t"), []any{int64(1)})
	wantValue(t, o, "k", "1")
	query(t, o, "INSERT INTO t VALUES (3)")
	must(t, o.Close())

	o = openObject(t, path)
	wantRows(t, query(t, o, "SELECT a FROM t"), []any{int64(1)})
}

func TestArgumentsAreBoundAsThePlatformDoes(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (n INTEGER, x TEXT, b)")
	tests := []struct {
		name string
		arg  any
		want []any // its type, and its value from columns of INTEGER, TEXT and no affinity
	}{
		{"null", nil, []any{"null", nil, nil, nil}},
		{"number", 1.0, []any{"real", int64(1), "1.0", 1.0}},
		{"fraction", 1.5, []any{"real", 1.5, "1.5", 1.5}},
		{"infinity", math.Inf(1), []any{"real", math.Inf(1), "Inf", math.Inf(1)}},
		{"not a number", math.NaN(), []any{"null", nil, nil, nil}},
		{
			"integer", int64(math.MaxInt64),
			[]any{"integer", int64(math.MaxInt64), "9223372036854775807", int64(math.MaxInt64)},
		},
		{"text", "é\x00z", []any{"text", "é\x00z", "é\x00z", "é\x00z"}},
		{"digits", "12", []any{"text", int64(12), "12", "12"}},
		{"no text", "", []any{"text", "", "", ""}},
		{"bytes", []byte{0, 255}, []any{"blob", []byte{0, 255}, []byte{0, 255}, []byte{0, 255}}},
		{"no bytes", []byte{}, []any{"blob", []byte{}, []byte{}, []byte{}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantRows(t, query(t, o, "SELECT typeof(?)", test.arg), test.want[:1])
			wantRows(t, query(t, o, "INSERT INTO t VALUES (?1, ?1, ?1) RETURNING *", test.arg), test.want[1:])
		})
	}
	wantRows(t, query(t, o, "SELECT :b, @a, :b, ?", 1.0, 2.0, 3.0), []any{1.0, 2.0, 1.0, 3.0})

	wantRows(t, query(t, o, `SELECT "text", "n" FROM (SELECT 1 AS n)`), []any{"text", int64(1)})

	_, err := o.Exec("SELECT ?, ?", []any{nil, 7})
	wantOneLine(t, err, "argument 2", "int", "pass")
}

func TestBlobsAreCopies(t *testing.T) {
	o := newObject(t)
	in := []byte("abc")
	c, err := o.Exec("SELECT ? UNION ALL SELECT 2", []any{in})
	must(t, err)
	in[0] = 'x'
	row, _, err := c.Next()
	must(t, err)
	_, err = rest(c)
	must(t, err)
	if got := string(row[0].([]byte)); got != "abc" {
		t.Errorf("blob is %q, want %q", got, "abc")
	}
}

func TestSeveralStatements(t *testing.T) {
	const none = "SQL code did not contain a statement."
	tests := []struct{ name, sql, err, want string }{
		{"one", "INSERT INTO log VALUES ('a')", "", "a"},
		{"in order", "INSERT INTO log VALUES ('a'); INSERT INTO log VALUES ('b');\n", "", "a b"},
		{"all rows of a query before", "SELECT * FROM big; INSERT INTO log VALUES ('a')", "", "a"},
		{"later one fails to run",
			"INSERT INTO log VALUES ('a'); INSERT INTO log VALUES (NULL); INSERT INTO log VALUES ('c')",
			"NOT NULL constraint failed: log.x: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_NOTNULL)", "a"},
		{"later one fails to parse", "INSERT INTO log VALUES ('a'); nonsense",
			`near "nonsense": syntax error at offset 0: SQLITE_ERROR`, "a"},
		{
			"uses the statements before",
			"CREATE TABLE made (x); INSERT INTO made VALUES ('a'); INSERT INTO log SELECT x FROM made",
			"", "a",
		},
		{"white space after", "INSERT INTO log VALUES ('a'); \t\r\n\v\f", "", "a"},
		{"comments before", " \n\ufeff-- one\n/* two */ /* ; */ INSERT INTO log VALUES ('a')", "", "a"},
		{"comment within", "INSERT INTO log /* ; */ VALUES ('a') -- end", "", "a"},
		{"comment after", "INSERT INTO log VALUES ('a'); -- end", none, "a"},
		{"two semicolons", "INSERT INTO log VALUES ('a');;", none, "a"},
		{"nothing", "", none, ""},
		{"white space", " \n", none, ""},
		{"vertical tab behind white space", " \v", none, ""},
		{"vertical tab", "\v", "unrecognized token: \"\v\" at offset 0: SQLITE_ERROR", ""},
		{"semicolon", ";", none, ""},
		{"comment", "-- INSERT INTO log VALUES ('a')", none, ""},
		{"open comment", "/* INSERT INTO log VALUES ('a')", none, ""},
		{"NUL", "INSERT INTO log VALUES ('a');\x00INSERT INTO log VALUES ('b')", none, "a"},
		{"NUL in a comment", "-- \x00\nINSERT INTO log VALUES ('a')", none, ""},
		{"parameters before the last", "INSERT INTO log VALUES (?); SELECT 1",
			"When executing multiple SQL statements in a single call, " +
				"only the last statement can have parameters.", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newObject(t)
			query(t, o, "CREATE TABLE log (x NOT NULL); CREATE TABLE big AS VALUES (1), (2), (3)")
			_, err := tryQuery(o, test.sql)
			if got := fmt.Sprint(err); got != test.err && (err != nil || test.err != "") {
				t.Errorf("error is %q, want %q", got, test.err)
			}
			var got []string
			for _, row := range query(t, o, "SELECT x FROM log") {
				got = append(got, row[0].(string))
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("log is %q, want %q", got, test.want)
			}
		})
	}
	o := newObject(t)
	wantRows(t, query(t, o, "CREATE TABLE t (a); INSERT INTO t VALUES (1); SELECT ?1 + a FROM t", 1.5), []any{2.5})
}

func TestErrorsHaveThePlatformsTexts(t *testing.T) {
	o := newObject(t)
	query(t, o, `CREATE TABLE u (x UNIQUE); CREATE TABLE p (id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0)) STRICT;
		CREATE TABLE c (p REFERENCES p); INSERT INTO u VALUES (1); INSERT INTO p VALUES (1, 1)`)
	const bindings = "Wrong number of parameter bindings for SQL query."
	tests := []struct {
		sql  string
		args []any
		want string
	}{
		{"selec 1", nil, `near "selec": syntax error at offset 0: SQLITE_ERROR`},
		{"SELECT * FROM nope", nil, "no such table: nope: SQLITE_ERROR"},
		{"DELETE FROM nope", nil, "no such table: nope: SQLITE_ERROR"},
		{"SELECT 'é', nope", nil, "no such column: nope at offset 13: SQLITE_ERROR"},
		{"select\x00 1", nil, "incomplete input: SQLITE_ERROR"},
		{
			"INSERT INTO u VALUES (1)", nil,
			"UNIQUE constraint failed: u.x: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
		},
		{
			"INSERT INTO p VALUES (1, 2)", nil,
			"UNIQUE constraint failed: p.id: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
		},
		{
			"INSERT INTO p VALUES (2, 0)", nil,
			"CHECK constraint failed: n > 0: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_CHECK)",
		},
		{
			"INSERT INTO p VALUES (2, 'a')", nil,
			"cannot store TEXT value in INTEGER column p.n: " +
				"SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_DATATYPE)",
		},
		{
			"INSERT INTO c VALUES (9)", nil,
			"FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
		},
		{"SELECT abs(-9223372036854775807 - 1)", nil, "integer overflow: SQLITE_ERROR"},
		{"SELECT ?", nil, bindings},
		{"SELECT 1", []any{1.0}, bindings},
		{"SELECT ?2", []any{1.0}, bindings},
	}
	for _, test := range tests {
		wantRefused(t, o, test.want, test.sql, test.args...)
	}
	if got := query(t, o, "SELECT count(*) FROM u"); got[0][0] != int64(1) {
		t.Errorf("count is %v after refused writes, want 1", got)
	}
}

func TestErrorBetweenTwoRowsEndsTheCursor(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t AS VALUES (1), (2), (-9223372036854775808), (4)")
	c, err := o.Exec("SELECT abs(column1) FROM t", nil)
	must(t, err)
	rows, err := rest(c)
	wantRows(t, rows, []any{int64(1)})
	wantOneLine(t, err, "integer overflow: SQLITE_ERROR")
	if _, ok, again := c.Next(); ok || again == nil || again.Error() != err.Error() {
		t.Errorf("Next after the error: %t, %v, want the same error", ok, again)
	}
	must(t, c.Close())
}

func TestForeignKeysAreOnAndCanBeDeferred(t *testing.T) {
	o := newObject(t)
	wantRows(t, query(t, o, "PRAGMA foreign_keys"), []any{int64(1)})
	query(t, o, "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p ON DELETE CASCADE)")
	must(t, o.Commit())

	query(t, o, "PRAGMA defer_foreign_keys = ON")
	wantMissing(t, o, "k")
	query(t, o, "INSERT INTO c VALUES (1); INSERT INTO p VALUES (1)")
	must(t, o.Commit())
	wantRefused(t, o, "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)",
		"INSERT INTO c VALUES (2)")
	query(t, o, "DELETE FROM p")
	wantRows(t, query(t, o, "SELECT * FROM c"))
	must(t, o.Commit())

	query(t, o, "PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (3)")
	wantOneLine(t, o.Commit(), "commit", "FOREIGN KEY")
	wantRows(t, query(t, o, "SELECT * FROM c"))

	for range 2 { // the same text twice, because a pragma takes effect while it is prepared
		query(t, o, "PRAGMA foreign_keys = OFF")
		wantRows(t, query(t, o, "PRAGMA foreign_keys"), []any{int64(0)})
		query(t, o, "PRAGMA foreign_keys = ON")
		wantRows(t, query(t, o, "PRAGMA foreign_keys"), []any{int64(1)})
	}
}

func TestFullDiskInSQLEndsTheWholeTransaction(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (b)")
	must(t, o.Commit())
	must(t, o.FillDisk(4))
	must(t, o.Put("k", []byte("v")))
	must(t, o.Savepoint())
	_, err := tryQuery(o, "INSERT INTO t VALUES (zeroblob(1000000))")
	if !errors.Is(err, store.ErrFull) || err.Error() != "database or disk is full: SQLITE_FULL" {
		t.Fatalf("error is %v, want the platform's, which is ErrFull", err)
	}
	if _, err := o.Exec("SELECT 1", nil); !errors.Is(err, store.ErrFull) {
		t.Errorf("Exec after the failure: %v, want ErrFull", err)
	}
	if err := o.RollbackTo(); !errors.Is(err, store.ErrFull) {
		t.Errorf("RollbackTo after the failure: %v, want ErrFull", err)
	}
	if err := o.Commit(); !errors.Is(err, store.ErrFull) {
		t.Errorf("Commit after the failure: %v, want ErrFull", err)
	}
	wantMissing(t, o, "k")
	query(t, o, "INSERT INTO t VALUES (1)")
	must(t, o.Commit())
}

func TestOrRollbackEndsTheWholeTransaction(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)")
	must(t, o.Commit())
	must(t, o.Put("k", nil))
	if _, err := tryQuery(o, "INSERT OR ROLLBACK INTO t VALUES (1)"); err == nil {
		t.Fatal("a duplicate was accepted")
	}
	wantOneLine(t, o.Put("k2", nil), "put", "the transaction ended", "UNIQUE")
	wantOneLine(t, o.Commit(), "commit", "UNIQUE")
	wantMissing(t, o, "k")
}

func TestClosedObjectRunsNoSQL(t *testing.T) {
	o := newObject(t)
	must(t, o.Close())
	o.SetLimits(store.LocalLimits)
	_, err := o.Exec("SELECT 1", nil)
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Exec: %v, want fs.ErrClosed", err)
	}
	wantOneLine(t, err, "run SQL")
	for _, call := range []func() error{
		o.Savepoint, o.Release, o.RollbackTo, func() error { _, err := o.DatabaseSize(); return err },
	} {
		if err := call(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("error is %v, want fs.ErrClosed", err)
		}
	}
}

func TestDatabaseSize(t *testing.T) {
	o := newObject(t)
	wantSize := func(want int64) {
		t.Helper()
		got, err := o.DatabaseSize()
		must(t, err)
		if got != want {
			t.Errorf("DatabaseSize() = %d, want %d", got, want)
		}
	}
	wantSize(4096)
	query(t, o, "CREATE TABLE t (b)")
	wantSize(2 * 4096)
	query(t, o, "INSERT INTO t VALUES (zeroblob(100 * 4096))")
	if got, _ := o.DatabaseSize(); got < 100*4096 {
		t.Errorf("DatabaseSize() = %d after 100 pages were written", got)
	}
	must(t, o.Put("k", nil))
	must(t, o.SetAlarm(epoch))
	query(t, o, "DELETE FROM t")
	wantSize(4 * 4096)
	must(t, o.DeleteAll(false))
	wantSize(4096)
}
