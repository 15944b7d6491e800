package world

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// all runs a query and returns its values as text.
func (c *call) all(query string, args ...any) (string, error) {
	rows, err := c.exec(query, args...)
	for err == nil && rows.More {
		var page *wire.Rows
		page, err = c.nextRows(rows.Cursor)
		rows.Values, rows.More, rows.Read = append(rows.Values, page.Values...), page.More, page.Read
	}
	if err != nil {
		return "", err
	}
	return strings.Trim(fmt.Sprint(rows.Values), "[]"), nil
}

// sqlScript returns a program whose objects create a table t when they are constructed, and change
// it by request.
func sqlScript() *script {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"construct": func(c *call) (string, error) {
			_, err := c.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, note TEXT)")
			return "", err
		},
		"/all": func(c *call) (string, error) { return c.all("SELECT id, note FROM t ORDER BY id") },
		"/one": func(c *call) (string, error) { return c.all("INSERT INTO t VALUES (?, ?)", float64(1), "one") },
	}
	return s
}

func TestSQLIsStoredWithTheTurn(t *testing.T) {
	s := sqlScript()
	w := newWorld(t, s)
	w.want("a", "/one", "")
	w.want("a", "/all", "1 one")
	w.restart(s)
	w.want("a", "/all", "1 one")
	w.want("b", "/all", "")
}

func TestSQLStatementsBeforeTheOneThatFailsStay(t *testing.T) {
	s := sqlScript()
	s.handlers["/fail"] = func(c *call) (string, error) {
		_, err := c.all("INSERT INTO t VALUES (2, 'two'); INSERT INTO nowhere VALUES (1)")
		return err.Error(), nil
	}
	w := newWorld(t, s)
	w.want("a", "/fail", "no such table: nowhere: SQLITE_ERROR")
	w.want("a", "/all", "2 two")
}

func TestSQLErrorsHaveTheirCode(t *testing.T) {
	s := sqlScript()
	s.handlers["/twice"] = func(c *call) (string, error) {
		_, err := c.exec("INSERT INTO t VALUES (1, '')")
		var e *wire.Error
		if !errors.As(err, &e) {
			return "no error", nil
		}
		return e.Code + " " + e.Message, nil
	}
	s.handlers["/cut"] = func(c *call) (string, error) {
		_, err := c.exec("SELECT 1 +")
		return err.Error(), nil
	}
	w := newWorld(t, s)
	w.want("a", "/one", "")
	w.want("a", "/twice", "SQLITE_CONSTRAINT_PRIMARYKEY UNIQUE constraint failed: t.id: "+
		"SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)")
	w.want("a", "/cut", "incomplete input: SQLITE_ERROR")
}

func TestSQLTakesPartInTransactions(t *testing.T) {
	s := sqlScript()
	s.handlers["/undo"] = func(c *call) (string, error) {
		return "", unless(errNoLuck, c.transact(func() error {
			_, err := c.exec("INSERT INTO t VALUES (2, 'two')")
			return errors.Join(err, c.store("k", "lost"), errNoLuck)
		}))
	}
	w := newWorld(t, s)
	w.want("a", "/one", "")
	w.want("a", "/undo", "")
	w.want("a", "/all", "1 one")
}

