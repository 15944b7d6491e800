package world

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// write puts a value with a notice: it waits for no answer.
func (c *call) write(key, value string) error {
	return c.ask(func(ev *Event) error {
		ev.Write([]wire.Entry{{Key: key, Value: []byte(value)}})
		return nil
	})
}

func noticeScript() *script {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/k":     func(c *call) (string, error) { return c.load("k"), nil },
		"/write": func(c *call) (string, error) { return "", c.write("k", "written") },
		"/fail":  func(c *call) (string, error) { return "", errors.Join(c.write("k", "before it failed"), errNoLuck) },
		"/mixed": func(c *call) (string, error) {
			err := errors.Join(c.write("k", "1"), c.store("k", "2"), c.write("k", "3"))
			return c.load("k"), err
		},
		"/sleep": func(c *call) (string, error) {
			err := errors.Join(c.write("k", "before"), c.sleep(time.Second))
			seen := c.load("k")
			return seen, errors.Join(err, c.write("k", "after"))
		},
		"/undo": func(c *call) (string, error) {
			err := c.transact(func() error { return errors.Join(c.write("k", "lost"), errNoLuck) })
			return c.load("k"), unless(errNoLuck, err)
		},
		"/leave": func(c *call) (string, error) { // a transaction that is left open
			return "", errors.Join(c.plain(wire.MethodBlock), c.plain(wire.MethodBegin), c.write("k", "lost"))
		},
		"/abort": func(c *call) (string, error) {
			err := c.reset("enough")
			return "", errors.Join(c.write("k", "lost"), err, c.write("k", "lost"), errors.New("aborted"))
		},
		"/large": func(c *call) (string, error) { return "", c.write("k", strings.Repeat("x", 3<<20)) },
	}
	return s
}

func TestWritesByNoticeAreStored(t *testing.T) {
	s := noticeScript()
	w := newWorld(t, s)
	w.want("a", "/write", "")
	w.want("a", "/k", "written")
	w.want("a", "/mixed", "3")
	w.restart(s)
	w.want("a", "/k", "3")
	if status, _ := w.get("a", "/fail"); status != 500 {
		t.Errorf("got %d, want 500", status)
	}
	w.want("a", "/k", "before it failed")
}

func TestWritesByNoticeAreCommittedWhereTheEventWaits(t *testing.T) {
	w := newWorld(t, noticeScript())
	answer := make(chan string, 1)
	go func() {
		_, body := w.get("a", "/sleep")
		answer <- body
	}()
	eventually(t, "the handler sleeps", func() bool {
		due, ok := w.clock.Next()
		return ok && due.Sub(w.clock.Now()) == time.Second
	})
	w.want("a", "/k", "before")
	w.want("a", "/write", "")
	w.moveOn(time.Second)
	if got := <-answer; got != "written" {
		t.Errorf("the handler that slept saw %q, want written", got)
	}
	w.want("a", "/k", "after")
}

func TestWritesByNoticeAreRolledBack(t *testing.T) {
	s := noticeScript()
	w := newWorld(t, s)
	w.want("a", "/write", "")
	w.want("a", "/undo", "written")
	w.want("a", "/leave", "")
	w.want("a", "/k", "written")
	if n := s.forgettings(); n != 1 {
		t.Errorf("the program got %d requests to forget, want one for the transaction that was left open", n)
	}
	if status, body := w.get("a", "/abort"); status != 500 || !strings.Contains(body, "enough") {
		t.Errorf("got %d %q, want 500 with the reason", status, body)
	}
	w.want("a", "/k", "written")
}

func TestANoticeThatCannotBeStoredResetsTheObject(t *testing.T) {
	s := noticeScript()
	w := newWorld(t, s)
	w.want("a", "/write", "")
	if status, body := w.get("a", "/large"); status != 500 || !strings.Contains(body, "the limit is 2097152 (2 MiB)") {
		t.Errorf("got %d %q, want 500 with the limit", status, body)
	}
	w.want("a", "/k", "written")
	eventually(t, "one instance was discarded", func() bool { return s.discarded() == 1 })
}

func TestAnAdminWriteMakesTheProgramForgetItsCache(t *testing.T) {
	s := noticeScript()
	s.handlers["/forgotten"] = func(*call) (string, error) { return fmt.Sprint(s.forgettings()), nil }
	w := newWorld(t, s)
	w.want("a", "/write", "")
	o := w.object("Lab", "a")
	read := func(st *store.Object) error { _, _, err := st.Get("k"); return err }
	if err := o.administer(t.Context(), read); err != nil {
		t.Fatal(err)
	}
	w.want("a", "/forgotten", "0")
	write := func(st *store.Object) error { return st.Put("k", []byte("from outside")) }
	if err := o.administer(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	w.want("a", "/forgotten", "1") // the notice arrives before the next event
	w.want("a", "/k", "from outside")
}
