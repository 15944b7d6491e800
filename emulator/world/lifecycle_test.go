package world

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// memoryScript returns a program whose objects count their requests in memory and keep a value in
// storage.
func memoryScript() *script {
	s := newScript(nil)
	var mu sync.Mutex
	counts := make(map[uint64]int)
	s.handlers = map[string]func(*call) (string, error){
		"construct": func(c *call) (string, error) { s.note("construct:%s", c.object); return "", nil },
		"/count": func(c *call) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			counts[c.instance]++
			return fmt.Sprint(counts[c.instance]), nil
		},
		"/put": func(c *call) (string, error) { return "", c.store("k", "kept") },
		"/get": func(c *call) (string, error) { return c.load("k"), nil },
		"/putsleep": func(c *call) (string, error) {
			return "", errors.Join(c.store("k", "kept"), c.sleep(time.Hour), c.store("k", "lost"))
		},
		"/putfail": func(c *call) (string, error) {
			return "", errors.Join(c.store("k", "kept"), errors.New("no luck"))
		},
		"/reset": func(c *call) (string, error) {
			return "", errors.Join(c.store("k", "lost"), c.reset("enough"))
		},
	}
	return s
}

func TestAnIdleObjectIsEvictedAfterTenSeconds(t *testing.T) {
	s := memoryScript()
	w := newWorld(t, s)
	w.want("a", "/count", "1")
	w.want("a", "/put", "")
	w.moveOn(9 * time.Second)
	w.want("a", "/count", "2")
	w.moveOn(9999 * time.Millisecond)
	w.want("a", "/count", "3")
	w.moveOn(10 * time.Second)
	if w.object("Lab", "a") != nil {
		t.Error("the world still keeps the object")
	}
	w.want("a", "/count", "1")
	w.want("a", "/get", "kept")
	eventually(t, "the program has forgotten the instance", func() bool { return s.discarded() == 1 })
}

func TestAnObjectWithARunningEventIsNotEvicted(t *testing.T) {
	s := memoryScript()
	w := newWorld(t, s)
	w.want("a", "/count", "1")
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/putsleep") })
	w.awaitSleepers(1)
	w.moveOn(time.Minute)
	w.want("a", "/count", "2")
	w.moveOn(time.Hour)
	wg.Wait()
	w.want("a", "/get", "lost")
}

func TestSimultaneousFirstRequestsConstructOnce(t *testing.T) {
	s := memoryScript()
	w := newWorld(t, s)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { w.get("a", "/get") })
	}
	wg.Wait()
	if got, want := s.notes(), "construct:a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNothingRunsBeforeTheConstructorHasReturned(t *testing.T) {
	s := memoryScript()
	s.handlers["construct"] = func(c *call) (string, error) {
		s.note("begin")
		err := c.sleep(5 * time.Second)
		s.note("end")
		return "", err
	}
	s.handlers["/get"] = func(*call) (string, error) { s.note("get"); return "", nil }
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/get") })
	w.awaitSleepers(1)
	wg.Go(func() { w.get("a", "/get") })
	eventually(t, "the second request waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	w.moveOn(5 * time.Second)
	wg.Wait()
	if got, want := s.notes(), "begin end get get"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAFailingConstructorFailsItsEventAndIsCalledAgain(t *testing.T) {
	s := memoryScript()
	fail := true
	s.handlers["construct"] = func(c *call) (string, error) {
		if !fail {
			return "", nil
		}
		return "", errors.Join(c.store("k", "lost"), errors.New("not yet"))
	}
	w := newWorld(t, s)
	for range 2 {
		if status, body := w.get("a", "/get"); status != 500 || !strings.Contains(body, "Lab/a failed: not yet") {
			t.Errorf("got %d %q, want a 500 that names the object and its error", status, body)
		}
	}
	fail = false
	w.want("a", "/get", "")
}

func TestAConstructorThatNeverReturnsIsCutOff(t *testing.T) {
	t.Parallel()
	s := memoryScript()
	first := true
	s.handlers["construct"] = func(c *call) (string, error) {
		if first {
			first = false
			s.note("stuck")
			<-c.ctx.Done()
		}
		return "", nil
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, body := w.get("a", "/get"); status != 500 || !strings.Contains(body, "more than 30 s") {
			t.Errorf("got %d %q, want a 500 that names the 30 s", status, body)
		}
	})
	eventually(t, "the constructor runs", func() bool { return s.notes() == "stuck" })
	w.moveOn(30 * time.Second)
	wg.Wait()
	w.want("a", "/get", "")
}