func TestRowsComeInPages(t *testing.T) {
	const rows, width = 100, 5000 // several pages
	s := sqlScript()
	s.handlers["/fill"] = func(c *call) (string, error) {
		for i := range rows {
			if _, err := c.exec("INSERT INTO t VALUES (?, ?)", float64(i), strings.Repeat("x", width)); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	s.handlers["/read"] = func(c *call) (string, error) {
		rows, err := c.exec("SELECT id, length(note), note FROM t ORDER BY id")
		pages, ids := 1, fmt.Sprint(rows.Columns)
		for {
			for i := 0; i < len(rows.Values); i += 3 {
				ids += fmt.Sprintf(" %d:%d", rows.Values[i], rows.Values[i+1])
			}
			if !rows.More || err != nil {
				break
			}
			pages++
			rows, err = c.nextRows(rows.Cursor)
		}
		return fmt.Sprintf("%s in several pages: %t, read %d", ids, pages > 2, rows.Read), err
	}
	w := newWorld(t, s)
	w.want("a", "/fill", "")
	want := "[id length(note) note]"
	for i := range rows {
		want += fmt.Sprintf(" %d:%d", i, width)
	}
	w.want("a", "/read", want+fmt.Sprintf(" in several pages: true, read %d", rows))
}

// long is a query of more rows than a page has.
const long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n"

func TestACursorEndsWithItsEvent(t *testing.T) {
	s := sqlScript()
	var left *wire.Rows
	s.handlers["/leave"] = func(c *call) (_ string, err error) {
		left, err = c.exec(long)
		return "", err
	}
	s.handlers["/take"] = func(c *call) (string, error) {
		_, err := c.nextRows(left.Cursor)
		return err.Error(), nil
	}
	w := newWorld(t, s)
	w.want("a", "/leave", "")
	if n := w.object("Lab", "a").store.OpenCursors(); n != 0 || !left.More {
		t.Errorf("got %d cursors after the event, more rows: %t", n, left.More)
	}
	w.want("a", "/take", "the event has no cursor 1: it has been read to its end, or closed")
}

func TestACursorCanBeClosedTwice(t *testing.T) {
	s := sqlScript()
	s.handlers["/close"] = func(c *call) (string, error) {
		rows, err := c.exec(long)
		for range 2 {
			e := c.ask(func(ev *Event) error { return ev.CloseRows(rows.Cursor) })
			err = errors.Join(err, e)
		}
		_, e := c.nextRows(rows.Cursor)
		return fmt.Sprint(e), err
	}
	w := newWorld(t, s)
	w.want("a", "/close", "the event has no cursor 1: it has been read to its end, or closed")
}

func TestACursorOutlivesWaitsAndKeepsItsFileOpen(t *testing.T) {
	s := sqlScript()
	s.handlers["/wait"] = func(c *call) (string, error) {
		rows, err := c.exec(long)
		if err != nil {
			return "", err
		}
		n := len(rows.Values)
		if err := c.sleep(time.Second); err != nil {
			return "", err
		}
		for rows.More {
			if rows, err = c.nextRows(rows.Cursor); err != nil {
				return "", err
			}
			n += len(rows.Values)
		}
		return fmt.Sprint(n), nil
	}
	w := newWorld(t, s)
	w.stores.max = 1
	answer := make(chan string, 1)
	go func() {
		_, body := w.get("a", "/wait")
		answer <- body
	}()
	w.awaitTimer(time.Second)
	w.want("b", "/one", "") // needs a file, too
	w.want("c", "/one", "")
	w.moveOn(time.Second)
	if got := <-answer; got != "20000" {
		t.Errorf("got %s rows, want 20000", got)
	}
}

func TestRowsBeforeOneThatFailsAreReturned(t *testing.T) {
	s := sqlScript()
	s.handlers["/rows"] = func(c *call) (string, error) {
		// abs overflows in the third row. The cursor reads one row ahead.
		rows, err := c.exec("SELECT abs(column1) FROM (VALUES (1), (2), (-9223372036854775807 - 1))")
		if err != nil {
			return "", err
		}
		_, err = c.nextRows(rows.Cursor)
		return fmt.Sprint(rows.Values, rows.More, " ", err), nil
	}
	w := newWorld(t, s)
	w.want("a", "/rows", "[1] true integer overflow: SQLITE_ERROR")
}

func TestAConstraintThatDoesNotHoldAtTheEndResetsTheObject(t *testing.T) {
	const text = "Durable Object was reset and rolled back to its last known good state because " +
		"the application left the database in a state where constraints were violated: " +
		"FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)"
	s := sqlScript()
	child := func(c *call) error {
		_, err := c.exec(`CREATE TABLE IF NOT EXISTS child (t REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED);
			INSERT INTO child VALUES (99)`)
		return err
	}
	s.handlers["/child"] = func(c *call) (string, error) { return "", errors.Join(c.store("k", "lost"), child(c)) }
	s.handlers["/txn"] = func(c *call) (string, error) {
		return "", c.transact(func() error { return errors.Join(c.store("k", "lost"), child(c)) })
	}
	s.handlers["/k"] = func(c *call) (string, error) { return c.load("k"), nil }
	discarded := 0
	for _, path := range []string{"/child", "/txn"} {
		w := newWorld(t, s)
		w.want("a", "/one", "")
		if status, body := w.get("a", path); status != 500 || !strings.Contains(body, text) {
			t.Errorf("%s: got %d %q, want 500 with %q", path, status, body, text)
		}
		w.want("a", "/k", "")
		w.want("a", "/all", "1 one")
		discarded++
		eventually(t, path+": one instance was discarded", func() bool { return s.discarded() == discarded })
	}
}

func TestDatabaseSize(t *testing.T) {
	s := sqlScript()
	delete(s.handlers, "construct")
	s.handlers["/size"] = func(c *call) (string, error) {
		var size int64
		err := c.ask(func(ev *Event) (err error) { size, err = ev.DatabaseSize(); return err })
		return fmt.Sprint(size), err
	}
	w := newWorld(t, s)
	w.want("a", "/size", "4096")
}

func TestSQLThatNeverEndsEndsWithItsObject(t *testing.T) {
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
	s := sqlScript()
	started := make(chan struct{}, 1)
	s.handlers["/endless"] = func(c *call) (string, error) {
		if _, err := c.exec("INSERT INTO t VALUES (2, 'lost')"); err != nil {
			return "", err
		}
		started <- struct{}{}
		return c.all(endless)
	}
	w := newWorld(t, s)
	w.want("a", "/one", "")
	answer := make(chan string, 1)
	go func() {
		_, body := w.get("a", "/endless")
		answer <- body
	}()
	<-started
	w.want("b", "/one", "") // other objects do not wait for it
	o := w.object("Lab", "a")
	o.mu.Lock()
	turn := o.turn
	o.mu.Unlock()
	o.reset(turn, &wire.Error{Message: "enough"})
	if got := <-answer; !strings.Contains(got, "enough") {
		t.Errorf("got %q, want the reason of the reset", got)
	}
	w.want("a", "/all", "1 one")
}
