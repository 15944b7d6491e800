package durable

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"
	"weak"
)

// A database has the object's *sql.DB, which the first call of Storage.DB opens.
type database struct {
	once sync.Once
	db   *sql.DB
}

// DB returns the object's database, the same as SQL uses, for code that needs a *sql.DB: generated
// queries (sqlc), migrations, query builders. It always returns the same *sql.DB, which lives as
// long as the object. Do not close it.
//
// Only methods that take a context work, such as QueryContext, and only with the context of a
// handler of this object. As everywhere in database/sql they fail when the context has ended, for
// example because the client has gone. For writes that belong together and are in no Tx, use
// context.WithoutCancel(ctx).
//
// Statements belong to the object's own transaction, together with Storage and SQL. BeginTx opens a
// transaction like Storage.Transaction. Nothing else of the object runs until it has ended, for 30
// s at most. Everything that the object writes meanwhile is part of it, through the Tx or not. It
// satisfies every isolation level; ReadOnly is an error. It does not nest, in itself or in
// Storage.Transaction. If it is still open when the handler returns, it is rolled back.
//
// Arguments are bound as by SQL.Exec. In rows, TEXT is a time.Time if it has exactly the form in
// which a time.Time is bound, whatever the type of its column. database/sql turns it into RFC 3339
// for a string; SQL reads it as it is. A REAL that is a whole number is an int64. The types that
// columns are declared with are unknown, as on the platform.
func (s *Storage) DB() *sql.DB {
	d := &s.db
	d.once.Do(func() {
		d.db = sql.OpenDB(&dbConnector{state: weak.Make(s.state)})
		// A DB has a goroutine, which must neither keep the object in memory nor outlive it.
		//nolint:errcheck // the object is gone
		runtime.AddCleanup(s.state, func(db *sql.DB) { db.Close() }, d.db)
	})
	return d.db
}

// A dbConnector makes the connections of one object's DB. They have no state: a call belongs to the
// invocation of its context.
type dbConnector struct{ state weak.Pointer[State] }

var (
	_ driver.Connector          = (*dbConnector)(nil)
	_ driver.ConnBeginTx        = (*dbConn)(nil)
	_ driver.ConnPrepareContext = (*dbConn)(nil)
	_ driver.ExecerContext      = (*dbConn)(nil)
	_ driver.QueryerContext     = (*dbConn)(nil)
	_ driver.NamedValueChecker  = (*dbConn)(nil)
	_ driver.StmtExecContext    = (*dbStmt)(nil)
	_ driver.StmtQueryContext   = (*dbStmt)(nil)
)

func (c *dbConnector) Connect(context.Context) (driver.Conn, error) { return &dbConn{c}, nil }

func (c *dbConnector) Driver() driver.Driver { return dbDriver{} }

type dbDriver struct{}

func (dbDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("the database belongs to an object: get it from its Storage.DB")
}

var errNoContext = errors.New("the context is not a handler's: call the method that takes one, " +
	"such as QueryContext, ExecContext or BeginTx, with the context that the handler was called with")

func (c *dbConnector) invocation(ctx context.Context) (*invocation, error) {
	inv := invocationOf(ctx)
	if inv == nil {
		return nil, errNoContext
	}
	if state := c.state.Value(); state == nil || inv.state != state {
		return nil, errors.New("the context belongs to another event than one of the object that the DB is of")
	}
	return inv, nil
}

// A dbConn is a connection for database/sql.
type dbConn struct{ *dbConnector }

func (c *dbConn) Close() error { return nil }

func (c *dbConn) Begin() (driver.Tx, error) { return nil, errNoContext }

func (c *dbConn) Prepare(query string) (driver.Stmt, error) { return &dbStmt{c, query}, nil }

// PrepareContext prepares nothing, because the emulator caches statements.
func (c *dbConn) PrepareContext(_ context.Context, query string) (driver.Stmt, error) {
	return c.Prepare(query)
}

