package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// Only this file, statement.go and engine.go use the SQLite library. The rest of the package uses
// statements, values, rows and the sentinel errors below, so that another library needs changes
// only there.

// These errors are for errors.Is. The errors returned also name the file and say what to do.
var (
	ErrCorrupt = errors.New("the file is damaged or not an SQLite database")
	ErrLocked  = errors.New("the file is in use by another program")
	ErrFull    = errors.New("the disk is full")
)

const (
	// lockWait bridges a short look at the file by a tool that opens and closes it at once. If a
	// process holds the file longer, opening it fails with ErrLocked.
	lockWait = 100 * time.Millisecond

	// maxLength is SQLite's own bound on a string or blob. The library cuts lengths to 32 bits, so
	// nothing longer may reach it.
	maxLength = 1_000_000_000
)

// database is one connection. It is not safe for concurrent use.
type database struct {
	path string
	conn *sqlite.Conn
	rule rule // decides about each action of a statement while it is prepared and run; nil allows all
}

// openDatabase opens an existing file for reading and writing, and locks it: from the first read to
// close, no other connection can use it. The exclusive lock also keeps the index of the write-ahead
// log in memory instead of a shared -shm file. So a process that was killed leaves no stale index.
func openDatabase(path string) (*database, error) {
	d, err := connect(path, path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	d.conn.SetBusyTimeout(lockWait)
	err = d.execAll("PRAGMA locking_mode=EXCLUSIVE", "PRAGMA synchronous=OFF")
	if err == nil {
		err = d.turnOn(lib.SQLITE_DBCONFIG_ENABLE_FKEY) // as PRAGMA foreign_keys does, without a statement
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// openImmutable opens a file that has no log beside it and that no process has open. It takes no
// lock and creates no file.
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
	closing.Lock()
	conn, err := sqlite.OpenConn(name, flags)
	closing.Unlock()
	if err != nil {
		return nil, explain(path, err)
	}
	return &database{path: path, conn: conn}, nil
}

// engine returns the C thread state and a C handle that the library does not export. They are
// needed for the few SQLite calls that the library does not offer. of is a connection or a
// statement, and field is the name of the handle in the library's struct.
func (d *database) engine(of any, field string) (*libc.TLS, uintptr) {
	tls := (*libc.TLS)(reflect.ValueOf(d.conn).Elem().FieldByName("tls").UnsafePointer())
	return tls, uintptr(reflect.ValueOf(of).Elem().FieldByName(field).Uint())
}

// allowQuotedText makes the engine treat an unknown name in double quotes as text. SQLite and
// workerd do so by default, and the library does not.
func (d *database) allowQuotedText() error {
	if err := d.turnOn(lib.SQLITE_DBCONFIG_DQS_DDL); err != nil {
		return err
	}
	return d.turnOn(lib.SQLITE_DBCONFIG_DQS_DML)
}

// turnOn turns an option of the connection on.
func (d *database) turnOn(option int32) error {
	tls, conn := d.engine(d.conn, "conn")
	on := libc.NewVaList(int32(1), uintptr(0))
	defer libc.Xfree(tls, on)
	if err := sqlite.ResultCode(lib.Xsqlite3_db_config(tls, conn, option, on)).ToError(); err != nil {
		return explain(d.path, err)
	}
	return nil
}

// interrupt ends the connection's current operation. Unlike the other methods it may be called
// during one, but not once close has begun. It reads only fields of the connection that never
// change, and uses a C thread state of its own.
func (d *database) interrupt() {
	_, conn := d.engine(d.conn, "conn")
	tls := libc.NewTLS()
	defer tls.Close()
	lib.Xsqlite3_interrupt(tls, conn)
}

// closing is held for reading while a connection is closed, and for writing while one is opened.
// The library identifies connections by their address, and forgets one only after its address was
// freed. Without the lock, a new connection at the same address would lose its rule, and the next
// statement would panic.
var closing sync.RWMutex

func (d *database) close() error {
	closing.RLock()
	err := d.conn.Close()
	closing.RUnlock()
	if err != nil {
		return explain(d.path, err)
	}
	return nil
}

// useWAL switches the file to write-ahead logging. The file records the mode.
func (d *database) useWAL() error {
	var mode string
	if err := d.each("PRAGMA journal_mode=WAL", func(r row) bool { mode = r.text(0); return false }); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("%s: the journal mode is %q, want \"wal\": move the state to a local disk", d.path, mode)
	}
	return nil
}

// logGone reports whether an open file has no write-ahead log beside it. SQLite makes one when it
// opens the file, and goes on with a deleted one.
func logGone(path string) bool {
	_, err := os.Lstat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist)
}

