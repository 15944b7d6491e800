package durable

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// inHandlerWithDB is inHandler for a test of the object's DB.
func inHandlerWithDB(t *testing.T, test func(h handling, db *sql.DB)) {
	t.Helper()
	inHandler(t, func(h handling) {
		db := h.state.Storage.DB()
		defer db.Close() // instead of the garbage collector, which is not part of the bubble
		test(h, db)
	})
}

// answer sets the answers to the next questions for rows.
func (h handling) answer(pages ...wire.Rows) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.results = pages
}

func changes(n, id int64) wire.Rows {
	return wire.Rows{Columns: []string{"changes()", "last_insert_rowid()"}, Values: []any{n, id}}
}

func TestDBRefusesArgumentsAsSQLDoes(t *testing.T) {
	inHandlerWithDB(t, func(h handling, db *sql.DB) {
		for _, test := range []struct {
			arg  any
			want string
		}{
			{int64(1<<53 + 1), "sql: converting argument $1 type: int64 9007199254740993 is beyond ±2^53, and " +
				"numbers are bound as REAL, as the platform binds them: pass it as text"},
			{sql.Named("a", 1), `sql: converting argument with name "a" type: argument "a": SQL here has no named ` +
				`arguments: pass them in the order in which their parameters first appear`},
			{struct{}{}, "sql: converting argument $1 type: SQL has no value for a struct {}: pass its fields one by " +
				"one, or its JSON as text"},
		} {
			_, err := db.ExecContext(h.ctx, "SELECT", test.arg)
			expectError(t, err, test.want)
		}
	})
}

func TestDBCountsChanges(t *testing.T) {
	inHandlerWithDB(t, func(h handling, db *sql.DB) {
		h.answer(wire.Rows{Written: 6}, changes(3, 42))
		got, err := db.ExecContext(h.ctx, "INSERT")
		h.check(err)
		n, err := got.RowsAffected()
		h.check(err)
		id, err := got.LastInsertId()
		h.check(err)
		if n != 3 || id != 42 {
			t.Errorf("got %d rows and id %d, want 3 and 42", n, id)
		}
		h.expectSent("exec INSERT", "exec SELECT changes(), last_insert_rowid()")

		h.answer(wire.Rows{}, changes(3, 42))
		got, err = db.ExecContext(h.ctx, "CREATE TABLE")
		h.check(err)
		if n, err := got.RowsAffected(); n != 0 || err != nil {
			t.Errorf("got %d rows, %v: want none, even after earlier changes", n, err)
		}
		h.expectSent("exec CREATE TABLE")

		h.answer(wire.Rows{Cursor: 7, Columns: idAndName, Values: []any{int64(1), "a"}, More: true})
		_, err = db.ExecContext(h.ctx, "SELECT")
		h.check(err)
		h.expectSent("exec SELECT", "close rows 7")
	})
}

func TestDBReadsRowsOfAllPages(t *testing.T) {
	inHandlerWithDB(t, func(h handling, db *sql.DB) {
		h.answer(twoPages()...)
		rows, err := db.QueryContext(h.ctx, "SELECT", 1)
		h.check(err)
		var got []string
		for rows.Next() {
			var id int
			var name string
			h.check(rows.Scan(&id, &name))
			got = append(got, name)
		}
		h.check(rows.Err())
		if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		h.expectSent("exec SELECT float64(1)", "next rows 7")

		h.answer(twoPages()...)
		var name string
		h.check(db.QueryRowContext(h.ctx, "SELECT").Scan(new(int), &name))
		h.expectSent("exec SELECT", "close rows 7")

		statement, err := db.PrepareContext(h.ctx, "PREPARED")
		h.check(err)
		h.answer(twoPages()...)
		h.check(statement.QueryRowContext(h.ctx, 2).Scan(new(int), &name))
		_, err = statement.ExecContext(h.ctx, 3)
		h.check(err)
		h.check(statement.Close())
		h.expectSent("exec PREPARED float64(2)", "close rows 7", "exec PREPARED float64(3)")
	})
}

func TestDBNeedsTheContextOfItsObject(t *testing.T) {
	const noContext = "the context is not a handler's: call the method that takes one, such as QueryContext, " +
		"ExecContext or BeginTx, with the context that the handler was called with"
	inHandlerWithDB(t, func(h handling, db *sql.DB) {
		_, err := db.Query("SELECT")
		expectError(t, err, "query: "+noContext)
		_, err = db.Exec("INSERT")
		expectError(t, err, "exec: "+noContext)
		_, err = db.Begin()
		expectError(t, err, "begin transaction: "+noContext)
		_, err = db.Driver().Open("file.db")
		expectError(t, err, "the database belongs to an object: get it from its Storage.DB")

		other := &State{}
		other.Storage = newStorage(other)
		defer other.Storage.DB().Close()
		_, err = other.Storage.DB().ExecContext(h.ctx, "INSERT")
		expectError(t, err, "exec: the context belongs to another event than one of the object that the DB is of")
		if h.state.Storage.DB() != db {
			t.Error("the object has a second DB")
		}
		h.expectSent()
	})
}

func TestErrorsOfDBCarryTheirCode(t *testing.T) {
	inHandlerWithDB(t, func(h handling, db *sql.DB) {
		h.fail(wire.MethodExec, &wire.Error{Message: "no such table: t", Code: "SQLITE_ERROR"})
		_, queryErr := db.QueryContext(h.ctx, "SELECT")
		expectError(t, queryErr, "query: no such table: t")
		_, execErr := db.ExecContext(h.ctx, "INSERT")
		expectError(t, execErr, "exec: no such table: t")
		for _, err := range []error{queryErr, execErr} {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Code != "SQLITE_ERROR" {
				t.Errorf("got %#v, want an *Error with SQLite's code inside", err)
			}
		}
	})
}