func TestAFailedHandlerKeepsItsWritesAndItsInstance(t *testing.T) {
	w := newWorld(t, memoryScript())
	w.want("a", "/count", "1")
	if status, body := w.get("a", "/putfail"); status != 500 || !strings.Contains(body, "no luck") {
		t.Errorf("got %d %q, want a 500 with the handler's error", status, body)
	}
	w.want("a", "/get", "kept")
	w.want("a", "/count", "2")
}

func TestAResetDropsMemoryAndWhatIsNotCommitted(t *testing.T) {
	s := memoryScript()
	release, holding := make(chan struct{}), make(chan struct{})
	s.handlers["/holdreset"] = func(c *call) (string, error) {
		close(holding)
		<-release
		return s.handlers["/reset"](c)
	}
	w := newWorld(t, s)
	w.want("a", "/put", "")
	w.want("a", "/count", "1")
	var wg sync.WaitGroup
	wg.Go(func() { w.get("a", "/holdreset") })
	<-holding
	wg.Go(func() {
		if status, body := w.get("a", "/count"); status != 500 || !strings.Contains(body, "enough") {
			t.Errorf("request in the queue: got %d %q, want a 500 with the reason", status, body)
		}
	})
	eventually(t, "the other request waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	close(release)
	wg.Wait()
	w.want("a", "/get", "kept")
	w.want("a", "/count", "1")
}

func TestACrashDropsWhatIsNotCommittedAndKeepsTheRest(t *testing.T) {
	s := memoryScript()
	next := memoryScript()
	w := newWorld(t, s)
	s.handlers["/crash"] = func(c *call) (string, error) {
		if err := c.store("k", "lost"); err != nil {
			return "", err
		}
		s.note("stored")
		<-c.ctx.Done()
		return "", c.ctx.Err()
	}
	w.want("a", "/put", "")
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, body := w.get("a", "/crash"); status != 500 || !strings.Contains(body, "has closed its connection") {
			t.Errorf("got %d %q, want a 500 that says what happened to the program", status, body)
		}
	})
	eventually(t, "it has stored something", func() bool { return strings.Contains(s.notes(), "stored") })
	w.crash(next)
	wg.Wait()
	w.want("a", "/get", "kept")
}

func TestWhatIsAnsweredIsOnDisk(t *testing.T) {
	s := memoryScript()
	s.handlers["/putsleep"] = func(c *call) (string, error) {
		if err := c.store("slept", "kept"); err != nil {
			return "", err
		}
		s.note("sleeping")
		return "", c.sleep(time.Hour)
	}
	s.handlers["/slept"] = func(c *call) (string, error) { return c.load("slept"), nil }
	w := newWorld(t, s)
	w.want("a", "/put", "")
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.getContext(ctx, "a", "/putsleep") }) //nolint:errcheck // it is cut off
	eventually(t, "it sleeps", func() bool {
		return w.object("Lab", "a").turnIsFree() && strings.Contains(s.notes(), "sleeping")
	})
	// The program crashes: nothing is committed from here on.
	w.crash(memoryScript())
	cancel()
	wg.Wait()
	next := memoryScript()
	next.handlers["/slept"] = s.handlers["/slept"]
	w.restart(next)
	w.want("a", "/get", "kept")
	w.want("a", "/slept", "kept")
}

// turnIsFree reports whether no event has the turn of the object.
func (o *object) turnIsFree() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.turn == nil
}

