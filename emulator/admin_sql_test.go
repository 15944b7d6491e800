package emulator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

const endlessSQL = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "

// execSQL runs SQL as a handler does.
func execSQL(c *call, query string, args ...any) (wire.Rows, error) {
	return scripted.Op[wire.Rows](c, wire.MethodExec, &wire.Exec{Event: c.Event, Query: query, Args: args})
}

// sqlScript has an object that makes a table t when it is constructed, and can put a row into it.
func sqlScript() *script {
	return scripted.New(handlers{
		"construct": func(c *call) (string, error) {
			_, err := execSQL(c, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, note TEXT)")
			return "", err
		},
		"/one": func(c *call) (string, error) {
			_, err := execSQL(c, "INSERT INTO t VALUES (?, ?)", float64(1), "one")
			return "", err
		},
	})
}

// sqlOn runs SQL, in the ways that onBoth tests.
type sqlOn func(context.Context, control.Object, control.SQLRequest) (control.SQLResult, error)

// rows runs SQL that must succeed and returns its rows as text.
func (run sqlOn) rows(t *testing.T, query string, args ...any) string {
	t.Helper()
	got, err := run(t.Context(), lab("a"), sqlRequest(query, args...))
	if err != nil {
		t.Fatalf("%.100s: %v", query, err)
	}
	var rows []string
	for _, row := range got.Rows {
		var values []string
		for _, v := range row {
			values = append(values, fmt.Sprint(v.V))
		}
		rows = append(rows, strings.Join(values, " "))
	}
	return strings.Join(rows, "; ")
}

func (run sqlOn) want(t *testing.T, want, query string, args ...any) {
	t.Helper()
	if got := run.rows(t, query, args...); got != want {
		t.Errorf("%s: got rows %q, want %q", query, got, want)
	}
}

func sqlRequest(query string, args ...any) control.SQLRequest {
	q := control.SQLRequest{Query: query}
	for _, arg := range args {
		q.Args = append(q.Args, control.SQLValue{V: arg})
	}
	return q
}

