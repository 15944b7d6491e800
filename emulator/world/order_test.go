package world

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
)

// holding starts a request that keeps the turn of object a until release is called.
func (w *world) holding(s *script, wg *sync.WaitGroup) (release func()) {
	w.t.Helper()
	held, goOn := make(chan struct{}), make(chan struct{})
	s.handlers["/hold"] = func(*call) (string, error) { close(held); <-goOn; return "", nil }
	wg.Go(func() { w.get("a", "/hold") })
	<-held
	return func() { close(goOn) }
}

// queueUp sends requests to object a, one after the other, which wait for its turn.
func (w *world) queueUp(wg *sync.WaitGroup, paths ...string) {
	w.t.Helper()
	for _, path := range paths {
		n := w.object("Lab", "a").queued()
		wg.Go(func() { w.get("a", path) })
		eventually(w.t, path+" waits", func() bool { return w.object("Lab", "a").queued() == n+1 })
	}
}

func TestSyncLetsTheEventsThatWaitGoFirst(t *testing.T) {
	sync1 := func(s *script, before, after wire.Method) func(*call) (string, error) {
		return func(c *call) (string, error) {
			s.note("1")
			var err error
			for _, method := range []wire.Method{before, wire.MethodSync, after} {
				if method != 0 && err == nil {
					err = c.plain(method)
				}
				if method == wire.MethodSync {
					s.note("synced")
				}
			}
			return "", err
		}
	}
	for name, tt := range map[string]struct {
		before, after wire.Method
		want          string
	}{
		"sync":            {0, 0, "1 2 3 synced"},
		"sync in a block": {wire.MethodBlock, wire.MethodUnblock, "1 synced 2 3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(nil)
			s.handlers = map[string]func(*call) (string, error){
				"/sync": sync1(s, tt.before, tt.after),
				"/2":    func(*call) (string, error) { s.note("2"); return "", nil },
				"/3":    func(*call) (string, error) { s.note("3"); return "", nil },
			}
			w := newWorld(t, s)
			var wg sync.WaitGroup
			release := w.holding(s, &wg)
			w.queueUp(&wg, "/sync", "/2", "/3")
			release()
			wg.Wait()
			if got := s.notes(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Four handlers read a key, sync and write it. On the platform, all of them read nothing.
func TestUpdatesAroundASyncAreLostAsOnThePlatform(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/add": func(c *call) (string, error) {
			n := c.load("n")
			s.note("%q", n)
			if err := c.plain(wire.MethodSync); err != nil {
				return "", err
			}
			return "", c.store("n", n+"x")
		},
		"/n": func(c *call) (string, error) { return c.load("n"), nil },
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	release := w.holding(s, &wg)
	w.queueUp(&wg, "/add", "/add", "/add", "/add")
	release()
	wg.Wait()
	if got, want := s.notes(), `"" "" "" ""`; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
	w.want("a", "/n", "x")
}

func TestAResetEndsASyncThatWaitsForItsTurn(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/sync":  func(c *call) (string, error) { return "", c.plain(wire.MethodSync) },
		"/abort": func(c *call) (string, error) { return "", c.reset("enough") },
	}
	w := newWorld(t, s)
	var wg sync.WaitGroup
	release := w.holding(s, &wg)
	var got error
	wg.Go(func() { got = w.deliver("a", "/sync") })
	eventually(t, "the sync waits", func() bool { return w.object("Lab", "a").queued() == 1 })
	w.queueUp(&wg, "/abort")
	release()
	wg.Wait()
	if got == nil || got.Error() != "enough" {
		t.Errorf("got %v, want the reset's reason", got)
	}
}

func TestWritesOfAConstructorSurviveAnAbortOfTheFirstEvent(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["construct"] = func(c *call) (string, error) {
		if c.load("made") != "" {
			return "", nil
		}
		if _, err := c.exec("CREATE TABLE t (a)"); err != nil {
			return "", err
		}
		if err := c.setAlarm(time.Hour); err != nil {
			return "", err
		}
		return "", c.store("made", "yes")
	}
	s.handlers["/abort"] = func(c *call) (string, error) {
		must(c.store("k", "lost"))
		return "", c.reset("enough")
	}
	s.handlers["/made"] = func(c *call) (string, error) {
		_, err := c.exec("SELECT a FROM t")
		return c.load("made") + c.load("k"), err
	}
	w := newWorld(t, s)
	if err := w.deliver("a", "/abort"); err == nil || err.Error() != "enough" {
		t.Fatalf("got %v, want the reset's reason", err)
	}
	w.want("a", "/made", "yes")
	w.want("a", "/get", "1h0m0s")
}

func TestWritesOfAFailingConstructorAreLost(t *testing.T) {
	s := alarmScript(nil)
	failing := true
	s.handlers["construct"] = func(c *call) (string, error) {
		if !failing {
			return "", nil
		}
		must(c.store("k", "lost"))
		return "", fmt.Errorf("not yet")
	}
	w := newWorld(t, s)
	if err := w.deliver("a", "/k"); err == nil {
		t.Fatal("the constructor has not failed")
	}
	failing = false
	w.want("a", "/k", "")
}

// Handlers of object b wait for object a, of which some events run and some wait for the turn. Then
// a is reset. The order is the platform's: if a block fails, those that have not begun are first.
func TestCallersLearnOfAResetInTheOrderOfTheirArrival(t *testing.T) {
	for name, callers := range map[string][]string{
		"in one object":             {"b", "b", "b", "b", "b", "b", "b", "b", "b"},
		"in many objects":           {"b", "c", "d", "e", "f", "g", "h", "i", "j"},
		"in the worker":             {"a", "a", "a", "a", "a", "a", "a", "a", "a"},
		"in objects and the worker": {"b", "a", "c", "a", "d", "a", "e", "a", "f"},
	} {
		t.Run(name+", by a block", func(t *testing.T) {
			for range 10 {
				testOrderAtReset(t, callers, true, []string{"/4", "/5", "/6", "/7", "/0", "/1", "/2", "/3", "/x"})
			}
		})
		t.Run(name+", by an abort", func(t *testing.T) {
			for range 10 {
				testOrderAtReset(t, callers, false, []string{"/0", "/1", "/2", "/3", "/x", "/4", "/5", "/6", "/7"})
			}
		})
	}
}

func testOrderAtReset(t *testing.T, callers []string, ofBlock bool, want []string) {
	s := newScript(nil)
	var mu sync.Mutex
	var told []string
	s.told = func(path string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, path)
	}
	block, abort := make(chan struct{}), make(chan struct{})
	s.handlers = map[string]func(*call) (string, error){
		"/x": func(c *call) (string, error) {
			must(c.plain(wire.MethodPause))
			s.note("waits")
			<-block
			must(c.plain(wire.MethodResume))
			must(c.plain(wire.MethodBlock))
			s.note("holds")
			<-abort
			return "", c.resetBy("enough", ofBlock)
		},
	}
	const half = 4 // of the callers: one more resets the object
	for i := range 2 * half {
		path := fmt.Sprint("/", i)
		s.handlers[path] = func(c *call) (string, error) { return "", c.sleep(time.Hour) }
		s.handlers["/call"+path] = func(c *call) (string, error) { return c.fetch("a", path) }
	}
	s.handlers["/call/x"] = func(c *call) (string, error) { return c.fetch("a", "/x") }
	w := newWorld(t, s)
	var wg sync.WaitGroup
	sendAs := func(caller, path string) {
		wg.Go(func() {
			if caller == "a" {
				w.get("a", path)
			} else {
				w.get(caller, "/call"+path)
			}
		})
	}
	send := func(i int) { sendAs(callers[i], fmt.Sprint("/", i)) }
	for i := range half {
		send(i)
		eventually(t, "the next sleeps", func() bool { return w.sleeping("a") == i+1 })
	}
	sendAs(callers[2*half], "/x")
	eventually(t, "one waits", func() bool { return s.notes() == "waits" })
	close(block)
	eventually(t, "it holds the turn", func() bool { return s.notes() == "waits holds" })
	for i := half; i < 2*half; i++ {
		send(i)
		eventually(t, "the next waits", func() bool { return w.object("Lab", "a").queued() == i-half+1 })
	}
	close(abort)
	wg.Wait()
	var paths []string
	for _, path := range told { // those who called a themselves
		if !strings.HasPrefix(path, "/call") {
			paths = append(paths, path)
		}
	}
	wantList(t, "told", paths, want)
}

// sleeping returns how many events of an object sleep.
func (w *world) sleeping(name string) (n int) {
	for _, ev := range w.runningEvents() {
		if ev.obj == w.object("Lab", name) {
			ev.stepMu.Lock()
			n += len(ev.sleeps)
			ev.stepMu.Unlock()
		}
	}
	return n
}

// A stopped wall clock makes equal sleeps of a running clock end at exactly the same time.
type stoppedWall struct {
	mu  sync.Mutex
	now time.Time
}

func (w *stoppedWall) read() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// move lets d pass, and makes c notice. By itself, c would look after ten seconds of real time.
func (w *stoppedWall) move(c *clock.Clock, d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	c.AtMaintenance(time.Time{}, func(*clock.Step) {}) // a timer that is due first wakes the clock
}

// newRunningWorld starts a world with a clock that runs by itself, when the wall clock moves.
func newRunningWorld(t *testing.T, s *script) (*world, *stoppedWall) {
	wall := &stoppedWall{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	w := &world{t: t, dir: t.TempDir(), date: "2026-10-01", wall: wall.read}
	w.tune = func(o *setup) { o.Frozen = false }
	w.start(s)
	t.Cleanup(w.stop)
	return w, wall
}

func TestEqualSleepsEndInTheOrderInWhichTheyWereSetOnARunningClock(t *testing.T) {
	const many = 20
	for name, object := range map[string]func(int) string{
		"of one object":   func(int) string { return "a" },
		"of many objects": func(i int) string { return fmt.Sprint("a", i) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(make(map[string]func(*call) (string, error)))
			var mu sync.Mutex
			var ended, want []string
			for i := range many {
				path := fmt.Sprint("/", i)
				want = append(want, path)
				s.handlers[path] = func(c *call) (string, error) {
					return "", c.ask(func(ev *Event) (err error) {
						ev.Sleep(c.ctx, 20*time.Millisecond, func(e error) {
							mu.Lock()
							defer mu.Unlock()
							ended, err = append(ended, path), e
						})
						return err
					})
				}
			}
			w, wall := newRunningWorld(t, s)
			var wg sync.WaitGroup
			for i := range many {
				wg.Go(func() { w.want(object(i), want[i], "") })
				w.awaitSleepers(i + 1)
			}
			wall.move(w.clock, time.Second)
			wg.Wait()
			wantList(t, "ended", ended, want)
		})
	}
}

// The objects are not in memory, and the constructor of one waits.
func TestAlarmsOfOneInstantStartInTheOrderInWhichTheyWereSetOnARunningClock(t *testing.T) {
	const many = 20
	s := alarmScript(nil)
	var mu sync.Mutex
	var started, want []string
	s.asked = func(name string, inst *Instance) {
		if name == "alarm" {
			mu.Lock()
			defer mu.Unlock()
			started = append(started, s.names[inst.Number()])
		}
	}
	w, wall := newRunningWorld(t, s)
	for i := range many {
		want = append(want, fmt.Sprint("o", i))
		w.want(want[i], "/set1h", "")
	}
	for i := range many {
		if _, err := w.Admin().EvictObject(context.Background(), lab(want[i])); err != nil {
			t.Fatal(err)
		}
	}
	wall.move(w.clock, 2*time.Hour)
	eventually(t, "all have run", func() bool { return len(strings.Fields(s.notes())) == many })
	wantList(t, "started", started, want)
}

func TestTheSixtyFifthNestedBlockIsRefused(t *testing.T) {
	nested := func(c *call, n int) (err error) {
		for range n {
			if err = c.plain(wire.MethodBlock); err != nil {
				return err
			}
		}
		for range n {
			must(c.plain(wire.MethodUnblock))
		}
		return nil
	}
	s := newScript(map[string]func(*call) (string, error){
		"construct": func(c *call) (string, error) { return "", nested(c, 63) },
		"/64":       func(c *call) (string, error) { return "fine", nested(c, 64) },
		"/65":       func(c *call) (string, error) { return "", nested(c, 65) },
		"/twice":    func(c *call) (string, error) { must(nested(c, 64)); return "fine", nested(c, 64) },
	})
	w := newWorld(t, s)
	w.want("a", "/64", "fine")
	w.want("a", "/twice", "fine")
	err := w.deliver("a", "/65")
	if e := WireError(err); e.Message != errNested.Message || e.Reset {
		t.Errorf("got %+v, want a refusal without a reset", e)
	}
}

// On the platform, the constructor is not called again for events that have waited for it.
func TestEventsThatWaitForAFailingConstructorFailWithIt(t *testing.T) {
	s := newScript(make(map[string]func(*call) (string, error)))
	fail := make(chan struct{})
	s.handlers["construct"] = func(*call) (string, error) {
		s.note("constructs")
		<-fail
		return "", fmt.Errorf("not yet")
	}
	var mu sync.Mutex
	var told []error
	w := newWorld(t, s)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			err := w.deliver("a", "/x")
			mu.Lock()
			defer mu.Unlock()
			told = append(told, err)
		})
		eventually(t, "the next waits", func() bool { return s.notes() != "" && w.object("Lab", "a").queued() == i })
	}
	close(fail)
	wg.Wait()
	for _, err := range told {
		if e := WireError(err); e.Message != "not yet" || !e.Reset {
			t.Errorf("got %+v, want the constructor's error", e)
		}
	}
	if got := s.notes(); got != "constructs" {
		t.Errorf("got %q, want one construction", got)
	}
	w.deliver("a", "/x") //nolint:errcheck // it fails
	if got := s.notes(); got != "constructs constructs" {
		t.Errorf("a later event: got %q, want another construction", got)
	}
}