func TestTheNumberOfOpenFilesIsLimited(t *testing.T) {
	w := newWorld(t, memoryScript())
	const most, many = 4, 12
	w.stores.max = most
	for i := range many {
		w.want(fmt.Sprint(i), "/put", "")
	}
	open := 0
	for i := range many {
		o := w.object("Lab", fmt.Sprint(i))
		o.storeMu.Lock()
		if o.store != nil {
			open++
		}
		o.storeMu.Unlock()
	}
	if open != most {
		t.Errorf("got %d open files, want %d", open, most)
	}
	for i := range many {
		w.want(fmt.Sprint(i), "/get", "kept")
	}
}

func TestAnEntryHasALimit(t *testing.T) {
	s := memoryScript()
	storeX := func(length int) func(*call) (string, error) {
		return func(c *call) (string, error) { return "", c.store("k", strings.Repeat("x", length)) }
	}
	s.handlers["/big"] = storeX(ProductionLimits.Entry - 1)
	s.handlers["/toobig"] = storeX(ProductionLimits.Entry)
	w := newWorld(t, s)
	w.want("a", "/big", "")
	const want = "key and value are 2097153 bytes together, the limit is 2097152"
	if status, body := w.get("a", "/toobig"); status != 500 || !strings.Contains(body, want) {
		t.Errorf("got %d %q, want a 500 that names the limit", status, body)
	}
}

func TestAListIsGivenPageByPage(t *testing.T) {
	s := memoryScript()
	s.handlers["/fill"] = func(c *call) (string, error) {
		for i := range 6 {
			if err := c.store(fmt.Sprint("key", i), strings.Repeat("x", listPage/2)); err != nil {
				return "", err
			}
		}
		return "", nil
	}
	s.handlers["/list"] = func(c *call) (string, error) {
		var pages []string
		q := store.ListOptions{Prefix: "key"}
		for {
			page, err := c.list(q)
			if err != nil {
				return "", err
			}
			var keys []string
			for _, e := range page.Entries {
				keys = append(keys, e.Key)
			}
			pages = append(pages, strings.Join(keys, "+"))
			if !page.More {
				return strings.Join(pages, " "), nil
			}
			q.StartAfter, q.HasStartAfter = keys[len(keys)-1], true
		}
	}
	w := newWorld(t, s)
	w.want("a", "/fill", "")
	_, body := w.get("a", "/list")
	keys := strings.FieldsFunc(body, func(r rune) bool { return r == ' ' || r == '+' })
	if len(keys) != 6 || strings.Count(body, " ") == 0 {
		t.Errorf("got %q, want six keys on several pages", body)
	}
}

func TestAnObjectKnowsItsNameUnlessItIsVeryLong(t *testing.T) {
	s := memoryScript()
	s.handlers["/name"] = func(c *call) (string, error) { return fmt.Sprint(len(c.object)), nil }
	w := newWorld(t, s)
	w.want(strings.Repeat("x", maxKnownName), "/name", "1024")
	w.want(strings.Repeat("x", maxKnownName+1), "/name", "0")
}

func TestWhatABlockWroteOutlivesAnAbort(t *testing.T) {
	s := memoryScript()
	s.handlers["/blockabort"] = func(c *call) (string, error) {
		return "", errors.Join(
			c.plain(wire.MethodBlock),
			c.store("k", "kept"),
			c.plain(wire.MethodUnblock),
			c.store("k", "lost"),
			c.reset("enough"),
		)
	}
	w := newWorld(t, s)
	w.get("a", "/blockabort")
	w.want("a", "/get", "kept")
}

func TestAnObjectLearnsItsNameFromAnyCaller(t *testing.T) {
	w := newWorld(t, newScript(nil))
	ns := w.namespaces["Lab"]
	id := objectid.FromName(ns.uniqueKey, "", "a")
	o := ns.pin(Identity{id: id})
	defer ns.unpin(o)
	defer ns.unpin(ns.pin(Identity{id, "a", true}))
	if got, want := o.String(), "Lab/a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