// mergeLog writes the write-ahead log into the file, as far as no statement that runs needs it.
func (d *database) mergeLog() error { return d.execOnce("PRAGMA wal_checkpoint(PASSIVE)") }

// commit ends the transaction. A violated deferred constraint is an error of the user's SQL, an
// *SQLError.
func (d *database) commit() error {
	err := d.exec("COMMIT")
	if err != nil && sqlite.ErrCode(err).ToPrimary() == sqlite.ResultConstraint {
		return newSQLError(err)
	}
	return err
}

// inTransaction reports whether a transaction is open. SQLite ends one by itself when the disk
// fails.
func (d *database) inTransaction() bool { return !d.conn.AutocommitEnabled() }

// exec runs one statement and ignores its rows.
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

// each runs one statement and calls visit with its rows until visit returns false. The statement
// stays prepared as long as the connection is open. A row is valid only during its visit, and visit
// must not use the database.
func (d *database) each(query string, visit func(row) bool, args ...value) error {
	stmt, err := d.conn.Prepare(query)
	if err != nil {
		return explain(d.path, err)
	}
	// Otherwise a read transaction would stay open, and a large argument in memory. Both calls only
	// return the error of Step again.
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
	setVersions(image, wal)
	return image, nil
}

// load replaces the content of a database in memory by an image.
func (d *database) load(image []byte) error {
	image = slices.Clone(image)
	setVersions(image, rollback) // there is no log in memory
	if err := d.conn.Deserialize("main", image); err != nil {
		return explain(d.path, err)
	}
	return nil
}

// setVersions sets how an image, once it is a file, is to be written and read.
func setVersions(image []byte, version byte) { image[18], image[19] = version, version }

// The versions of https://www.sqlite.org/fileformat2.html, section 1.3.3.
const (
	rollback = 1 // with a rollback journal
	wal      = 2 // with a write-ahead log
)

// changedRows returns how many rows all statements of the connection have changed, also by
// triggers. It does not count changes of the schema.
func (d *database) changedRows() int64 {
	tls, conn := d.engine(d.conn, "conn")
	return lib.Xsqlite3_total_changes64(tls, conn)
}

// limitStatements sets the limits of statements other than lengths, which limitLength sets.
func (d *database) limitStatements(functionArguments int) {
	for limit, n := range map[sqlite.Limit]int{
		sqlite.LimitColumn:            maxColumns,
		sqlite.LimitExprDepth:         maxExpressionDepth,
		sqlite.LimitCompoundSelect:    maxCompoundTerms,
		sqlite.LimitFunctionArg:       functionArguments,
		sqlite.LimitAttached:          0,
		sqlite.LimitLikePatternLength: maxPatternLength,
		sqlite.LimitVariableNumber:    maxParameters,
		sqlite.LimitTriggerDepth:      maxTriggerDepth,
		sqlite.LimitWorkerThreads:     0,
	} {
		d.conn.Limit(limit, int32(n))
	}
}

// limitLength sets the limit of strings, blobs and rows, in bytes.
func (d *database) limitLength(n int) { d.conn.Limit(sqlite.LimitLength, int32(n)) }

// A rule decides what a statement may do, and may record it.
type rule interface {
	allow(action) bool
}

// action is one thing that a statement does.
type action struct {
	op       op
	database string // "main", "temp" or none
	object   string // the table, index, trigger, view, pragma or function
	trigger  string // the trigger or view that does it, or "" for the statement itself
	other    string // the table of an index or a trigger, the module of a virtual table, the argument of a pragma
}

// op is a kind of action, as far as rules distinguish them.
type op uint8

const (
	opForbidden   op = iota // never allowed, such as ATTACH
	opSelect                // recursive ones too
	opRead                  // columns of a table
	opInsert                // rows
	opUpdate                // one column
	opDelete                // rows
	opDefine                // make or remove a table, index, trigger or view
	opAlter                 // a table
	opModule                // make or remove a virtual table
	opMaintain              // ANALYZE
	opReindex               // fill an index again
	opPragma                // read or set
	opFunction              // call
	opTransaction           // BEGIN, SAVEPOINT and their ends
)

