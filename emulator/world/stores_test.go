package world

import (
	"fmt"
	"testing"
	"time"

	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/store"
)

// minutely returns a program whose objects set their alarm again every minute, after they call
// also.
func minutely(also func(*call) error) *script {
	s := newScript(nil)
	run := func(c *call) (string, error) {
		if err := also(c); err != nil {
			return "", err
		}
		return "", c.setAlarm(time.Minute)
	}
	s.handlers = map[string]func(*call) (string, error){"/run": run, "alarm": run}
	return s
}

// openStore returns an object's file if the world has it open, or nil.
func (w *world) openStore(name string) *store.Object {
	o := w.object("Lab", name)
	if o == nil {
		return nil
	}
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	return o.store
}

func TestAnAdvanceDoesNotOpenAFileAgainForEachAlarm(t *testing.T) {
	var w *world
	var seen []*store.Object
	evicted := 0
	s := minutely(func(c *call) error {
		err := c.store("k", "kept")
		seen = append(seen, w.openStore("a"))
		return err
	})
	s.handlers["construct"] = func(*call) (string, error) { evicted++; return "", nil }
	w = newWorld(t, s)
	w.want("a", "/run", "")
	wantList(t, "alarms", w.moveOn(3*time.Minute+30*time.Second), []string{"Lab/a ok", "Lab/a ok", "Lab/a ok"})
	if evicted != 4 {
		t.Errorf("the object was constructed %d times, want 4: its file stays open, but it is evicted", evicted)
	}
	// The first file is the request's: an advance has evicted the object since.
	if len(seen) != 4 || seen[0] != seen[1] || seen[1] != seen[2] || seen[2] != seen[3] {
		t.Errorf("the file was opened again: %p", seen)
	}

	// After the advance, the file may be closed.
	if o := w.object("Lab", "a"); o != nil {
		t.Error("the world still keeps the object")
	}
	ns := w.namespaces["Lab"]
	o, err := store.OpenObject(store.ObjectPath(ns.dir, objectid.FromName(ns.uniqueKey, "", "a").String()), "", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnEvictedObjectGetsANewConnectionToItsDatabase(t *testing.T) {
	var s *script
	s = minutely(func(c *call) error {
		rows, err := c.exec("CREATE TABLE IF NOT EXISTS t (x); SELECT last_insert_rowid()")
		if err != nil {
			return err
		}
		s.note("%v", rows.Values)
		_, err = c.exec("INSERT INTO t VALUES (1)")
		return err
	})
	w := newWorld(t, s)
	w.want("a", "/run", "")
	w.moveOn(2 * time.Minute)
	if got, want := s.notes(), "[0] [0] [0]"; got != want {
		t.Errorf("got %s, want %s: an instance starts with its own connection", got, want)
	}
}

func TestTheNumberOfLingeringFilesIsLimited(t *testing.T) {
	s := minutely(func(c *call) error { return c.store("k", "kept") })
	w := newWorld(t, s)
	const most, many = 2, 6
	w.stores.max = most
	for i := range many {
		w.want(fmt.Sprint(i), "/run", "")
	}
	if got, want := len(w.moveOn(5*time.Minute+30*time.Second)), 5*many; got != want {
		t.Errorf("got %d alarms, want %d", got, want)
	}
	ns := w.namespaces["Lab"]
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if n := len(ns.objects); n > 0 {
		t.Errorf("the world still keeps %d objects", n)
	}
}
