package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/store"
)

// snapshotScript returns a program whose objects store a value of each kind with "/fill".
func snapshotScript() *script {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"construct": func(c *call) (string, error) { s.note("construct:%s", c.object); return "", nil },
		"/fill": func(c *call) (string, error) {
			_, err := c.exec(`CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, note TEXT, data BLOB, real REAL);
				CREATE VIRTUAL TABLE words USING fts5(text);
				INSERT INTO words VALUES ('hello');
				CREATE VIEW v AS SELECT 1;
				INSERT INTO "odd ""name" VALUES (1, 'one', x'00ff', 1), (2, NULL, NULL, NULL)`)
			return "", errors.Join(err, c.store("json", `J{"n":12345678901234567890}`), c.store("bytes", "B\x00\xff"),
				c.store("odd", "?"), c.setAlarm(time.Hour))
		},
		"/half": func(c *call) (string, error) {
			return "", errors.Join(c.store("left", "J1"), c.sleep(time.Minute), c.store("right", "J1"))
		},
		"/stuck": func(c *call) (string, error) {
			return "", errors.Join(c.plain(wire.MethodBlock), c.store("k", "J1"), c.sleep(time.Hour))
		},
	}
	return s
}

// wantFilled checks a snapshot of what "/fill" has stored.
func wantFilled(t *testing.T, got control.Snapshot) {
	t.Helper()
	entry := func(key, kind, value, problem, stored string) control.StoredEntry {
		e := control.Entry{Key: key, Type: kind, Size: len(stored), Problem: problem}
		if value != "" {
			e.Value = json.RawMessage(value)
		}
		return control.StoredEntry{Entry: e, Stored: []byte(stored)}
	}
	entries := []control.StoredEntry{
		entry("bytes", "bytes", `"AP8="`, "", "B\x00\xff"),
		entry("json", "json", `{"n":12345678901234567890}`, "", `J{"n":12345678901234567890}`),
		entry("odd", "unknown", "", got.Entries[2].Problem, "?"),
	}
	if diff := cmp.Diff(entries, got.Entries); diff != "" || got.Entries[2].Problem == "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	v := func(values ...any) (row []control.SQLValue) {
		for _, v := range values {
			row = append(row, control.SQLValue{V: v})
		}
		return row
	}
	tables := []control.StoredTable{
		{
			Name:    `odd "name`,
			SQL:     `CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, note TEXT, data BLOB, real REAL)`,
			Columns: []string{"id", "note", "data", "real"},
			Rows:    [][]control.SQLValue{v(int64(1), "one", []byte{0, 0xff}, 1.0), v(int64(2), nil, nil, nil)},
		},
		{
			Name:    "words",
			SQL:     "CREATE VIRTUAL TABLE words USING fts5(text)",
			Columns: []string{"text"},
			Rows:    [][]control.SQLValue{v("hello")},
		},
	}
	if diff := cmp.Diff(tables, got.Tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if got.Name != "a" || got.ID != labID("a") || got.Keys != 3 || got.Size == 0 || got.Alarm == nil {
		t.Errorf("got %+v, want the name, the id, 3 keys, a size and an alarm", got.ObjectDetails)
	}
}

func (w *world) snapshot(name string) control.Snapshot {
	w.t.Helper()
	got, err := w.client().SnapshotObject(w.t.Context(), lab(name))
	if err != nil {
		w.t.Fatalf("snapshot of %s: %v", name, err)
	}
	return got
}

func TestASnapshotHasEverythingThatIsStored(t *testing.T) {
	s := snapshotScript()
	w := newWorld(t, s)
	w.want("a", "/fill", "")
	got := w.snapshot("a")
	wantFilled(t, got)
	if !got.InMemory {
		t.Error("the snapshot says that the object is not in memory")
	}
	if alarm, _ := w.alarm("a"); got.Alarm == nil || !got.Alarm.Equal(alarm.Due) {
		t.Errorf("got alarm %v, want %v", got.Alarm, alarm.Due)
	}
	if s.forgettings() != 0 {
		t.Error("the program got a request to forget, although nothing has changed")
	}
}

func TestASnapshotDoesNotWakeTheObject(t *testing.T) {
	s := snapshotScript()
	w := newWorld(t, s)
	w.want("a", "/fill", "")
	w.restart(s)
	got := w.snapshot("a")
	wantFilled(t, got)
	if got.InMemory || got.Running || s.notes() != "construct:a" {
		t.Errorf("got in memory %v, running %v after %q, want an object that stays out of memory",
			got.InMemory, got.Running, s.notes())
	}
	byID, err := w.client().SnapshotObject(t.Context(), control.Object{Class: "LAB", ID: labID("a")})
	if diff := cmp.Diff(got, byID); err != nil || diff != "" {
		t.Errorf("by binding and id: %v\n%s", err, diff)
	}
	o := w.offline()
	defer o.Close() //nolint:errcheck // it was only looked at
	offline, err := o.SnapshotObject(t.Context(), lab("a"))
	if err != nil {
		t.Fatal(err)
	}
	wantFilled(t, offline)
}