var ops = map[sqlite.OpType]op{
	sqlite.OpSelect: opSelect, sqlite.OpRecursive: opSelect, sqlite.OpRead: opRead,
	sqlite.OpInsert: opInsert, sqlite.OpUpdate: opUpdate, sqlite.OpDelete: opDelete,
	sqlite.OpCreateTable: opDefine, sqlite.OpDropTable: opDefine,
	sqlite.OpCreateIndex: opDefine, sqlite.OpDropIndex: opDefine, sqlite.OpReindex: opReindex,
	sqlite.OpCreateTrigger: opDefine, sqlite.OpDropTrigger: opDefine,
	sqlite.OpCreateView: opDefine, sqlite.OpDropView: opDefine,
	sqlite.OpAlterTable: opAlter, sqlite.OpCreateVTable: opModule, sqlite.OpDropVTable: opModule,
	sqlite.OpAnalyze: opMaintain, sqlite.OpPragma: opPragma, sqlite.OpFunction: opFunction,
	sqlite.OpTransaction: opTransaction, sqlite.OpSavepoint: opTransaction,
}

// useRule makes the engine ask the current rule, if there is one. The engine asks while it prepares
// a statement. It also does so in the middle of a step, after a change of the schema and for a
// virtual table.
func (d *database) useRule() error {
	err := d.conn.SetAuthorizer(sqlite.AuthorizeFunc(func(a sqlite.Action) sqlite.AuthResult {
		if d.rule == nil || d.rule.allow(newAction(a)) {
			return sqlite.AuthResultOK
		}
		return sqlite.AuthResultDeny
	}))
	if err != nil {
		return explain(d.path, err)
	}
	return nil
}

func newAction(a sqlite.Action) action {
	to := action{op: ops[a.Type()], database: a.Database(), trigger: a.Accessor()}
	switch to.op {
	case opDefine, opReindex:
		to.object, to.other = cmp.Or(a.Index(), a.Trigger(), a.View(), a.Table()), a.Table()
	case opModule:
		to.object, to.other = a.Table(), a.Module()
	case opPragma:
		to.object, to.other = a.Pragma(), a.PragmaArg()
	case opFunction:
		// The library has no accessor for the name. If it renames the field, the rule allows no
		// function any more.
		to.object = reflect.ValueOf(a).FieldByName("arg2").String()
	default:
		to.object = a.Table()
	}
	return to
}

// newSQLError extracts the engine's own text and codes from an error of the library.
func newSQLError(err error) *SQLError {
	code := sqlite.ErrCode(err)
	e := &SQLError{Code: code.ToPrimary().String(), Extended: extendedCodes[code], Offset: -1}
	if e.Extended == "" {
		e.Extended = code.String()
	}
	if offset, ok := sqlite.ErrorOffset(err); ok {
		e.Offset = offset
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	e.Message = strings.TrimPrefix(err.Error(), code.Message()+": ")
	return e
}

// extendedCodes are the codes for which the library has no name.
var extendedCodes = map[sqlite.ResultCode]string{
	sqlite.ResultConstraint | 11<<8: "SQLITE_CONSTRAINT_PINNED",
	sqlite.ResultConstraint | 12<<8: "SQLITE_CONSTRAINT_DATATYPE",
}

// explain turns an error of the library into one that names the file and says what to do.
func explain(path string, err error) error {
	code := sqlite.ErrCode(err)
	if code == sqlite.ResultIOErrLock { // a read-only file causes it too: SQLite opens it nevertheless
		return fmt.Errorf("%s: the file cannot be locked for writing: "+
			"check its owner and permissions, and that it is on a local disk (%w)", path, err)
	}
	switch code.ToPrimary() {
	case sqlite.ResultInterrupt: // it was meant for the user's SQL, and hit a statement of our own
		return newSQLError(err)
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return fmt.Errorf("%s: %w: stop the other devtool or database tool that has it open, then try again (%w)",
			path, ErrLocked, err)
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%s: %w: "+mend+" (%w)", path, ErrCorrupt, err)
	case sqlite.ResultFull:
		return fmt.Errorf("%s: %w: free some space, then try again (%w)", path, ErrFull, err)
	case sqlite.ResultReadOnly, sqlite.ResultCantOpen, sqlite.ResultPerm:
		return notWritable(path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// mend says what to do about a damaged file.
const mend = "restore a copy of it, or move it away to start empty"

// damaged returns an ErrCorrupt for the file at path, and says why.
func damaged(path, why string) error { return fmt.Errorf("%s: %w (%s): "+mend, path, ErrCorrupt, why) }

// explainFile is explain for an error of the operating system.
func explainFile(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s: %w: free some space, then try again (%w)", path, ErrFull, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return notWritable(path, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

func notWritable(path string, err error) error {
	return fmt.Errorf("%s: the file or its folder is not writable: check their owner and permissions (%w)", path, err)
}