func (c *dbConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	inv, err := c.invocation(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	if o.ReadOnly {
		return nil, errors.New("begin transaction: there are no read-only transactions: leave ReadOnly out")
	}
	txn, err := inv.state.begin(inv, true)
	if err != nil {
		return nil, err
	}
	return dbTx{txn}, nil
}

// A dbTx is a transaction for database/sql, which ends it exactly once, or when its context ends.
type dbTx struct{ txn *transaction }

func (t dbTx) Commit() error   { return t.txn.finish(true, nil) }
func (t dbTx) Rollback() error { return t.txn.finish(false, nil) }

func (c *dbConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	inv, err := c.invocation(ctx)
	if err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	inv.state.execMu.Lock()
	defer inv.state.execMu.Unlock()
	rows, err := inv.exec(query, ordered(args))
	if err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	if rows.more {
		if err := inv.closeRows(rows.cursor); err != nil {
			return nil, fmt.Errorf("exec: %w", err)
		}
	}
	if rows.written == 0 {
		return dbResult{}, nil
	}
	// rows.written counts indexes as well, so the numbers come from SQLite. The next write
	// overwrites them.
	rows, err = inv.exec("SELECT changes(), last_insert_rowid()", nil)
	if err != nil {
		return nil, fmt.Errorf("exec: count changes: %w", err)
	}
	var r dbResult
	if err := newCursor(inv, rows).One(&r.changes, &r.id); err != nil {
		return nil, fmt.Errorf("exec: count changes: %w", err)
	}
	return r, nil
}

// A dbResult says what the last statement has changed.
type dbResult struct{ changes, id int64 }

func (r dbResult) LastInsertId() (int64, error) { return r.id, nil }
func (r dbResult) RowsAffected() (int64, error) { return r.changes, nil }

func (c *dbConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	inv, err := c.invocation(ctx)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	inv.state.execMu.Lock()
	defer inv.state.execMu.Unlock()
	r, err := inv.exec(query, ordered(args))
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return dbRows{newCursor(inv, r)}, nil
}

func ordered(args []driver.NamedValue) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = arg.Value
	}
	return values
}

// CheckNamedValue converts an argument for SQL.
func (c *dbConn) CheckNamedValue(v *driver.NamedValue) (err error) {
	if v.Name != "" {
		return fmt.Errorf("argument %q: SQL here has no named arguments: "+
			"pass them in the order in which their parameters first appear", v.Name)
	}
	v.Value, err = bind(v.Value)
	return err
}

// A dbStmt is a query without its arguments.
type dbStmt struct {
	conn  *dbConn
	query string
}

func (s *dbStmt) Close() error { return nil }

// NumInput returns -1: the number of parameters is unknown before the query runs.
func (s *dbStmt) NumInput() int { return -1 }

func (s *dbStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }
func (s *dbStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errNoContext }

func (s *dbStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

func (s *dbStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}

// dbRows is a Cursor for database/sql.
type dbRows struct{ cursor *Cursor }

func (r dbRows) Columns() []string { return r.cursor.columns }

func (r dbRows) Close() error { return r.cursor.Close() }

// Next must not depend on the declared types of columns: the platform has none.
func (r dbRows) Next(dest []driver.Value) error {
	if !r.cursor.Next() {
		if r.cursor.err != nil {
			return r.cursor.err
		}
		return io.EOF
	}
	for i, v := range r.cursor.row {
		if text, ok := v.(string); ok {
			if t, ok := boundTime(text); ok {
				v = t
			}
		}
		dest[i] = wholeAsInteger(v)
	}
	return nil
}

// boundTime returns the time that bindTime has made s of. Any other text is not a time.
func boundTime(s string) (time.Time, bool) {
	if len(s) != len(timeFormat) || s[len(s)-1] != 'Z' {
		return time.Time{}, false
	}
	t, err := time.Parse(timeFormat, s)
	// Parse takes a comma for the point.
	return t, err == nil && t.Format(timeFormat) == s
}