func TestBeginTxIsATransactionOfTheObject(t *testing.T) {
	inHandlerWithDB(t, func(h handling, db *sql.DB) {
		tx, err := db.BeginTx(h.ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		h.check(err)
		_, err = tx.ExecContext(h.ctx, "INSERT")
		h.check(err)
		h.check(h.state.Storage.Put(h.ctx, "a", 1))
		h.check(tx.Commit())
		h.expectSent("block", "begin", "exec INSERT", "put a", "commit", "unblock")

		tx, err = db.BeginTx(h.ctx, nil)
		h.check(err)
		h.check(tx.Rollback())
		expectError(t, tx.Commit(), sql.ErrTxDone.Error())
		h.expectSent("block", "begin", "rollback", "unblock")

		_, err = db.BeginTx(h.ctx, &sql.TxOptions{ReadOnly: true})
		expectError(t, err, "begin transaction: there are no read-only transactions: leave ReadOnly out")
		h.expectSent()

		h.fail(wire.MethodCommit, &wire.Error{Message: "disk full", Code: "SQLITE_FULL"})
		tx, err = db.BeginTx(h.ctx, nil)
		h.check(err)
		expectError(t, tx.Commit(), "commit transaction: disk full")
		h.fail(wire.MethodBegin, &wire.Error{Message: "disk full"})
		_, err = db.BeginTx(h.ctx, nil)
		expectError(t, err, "begin transaction: disk full")
		h.expectSent("block", "begin", "commit", "unblock", "block", "begin", "unblock")
		h.fail(wire.MethodBlock, &wire.Error{Message: "gone"})
		_, err = db.BeginTx(h.ctx, nil)
		expectError(t, err, "transaction: gone")
		h.expectSent("block")
	})
}

func TestBeginTxDoesNotNest(t *testing.T) {
	inHandlerWithDB(t, func(h handling, db *sql.DB) {
		tx, err := db.BeginTx(h.ctx, nil)
		h.check(err)
		_, err = db.BeginTx(h.ctx, nil)
		expectError(t, err, "begin transaction: a transaction of BeginTx is open: use its Tx, or end it first")
		err = h.state.Storage.Transaction(h.ctx, func(context.Context) error { panic("it runs") })
		expectError(t, err, "begin transaction: a transaction of BeginTx is open: use its Tx, or end it first")
		h.check(tx.Commit())
		h.check(h.state.Storage.Transaction(h.ctx, func(context.Context) error {
			_, err := db.BeginTx(h.ctx, nil)
			expectError(t, err,
				"begin transaction: a transaction is open already: statements of DB() are part of it without BeginTx")
			return nil
		}))
		tx, err = db.BeginTx(h.ctx, nil)
		h.check(err)
		h.check(tx.Rollback())
	})
}

func TestATxThatIsLeftOpenIsRolledBackAndForgotten(t *testing.T) {
	var left *sql.Tx
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		db := p.state.Storage.DB()
		tx, err := db.BeginTx(r.Context(), nil)
		if err != nil {
			t.Errorf("begin: %v", err)
			return
		}
		if left != nil {
			if _, err := left.ExecContext(r.Context(), "INSERT"); !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("a Tx of another event: got error %v, want ErrTxDone", err)
			}
			if err := tx.Commit(); err != nil {
				t.Errorf("commit: %v", err)
			}
			if n := db.Stats().InUse; n != 0 {
				t.Errorf("%d connections are in use, want none", n)
			}
			db.Close()
		}
		left = tx
	})
	emulate(t, w, func(e *emulation) {
		instance := e.construct("Object", "one")
		e.fetch(instance, wire.Request{}).text()
		e.expectSent("block", "begin", "reply 200 +0 END", "rollback", "unblock")
		e.fetch(instance, wire.Request{}).text()
		e.expectSent("block", "begin", "commit", "unblock", "reply 200 +0 END")
	})
}

func TestAClientThatGoesEndsATx(t *testing.T) {
	var settled chan struct{}
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		db := p.state.Storage.DB()
		defer db.Close()
		tx, err := db.BeginTx(r.Context(), nil)
		if err != nil {
			t.Errorf("begin: %v", err)
			return
		}
		<-settled
		if err := tx.Commit(); err == nil {
			t.Error("a Tx whose context has ended was committed")
		}
		if _, err := db.ExecContext(context.WithoutCancel(r.Context()), "INSERT"); err != nil {
			t.Errorf("exec without cancel: %v", err)
		}
	})
	emulate(t, w, func(e *emulation) {
		settled = make(chan struct{})
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.settle()
		x.cancel()
		close(settled)
		x.text()
		e.expectSent("block", "begin", "rollback", "unblock", "exec INSERT", "reply 200 +0 END")
	})
}

// A DB has a goroutine. It ends when nothing refers to the object's state any more.
func TestADBGoesWithItsObject(t *testing.T) {
	db := func() *sql.DB {
		state := &State{}
		state.Storage = newStorage(state)
		return state.Storage.DB()
	}()
	deadline := time.Now().Add(time.Minute)
	for db.PingContext(t.Context()) == nil {
		if time.Now().After(deadline) {
			t.Fatal("the DB of an object that is gone is still open")
		}
		runtime.GC()
	}
}