// onBoth runs a test twice: through the control API, and offline on the files of a world that got
// the same requests.
func onBoth(t *testing.T, paths string, test func(*testing.T, sqlOn)) {
	for _, way := range []string{"online", "offline"} {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t, sqlScript())
			for path := range strings.FieldsSeq(paths) {
				w.want("a", path, "")
			}
			if way == "online" {
				test(t, w.client().RunSQL)
				return
			}
			o := w.offline()
			test(t, o.RunSQL)
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAdminSQLWorksOnTheObjectsTables(t *testing.T) {
	onBoth(t, "/one", func(t *testing.T, run sqlOn) {
		run.want(t, "1 one", "SELECT * FROM t")
		run.want(t, "2 two", "INSERT INTO t VALUES (?, ?) RETURNING *", int64(2), "two")
		run.want(t, "", "UPDATE t SET note = 'both'; DELETE FROM t WHERE id = ?", int64(2))
		run.want(t, "1 both", "SELECT * FROM t")
		object := control.Object{Class: "LAB", ID: labID("a")}
		got, err := run(t.Context(), object, sqlRequest("INSERT INTO t (note) VALUES ('x'), ('y')"))
		want := control.SQLResult{Columns: []string{}, Rows: [][]control.SQLValue{}, RowsWritten: 2}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("insert: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestAdminSQLKeepsAllValues(t *testing.T) {
	values := []any{
		nil,
		int64(math.MaxInt64), int64(math.MinInt64),
		1.0, -0.5, 1e300, math.Inf(-1),
		"", "ü\n\x00", "\xff",
		[]byte{}, []byte("hi\xff"),
	}
	query := "SELECT ?" + strings.Repeat(", ?", len(values)-1)
	onBoth(t, "/one", func(t *testing.T, run sqlOn) {
		got, err := run(t.Context(), lab("a"), sqlRequest(query, values...))
		if diff := cmp.Diff([][]control.SQLValue{sqlRequest("", values...).Args}, got.Rows); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

func TestSQLThatFailsChangesNothing(t *testing.T) {
	onBoth(t, "/one", func(t *testing.T, run sqlOn) {
		for _, test := range []struct {
			query string
			args  []any
			text  string
			at    string // the query from its mistake on, or "" if the error has no position
		}{
			{"SELECT * FORM t", nil, `near "FORM": syntax error at offset 9: SQLITE_ERROR`, "FORM t"},
			{
				query: "INSERT INTO t VALUES (7, ''); SELECT nope FROM t",
				text:  "no such column: nope at offset 7: SQLITE_ERROR",
				at:    "nope FROM t",
			},
			{
				query: "DELETE FROM t; INSERT INTO t VALUES (1, ''), (1, '')",
				text: "UNIQUE constraint failed: t.id: " +
					"SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_PRIMARYKEY)",
			},
			{
				query: "CREATE TABLE u (a); INSERT INTO t VALUES (?, ?)",
				args:  []any{int64(2)},
				text: "Wrong number of parameter bindings for SQL query.: " +
					"give an argument for each parameter of the last statement: there are 1",
			},
			{"DELETE FROM t; COMMIT", nil, "To execute a transaction, please use", ""},
			{"DELETE FROM _cf_KV", nil, "not authorized: SQLITE_AUTH", ""},
			{"SELECT * FROM _cf_METADATA", nil, "access to _cf_METADATA.key is prohibited: SQLITE_AUTH", ""},
			{"", nil, "SQL code did not contain a statement.", ""},
		} {
			_, err := run(t.Context(), lab("a"), sqlRequest(test.query, test.args...))
			wantRefusal(t, err, 400, test.text)
			at, refused := "", (*control.Error)(nil)
			if errors.As(err, &refused) && refused.Offset != nil {
				at = test.query[*refused.Offset:]
			}
			if at != test.at {
				t.Errorf("%s: got the mistake at %q, want %q", test.query, at, test.at)
			}
		}
		run.want(t, "1 one", "SELECT * FROM t")
		run.want(t, "0", "SELECT count(*) FROM pragma_table_list WHERE name = 'u'")
	})
}

func TestSQLNeedsAnObject(t *testing.T) {
	onBoth(t, "", func(t *testing.T, run sqlOn) {
		_, err := run(t.Context(), lab("a"), sqlRequest("CREATE TABLE u (a)"))
		wantRefusal(t, err, 404, "there is no object Lab/a")
		_, err = run(t.Context(), control.Object{Class: "Lba", Name: "a"}, sqlRequest("SELECT 1"))
		wantRefusal(t, err, 404, `there is no class "Lba"`)
		_, err = run(t.Context(), lab("a"), control.SQLRequest{Query: "SELECT 1", Limit: -1})
		wantRefusal(t, err, 400, "must be positive")
	})
}

func TestSQLShowsTheFirstRows(t *testing.T) {
	onBoth(t, "/one", func(t *testing.T, run sqlOn) {
		const four = "SELECT value FROM json_each('[1,2,3,4]')"
		for _, test := range []struct {
			query string
			limit int
			rows  int
			more  bool
		}{
			{four, 0, 4, false},
			{four, 5, 4, false},
			{four, 4, 4, false},
			{four, 3, 3, true},
			{endlessSQL + "SELECT i FROM n", 0, control.DefaultRows, true},
		} {
			got, err := run(t.Context(), lab("a"), control.SQLRequest{Query: test.query, Limit: test.limit})
			if err != nil || len(got.Rows) != test.rows || got.More != test.more {
				t.Errorf("%s, limit %d: got %d rows, more: %t, %v; want %d, %t",
					test.query, test.limit, len(got.Rows), got.More, err, test.rows, test.more)
			}
		}
		run.want(t, "", "INSERT INTO t VALUES (9, 'after')") // no cursor is left open
	})
}

func TestSQLShowsNoMoreThanFitsInMemory(t *testing.T) {
	w := newWorld(t, sqlScript())
	w.want("a", "/one", "")
	q := control.SQLRequest{Query: endlessSQL + "SELECT zeroblob(1000000) FROM n", Limit: 1000}
	got, err := w.world.Admin().RunSQL(t.Context(), lab("a"), q)
	const maxResult = 32 << 20 // of the administration, in bytes
	if want := maxResult/1_000_000 + 1; err != nil || len(got.Rows) != want || !got.More {
		t.Errorf("got %d rows, more: %t, %v; want %d, true", len(got.Rows), got.More, err, want)
	}
}

func TestEndlessSQLEndsWithItsCaller(t *testing.T) {
	onBoth(t, "/one", func(t *testing.T, run sqlOn) {
		for _, query := range []string{
			endlessSQL + "SELECT count(*) FROM n",
			"INSERT INTO t SELECT 0, count(*) FROM (" + endlessSQL + "SELECT i FROM n)",
			"DELETE FROM t; " + endlessSQL + "SELECT count(*) FROM n",
		} {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				_, err := run(ctx, lab("a"), sqlRequest(query))
				ended <- err
			}()
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want it canceled", query, err)
			}
			run.want(t, "1 one", "SELECT * FROM t")
		}
	})
}

func TestSQLThatFailsLeavesTheCursorsOfHandlersAlone(t *testing.T) {
	s := sqlScript()
	waiting, goOn := make(chan bool), make(chan bool)
	s.Handlers["/cursor"] = func(c *call) (string, error) {
		rows, err := execSQL(c, endlessSQL+"SELECT i FROM n")
		if err != nil || !rows.More {
			return "", fmt.Errorf("got %t, %w, want more rows", rows.More, err)
		}
		must(c.Plain(wire.MethodPause))
		waiting <- true
		<-goOn
		must(c.Plain(wire.MethodResume))
		next, err := scripted.Op[wire.Rows](c, wire.MethodNextRows, &wire.Cursor{Event: c.Event, Cursor: rows.Cursor})
		return fmt.Sprint(next.Values[0].(int64) - int64(len(rows.Values))), err
	}
	w := newWorld(t, s)
	ended := make(chan bool)
	go func() { w.want("a", "/cursor", "1"); close(ended) }()
	<-waiting
	for _, query := range []string{"SELECT nope", "INSERT INTO nowhere VALUES (1)", "SELECT max(json('{'))"} {
		_, err := w.client().RunSQL(t.Context(), lab("a"), sqlRequest(query))
		wantRefusal(t, err, 400, "SQLITE_ERROR")
	}
	close(goOn)
	<-ended
}

func TestSQLDoesNotWakeTheObject(t *testing.T) {
	s := sqlScript()
	w := newWorld(t, s)
	w.want("a", "/one", "")
	w.restart(s)
	sqlOn(w.client().RunSQL).want(t, "1 one", "SELECT * FROM t")
	got, err := w.client().ShowObject(t.Context(), lab("a"))
	if err != nil || got.InMemory {
		t.Errorf("got %+v, %v, want it not in memory", got, err)
	}
}

// abortable returns a program whose objects count in memory. One of its requests holds the turn.
func abortable() (s *script, entered, finish chan bool) {
	s = labScript()
	entered, finish = make(chan bool), make(chan bool)
	s.Handlers["/hold"] = func(c *call) (string, error) {
		must(c.Store("k", `J"lost"`))
		entered <- true
		<-finish
		return "done", nil
	}
	return s, entered, finish
}

func TestAbortFailsRunningAndWaitingRequests(t *testing.T) {
	s, entered, finish := abortable()
	w := newWorld(t, s)
	defer close(finish)
	w.want("a", "/put", "")
	answers := make(chan string, 2)
	ask := func(path string) {
		status, body := w.get("a", path)
		answers <- fmt.Sprint(status, " ", strings.Contains(body, "out of luck"))
	}
	go ask("/hold")
	<-entered
	go ask("/get")
	w.awaitBehind("a")
	object := control.Object{Class: "LAB", Name: "a"}
	got, err := w.client().AbortObject(t.Context(), object, control.AbortRequest{Reason: "out of luck"})
	if want := (control.Object{Class: "Lab", Name: "a", ID: labID("a")}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for range 2 {
		if got, want := <-answers, "500 true"; got != want {
			t.Errorf("a request: got %s, want %s", got, want)
		}
	}
	w.want("a", "/get", `J"stored"`)
	if got, want := s.Notes(), "construct:a construct:a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAbortResetsAnIdleObject(t *testing.T) {
	s := labScript()
	w := newWorld(t, s)
	w.want("a", "/alarm", "")
	if _, err := w.client().AbortObject(t.Context(), lab("a"), control.AbortRequest{}); err != nil {
		t.Fatal(err)
	}
	got, err := w.client().ShowObject(t.Context(), lab("a"))
	if err != nil || got.InMemory || got.Alarm == nil {
		t.Errorf("got %+v, %v, want it out of memory, with its alarm", got, err)
	}
	_, err = w.client().AbortObject(t.Context(), lab("a"), control.AbortRequest{})
	wantRefusal(t, err, 409, "Lab/a is not in memory: there is nothing to abort")
	_, err = w.client().AbortObject(t.Context(), lab("none"), control.AbortRequest{})
	wantRefusal(t, err, 404, "there is no object Lab/none")
}

func TestAbortResetsAnObjectThatIsBeingConstructed(t *testing.T) {
	s := labScript()
	entered, finish := make(chan bool), make(chan bool)
	construct := s.Handlers["construct"]
	s.Handlers["construct"] = func(c *call) (string, error) {
		entered <- true
		<-finish
		return construct(c)
	}
	w := newWorld(t, s)
	ended := make(chan string)
	go func() {
		status, body := w.get("a", "/get")
		ended <- fmt.Sprint(status, " ", strings.Contains(body, "devtool objects abort"))
	}()
	<-entered
	if _, err := w.client().AbortObject(t.Context(), lab("a"), control.AbortRequest{}); err != nil {
		t.Error(err)
	}
	if got, want := <-ended, "500 true"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	close(finish)
	go func() { <-entered }()
	w.want("a", "/get", "")
}

func TestAbortDropsTheAlarmThatRunsOnlyIfAsked(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprint(drop), func(t *testing.T) {
			s := labScript()
			entered, finish := make(chan bool), make(chan bool)
			s.Handlers["alarm"] = func(*call) (string, error) {
				entered <- true
				<-finish
				return "", nil
			}
			w := newWorld(t, s)
			defer close(finish)
			w.want("a", "/alarm", "")
			ended := make(chan error)
			go func() {
				_, err := w.client().Trigger(context.Background(), control.TriggerRequest{Class: "Lab", Name: "a"})
				ended <- err
			}()
			<-entered
			_, err := w.client().AbortObject(t.Context(), lab("a"), control.AbortRequest{DropAlarm: drop})
			if err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if _, pending := w.alarm("a"); pending == drop {
				t.Errorf("the alarm is pending: %t, want %t", pending, !drop)
			}
		})
	}
}