func TestASnapshotShowsNothingThatIsNotCommitted(t *testing.T) {
	w := newWorld(t, snapshotScript())
	keys := func() string {
		var keys []string
		for _, e := range w.snapshot("a").Entries {
			keys = append(keys, e.Key)
		}
		return strings.Join(keys, " ")
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/half", "") })
	w.awaitSleepers(1)
	if got := w.snapshot("a"); !got.Running || keys() != "left" {
		t.Errorf("got %q of a running object (%v), want left", keys(), got.Running)
	}
	w.moveOn(time.Minute)
	wg.Wait()
	if got := keys(); got != "left right" {
		t.Errorf("got %q, want left right", got)
	}
}

func TestASnapshotOfAnObjectThatKeepsItsTurnGivesUp(t *testing.T) {
	w := newWorld(t, snapshotScript())
	ctx, hangUp := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { w.getContext(ctx, "a", "/stuck") }) //nolint:errcheck // it is never answered
	eventually(t, "the handler has the turn", func() bool {
		o := w.object("Lab", "a")
		return o != nil && pinnedObject{object: o}.inMemory()
	})
	short, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("no patience"))
	defer cancel()
	if _, err := w.Admin().SnapshotObject(short, lab("a")); err == nil || err.Error() != "no patience" {
		t.Errorf("got %v, want the end of the caller's context", err)
	}
	hangUp()
	wg.Wait()
}

func TestASnapshotOfNothingIsAnError(t *testing.T) {
	w := newWorld(t, snapshotScript())
	for _, tt := range []struct {
		object control.Object
		status int
		text   string
	}{
		{lab("nobody"), 404, "there is no object Lab/nobody: `devtool objects list` shows which there are"},
		{control.Object{Class: "Lab", ID: labID("nobody")}, 404, "there is no object Lab/" + labID("nobody")},
		{control.Object{Class: "Lap", Name: "a"}, 404, `there is no class "Lap": the classes are Lab, Mute`},
		{control.Object{Class: "Lab", ID: strings.Repeat("0", 64)}, 400, "Lab/0000"},
	} {
		_, err := w.client().SnapshotObject(t.Context(), tt.object)
		wantRefusal(t, err, tt.status, tt.text)
	}
	if w.object("Lab", "nobody") != nil {
		t.Error("asking for the snapshot created the object")
	}
}

func TestASnapshotOfTooMuchDataIsAnError(t *testing.T) {
	for what, fill := range map[string]func(*store.Object) error{
		"keys": func(s *store.Object) (err error) {
			for i := range maxSnapshot>>20 + 1 {
				err = errors.Join(err, s.Put(fmt.Sprint(i), make([]byte, 1<<20)))
			}
			return err
		},
		"rows": func(s *store.Object) error {
			query := fmt.Sprintf(`CREATE TABLE t (b BLOB);
				WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d)
				INSERT INTO t SELECT zeroblob(1048576) FROM n`, maxSnapshot>>20+1)
			c, err := s.Exec(query, nil)
			return errors.Join(err, c.Close())
		},
	} {
		w := newWorld(t, snapshotScript())
		pinned, err := w.Admin().pin(lab("a"))
		if err != nil {
			t.Fatal(err)
		}
		if err := pinned.use(t.Context(), fill); err != nil {
			t.Fatal(err)
		}
		pinned.release()
		_, err = w.client().SnapshotObject(t.Context(), lab("a"))
		wantRefusal(t, err, 409, "Lab/a stores more than 64 MiB, which is the most for one snapshot")
		t.Log(what, err)
	}
}

func TestATableThatCanNotBeReadDoesNotHideTheOthers(t *testing.T) {
	s := snapshotScript()
	s.handlers["/broken"] = func(c *call) (string, error) {
		_, err := c.exec(`CREATE TABLE content (id INTEGER PRIMARY KEY, text);
			CREATE VIRTUAL TABLE broken USING fts5(text, content=content, content_rowid=id);
			INSERT INTO broken (rowid, text) VALUES (1, 'hi');
			DROP TABLE content;
			CREATE TABLE good (n);
			INSERT INTO good VALUES (1)`)
		return "", err
	}
	w := newWorld(t, s)
	w.want("a", "/broken", "")
	got := w.snapshot("a")
	if len(got.Tables) != 2 || got.Tables[0].Problem == "" ||
		got.Tables[0].Rows == nil || len(got.Tables[1].Rows) != 1 {
		t.Errorf("got %+v, want a table that can't be read and a good one", got.Tables)
	}
}
