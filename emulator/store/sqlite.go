package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"zombiezen.com/go/sqlite"
)

// This is the only file that knows the SQLite library. The rest of the package speaks in statements, values and rows,
// and in the sentinel errors below, so that the library can be exchanged here.

// Errors that a caller may want to tell apart with errors.Is. What is returned also names the file and says what to do.
var (
	ErrCorrupt = errors.New("the file is damaged or not an SQLite database")
	ErrLocked  = errors.New("the file is in use by another program")
	ErrFull    = errors.New("the disk is full")
)

const (
	// lockWait rides out a look at the file by a tool that opens and closes it at once. Whoever holds the file longer
	// is reported rather than waited for.
	lockWait = 100 * time.Millisecond

	// maxLength is SQLite's own bound on a string or blob. The library cuts lengths to 32 bits, so that nothing longer
	// may reach it.
	maxLength = 1_000_000_000
)

// database is one connection. It is not safe for concurrent use.
type database struct {
	path string
	conn *sqlite.Conn
}

// openDatabase opens an existing file for reading and writing, and claims it: from the first read to close, no other
// connection gets in. The exclusive lock also keeps the index of the write-ahead log in memory instead of in a shared
// -shm file, so that nothing stale can be left by a process that was killed.
func openDatabase(path string) (*database, error) {
	d, err := connect(path, path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	d.conn.SetBusyTimeout(lockWait)
	if err := d.execAll("PRAGMA locking_mode=EXCLUSIVE", "PRAGMA synchronous=OFF"); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// openImmutable opens a file that nobody has open and that has no log beside it. It takes no lock and makes no file.
func openImmutable(path string) (*database, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	slashed := filepath.ToSlash(abs)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a Windows drive letter
	}
	uri := url.URL{Scheme: "file", Path: slashed, RawQuery: "immutable=1"}
	return connect(path, uri.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
}

// openMemory opens an empty database in memory.
func openMemory() (*database, error) {
	return connect("memory", ":memory:", sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenMemory)
}

func connect(path, name string, flags sqlite.OpenFlags) (*database, error) {
	conn, err := sqlite.OpenConn(name, flags)
	if err != nil {
		return nil, explain(path, err)
	}
	return &database{path: path, conn: conn}, nil
}

func (d *database) close() error {
	if err := d.conn.Close(); err != nil {
		return explain(d.path, err)
	}
	return nil
}

// useWAL switches the file to write-ahead logging, which the file then remembers.
func (d *database) useWAL() error {
	var mode string
	if err := d.each("PRAGMA journal_mode=WAL", func(r row) bool { mode = r.text(0); return false }); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("%s: journal mode is %q where \"wal\" is needed: move the state to a local disk", d.path, mode)
	}
	return nil
}

// inTransaction reports whether a transaction is open. SQLite closes one by itself when the disk fails it.
func (d *database) inTransaction() bool { return !d.conn.AutocommitEnabled() }

// exec runs one statement whose rows, if any, do not matter.
func (d *database) exec(query string, args ...value) error {
	return d.each(query, func(row) bool { return true }, args...)
}

// execAll runs statements one after the other, without keeping them prepared.
func (d *database) execAll(queries ...string) error {
	for _, q := range queries {
		if err := d.execOnce(q); err != nil {
			return err
		}
	}
	return nil
}

// execOnce is exec without arguments, for a statement that is not worth keeping prepared.
func (d *database) execOnce(query string) error {
	stmt, _, err := d.conn.PrepareTransient(query)
	if err != nil {
		return explain(d.path, err)
	}
	defer stmt.Finalize()
	for more := true; more; {
		if more, err = stmt.Step(); err != nil {
			return explain(d.path, err)
		}
	}
	return nil
}

// each runs one statement and hands its rows to visit until that returns false. The statement stays prepared for the
// life of the connection. A row is valid only during its visit, and visit must not use the database.
func (d *database) each(query string, visit func(row) bool, args ...value) error {
	stmt, err := d.conn.Prepare(query)
	if err != nil {
		return explain(d.path, err)
	}
	// Leaves neither a read transaction open nor a large argument in memory. Both report again what Step reported.
	defer func() {
		stmt.Reset()
		stmt.ClearBindings()
	}()
	for i, arg := range args {
		if err := arg.bind(stmt, i+1); err != nil {
			return err
		}
	}
	for {
		more, err := stmt.Step()
		if err != nil {
			return explain(d.path, err)
		}
		if !more || !visit(row{stmt}) {
			return nil
		}
	}
}

// image returns the database as the content of a file in WAL mode.
func (d *database) image() ([]byte, error) {
	image, err := d.conn.Serialize("main")
	if err != nil {
		return nil, explain(d.path, err)
	}
	const writeVersion, readVersion, wal = 18, 19, 2 // https://www.sqlite.org/fileformat2.html, section 1.3.3
	image[writeVersion], image[readVersion] = wal, wal
	return image, nil
}

// value is an argument of a statement. The zero value is NULL.
type value struct {
	kind    valueKind
	integer int64
	text    string
	blob    []byte
}

type valueKind uint8

const (
	kindNull valueKind = iota
	kindInteger
	kindText
	kindBlob
)

func integer(n int64) value { return value{kind: kindInteger, integer: n} }
func text(s string) value   { return value{kind: kindText, text: s} }
func blob(b []byte) value   { return value{kind: kindBlob, blob: b} }

func (v value) bind(stmt *sqlite.Stmt, param int) error {
	if n := max(len(v.text), len(v.blob)); n > maxLength {
		return fmt.Errorf("%d bytes are more than a database can hold in one place (%d)", n, maxLength)
	}
	switch v.kind {
	case kindNull:
		stmt.BindNull(param)
	case kindInteger:
		stmt.BindInt64(param, v.integer)
	case kindText:
		stmt.BindText(param, v.text)
	case kindBlob:
		stmt.BindBytes(param, v.blob)
	}
	return nil
}

// row is the current row of a statement. Columns count from 0.
type row struct{ stmt *sqlite.Stmt }

func (r row) null(col int) bool     { return r.stmt.ColumnIsNull(col) }
func (r row) integer(col int) int64 { return r.stmt.ColumnInt64(col) }
func (r row) text(col int) string   { return r.stmt.ColumnText(col) }
func (r row) size(col int) int      { return r.stmt.ColumnLen(col) }

// blob returns a copy, which is never nil.
func (r row) blob(col int) []byte {
	b := make([]byte, r.stmt.ColumnLen(col))
	r.stmt.ColumnBytes(col, b)
	return b
}

// explain turns an error of the library into one that names the file and says what to do.
func explain(path string, err error) error {
	code := sqlite.ErrCode(err)
	if code == sqlite.ResultIOErrLock { // also what a read-only file answers, which SQLite opens all the same
		return fmt.Errorf("%s: the file cannot be locked for writing: check its owner and permissions, and that it is on a local disk (%w)", path, err)
	}
	switch code.ToPrimary() {
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return fmt.Errorf("%s: %w: stop the other devtool or database tool that has it open, then try again (%w)", path, ErrLocked, err)
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%s: %w: restore a copy of it, or move it away to start empty (%w)", path, ErrCorrupt, err)
	case sqlite.ResultFull:
		return fmt.Errorf("%s: %w: free some space, then try again (%w)", path, ErrFull, err)
	case sqlite.ResultReadOnly, sqlite.ResultCantOpen, sqlite.ResultPerm:
		return fmt.Errorf("%s: the file or its folder is not writable: check their owner and permissions (%w)", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// explainFile is explain for an error of the operating system.
func explainFile(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s: %w: free some space, then try again (%w)", path, ErrFull, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: the file or its folder is not writable: check their owner and permissions (%w)", path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}
