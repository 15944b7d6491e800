package world

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// transact runs work in a transaction, as an SDK does.
func (c *call) transact(work func() error) error {
	if err := errors.Join(c.plain(wire.MethodBlock), c.plain(wire.MethodBegin)); err != nil {
		return err
	}
	err := work()
	end := wire.MethodCommit
	if err != nil {
		end = wire.MethodRollback
	}
	return errors.Join(err, c.plain(end), c.plain(wire.MethodUnblock))
}

var errNoLuck = errors.New("no luck")

// unless returns err if it is not the expected error.
func unless(expected, err error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

func transactionScript() *script {
	s := alarmScript(nil)
	s.handlers["/commit"] = func(c *call) (string, error) {
		return "", c.transact(func() error { return errors.Join(c.store("k", "kept"), c.setAlarm(time.Minute)) })
	}
	s.handlers["/rollback"] = func(c *call) (string, error) {
		return "", unless(errNoLuck, c.transact(func() error {
			return errors.Join(c.store("k", "lost"), c.setAlarm(time.Hour), errNoLuck)
		}))
	}
	s.handlers["/nested"] = func(c *call) (string, error) {
		return "", c.transact(func() error {
			inner := c.transact(func() error { return errors.Join(c.store("k", "lost"), errNoLuck) })
			return errors.Join(unless(errNoLuck, inner), c.store("outer", "kept"))
		})
	}
	s.handlers["/outer"] = func(c *call) (string, error) {
		return "", unless(errNoLuck, c.transact(func() error {
			return errors.Join(c.transact(func() error { return c.store("outer", "lost") }), errNoLuck)
		}))
	}
	s.handlers["/getouter"] = func(c *call) (string, error) { return c.load("outer"), nil }
	return s
}

func TestATransactionIsKeptOrRolledBackWithItsAlarm(t *testing.T) {
	w := newWorld(t, transactionScript())
	w.want("a", "/commit", "")
	w.want("a", "/k", "kept")
	w.want("a", "/get", "1m0s")
	w.want("a", "/rollback", "")
	w.want("a", "/k", "kept")
	w.want("a", "/get", "1m0s")
	if a, ok := w.alarm("a"); !ok || a.Due.Sub(w.clock.Now()) != time.Minute {
		t.Errorf("got alarm %v, want the one in a minute", a)
	}
}

func TestTransactionsNest(t *testing.T) {
	w := newWorld(t, transactionScript())
	w.want("a", "/nested", "")
	w.want("a", "/k", "")
	w.want("a", "/getouter", "kept")
	w.want("b", "/outer", "")
	w.want("b", "/getouter", "")
}

func TestACommittedTransactionOutlivesAReset(t *testing.T) {
	s := transactionScript()
	s.handlers["/commitreset"] = func(c *call) (string, error) {
		_, err := s.handlers["/commit"](c)
		return "", errors.Join(err, c.reset("enough"))
	}
	w := newWorld(t, s)
	w.get("a", "/commitreset")
	w.want("a", "/k", "kept")
}

func TestNothingOfATransactionIsCommittedBeforeItsEnd(t *testing.T) {
	s := transactionScript()
	s.handlers["/slow"] = func(c *call) (string, error) {
		return "", c.transact(func() error {
			return errors.Join(c.store("k", "lost"), c.plain(wire.MethodSync), c.sleep(time.Second), errNoLuck)
		})
	}
	s.handlers["/other"] = func(c *call) (string, error) { return c.load("k"), nil }
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/slow") })
	w.awaitSleepers(1)
	wg.Go(func() { w.want("a", "/other", "") })
	eventually(t, "the other request waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	w.moveOn(time.Second)
	wg.Wait()
}

func TestACrashInATransactionRollsItBack(t *testing.T) {
	s := transactionScript()
	s.handlers["/crash"] = func(c *call) (string, error) {
		return "", c.transact(func() error {
			err := c.store("k", "lost")
			s.note("stored")
			<-c.ctx.Done()
			return errors.Join(err, c.ctx.Err())
		})
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/crash") })
	eventually(t, "it has stored something", func() bool { return s.notes() == "stored" })
	w.crash(transactionScript())
	wg.Wait()
	w.want("a", "/k", "")
	w.want("a", "/commit", "")
	w.want("a", "/k", "kept")
}

func TestATransactionLeftOpenIsRolledBack(t *testing.T) {
	s := transactionScript()
	s.handlers["/open"] = func(c *call) (string, error) {
		return "", errors.Join(
			c.store("outer", "kept"),
			c.plain(wire.MethodBlock),
			c.plain(wire.MethodBegin),
			c.store("k", "lost"),
		)
	}
	w := newWorld(t, s)
	w.want("a", "/open", "")
	w.want("a", "/k", "")
	w.want("a", "/getouter", "kept")
}

func TestWhatATransactionRefuses(t *testing.T) {
	s := transactionScript()
	s.handlers["/wipeinside"] = func(c *call) (string, error) {
		return "", c.transact(func() error { return c.plain(wire.MethodDeleteAll) })
	}
	s.handlers["/commitnothing"] = func(c *call) (string, error) { return "", c.plain(wire.MethodCommit) }
	s.handlers["/rollbacknothing"] = func(c *call) (string, error) { return "", c.plain(wire.MethodRollback) }
	w := newWorld(t, s)
	w.want("a", "/commit", "")
	for path, want := range map[string]string{
		"/wipeinside":      "everything can't be deleted within a transaction",
		"/commitnothing":   "no transaction is open",
		"/rollbacknothing": "no transaction is open",
	} {
		if status, body := w.get("a", path); status != 500 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %q, want a 500 with %q", path, status, body, want)
		}
	}
	w.want("a", "/k", "kept")
}
