package world

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

// begin sends a request from a goroutine, and returns when the world has taken it.
func (w *world) begin(wg *sync.WaitGroup, name, path string) {
	w.t.Helper()
	_, _, before := w.underWay.all()
	wg.Go(func() { w.get(name, path) })
	eventually(w.t, path+" has begun", func() bool {
		_, _, begun := w.underWay.all()
		return begun > before
	})
}

// settle settles the world.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	if err := w.Settle(ctx, deadline); err != nil {
		w.t.Fatal(err)
	}
}

// waiting returns what waits for the clock, one "WHAT in OBJECT until DURATION" each.
func (w *world) waiting() (list []string) {
	for _, waiter := range w.Waiting().Waiting {
		list = append(list, fmt.Sprintf("%s in %s/%s until %s",
			waiter, waiter.Class, waiter.Name, waiter.Until.Sub(w.clock.Now())))
	}
	return list
}

// spin keeps a processor busy for a while that depends on the machine.
func spin() {
	for range 200 {
		runtime.Gosched()
	}
}

func TestSettleWaitsForAHandlerOnItsWayToSleep(t *testing.T) {
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/sleep": func(c *call) (string, error) {
			spin()
			if err := c.store("k", `J"1"`); err != nil {
				return "", err
			}
			spin()
			return "", c.sleep(time.Minute)
		},
	}))
	for n := range 20 {
		name := fmt.Sprint(n)
		var wg sync.WaitGroup
		w.begin(&wg, name, "/sleep")
		w.settle()
		wantList(t, "waiting", w.waiting(), []string{"GET /sleep in Lab/" + name + " until 1m0s"})
		w.moveOn(time.Minute)
		wg.Wait()
	}
	w.settle()
	wantList(t, "waiting at the end", w.waiting(), nil)
}

func TestAnAdvanceSettlesFirst(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/sleep": func(c *call) (string, error) {
			spin()
			err := c.sleep(time.Second)
			s.note("%s", c.now().Format("05"))
			return "", err
		},
	}
	w := newWorld(t, s)
	if err := w.clock.Freeze(); err != nil {
		t.Fatal(err)
	}
	w.move(control.AdvanceRequest{To: ptr(w.clock.Now().Truncate(time.Minute).Add(time.Minute))})
	var wg sync.WaitGroup
	w.begin(&wg, "a", "/sleep")
	w.move(control.AdvanceRequest{Duration: "2s", Settle: true})
	wg.Wait()
	if got := s.notes(); got != "01" {
		t.Errorf("the handler went on at %q, want 01: it slept before the clock moved", got)
	}
}

func TestWaitingFollowsCallsAndTurns(t *testing.T) {
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/chain": func(c *call) (string, error) { return c.fetch("b", "/sleep") },
		"/sleep": func(c *call) (string, error) { return "", c.sleep(2 * time.Minute) },
		"/hold": func(c *call) (string, error) {
			if err := c.ask((*Event).Block); err != nil {
				return "", err
			}
			return "", c.sleep(20 * time.Second)
		},
		"/behind": func(*call) (string, error) { return "", nil },
		"/arm":    func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
		"alarm":   func(c *call) (string, error) { return "", c.sleep(3 * time.Minute) },
		"/background": func(c *call) (string, error) {
			return "", c.background(func(c *call) error { return c.sleep(4 * time.Minute) })
		},
	}))
	var wg sync.WaitGroup
	w.want("alarming", "/arm", "")
	w.moveOn(time.Second)
	w.want("d", "/background", "")
	w.begin(&wg, "a", "/chain")
	w.begin(&wg, "c", "/hold")
	w.settle()
	w.begin(&wg, "c", "/behind")
	w.settle()
	wantList(t, "waiting", w.waiting(), []string{
		"GET /hold in Lab/c until 20s",
		"GET /behind in Lab/c until 20s",
		"GET /chain in Lab/b until 2m0s",
		"alarm Lab/alarming in Lab/alarming until 3m0s",
		"waitUntil Lab/d in Lab/d until 4m0s",
	})
	w.moveOn(10 * time.Minute)
	wg.Wait()
	w.settle()
}

func TestAHandlerThatDoesNotRestIsNamed(t *testing.T) {
	release := make(chan struct{})
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/stubborn": func(*call) (string, error) { <-release; return "", nil },
		"/behind":   func(*call) (string, error) { return "", nil },
		"/sleep":    func(c *call) (string, error) { return "", c.sleep(time.Second) },
	}))
	var wg sync.WaitGroup
	w.begin(&wg, "a", "/stubborn")
	w.begin(&wg, "a", "/behind")
	w.begin(&wg, "b", "/sleep")
	err := w.Settle(t.Context(), 50*time.Millisecond)
	if control.CodeOf(err) != control.CodeNotSettled ||
		!strings.Contains(err.Error(), "Lab/a GET /stubborn still runs") ||
		strings.Contains(err.Error(), "/behind") || strings.Contains(err.Error(), "/sleep") {
		t.Errorf("got %v, want an error that names the handler and no other", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("enough"))
	if err := w.Settle(ctx, deadline); err == nil || err.Error() != "enough" {
		t.Errorf("got %v, want the cause of the context's end", err)
	}
	close(release)
	w.settle()
	w.moveOn(time.Second)
	wg.Wait()
}

func TestSettleWaitsForEachGoroutineOfAHandler(t *testing.T) {
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/several": func(c *call) (string, error) {
			var wg sync.WaitGroup
			for n := range 8 {
				wg.Go(func() { must(c.sleep(time.Duration(n+1) * time.Second)) })
			}
			wg.Wait()
			return "", nil
		},
	}))
	var wg sync.WaitGroup
	w.begin(&wg, "a", "/several")
	w.settle()
	if got := len(w.waiting()); got != 1 {
		t.Errorf("got %d waiters, want the request once", got)
	}
	if got := w.sleepsOf("a"); got != 8 {
		t.Errorf("got %d sleeping goroutines, want 8", got)
	}
	w.moveOn(8 * time.Second)
	wg.Wait()
}

// sleepsOf returns how many goroutines of handlers of an object sleep.
func (w *world) sleepsOf(name string) (n int) {
	for _, ev := range w.object("Lab", name).events() {
		ev.stepMu.Lock()
		n += len(ev.sleeps)
		ev.stepMu.Unlock()
	}
	return n
}

func TestTheLogNamesWhatWaitsForAFrozenClock(t *testing.T) {
	var log scripted.Buffer
	held := make(chan struct{})
	w := &world{t: t, dir: t.TempDir(), date: "2026-10-01", tune: func(o *setup) {
		o.Options.Log = slog.New(slog.NewTextHandler(&log, nil))
	}}
	w.start(newScript(map[string]func(*call) (string, error){
		"/sleep%0A": func(c *call) (string, error) { return "", c.sleep(2 * time.Second) },
		"/chain":    func(c *call) (string, error) { return c.fetch("b", "/sleep%0A") },
		"/hold": func(c *call) (string, error) {
			if err := c.ask((*Event).Block); err != nil {
				return "", err
			}
			held <- struct{}{}
			<-held
			return "", c.sleep(2 * time.Second)
		},
		"/behind": func(*call) (string, error) { return "", nil },
		"/late":   func(*call) (string, error) { return "", nil },
		"/arm":    func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
		"alarm":   func(c *call) (string, error) { return "", c.sleep(2 * time.Second) },
	}))
	t.Cleanup(w.stop)
	named := func() (list []string) {
		for line := range strings.Lines(log.String()) {
			if what, _, ok := strings.Cut(line, " waits for the clock, which is frozen"); ok {
				_, what, _ = strings.Cut(what, `msg="`)
				list = append(list, what)
			}
		}
		slices.Sort(list)
		return list
	}
	wantNamed := func(want ...string) {
		t.Helper()
		slices.Sort(want)
		eventually(t, fmt.Sprintf("the log names %q", want), func() bool { return slices.Equal(named(), want) })
	}
	var wg sync.WaitGroup
	w.begin(&wg, "a", "/sleep%0A")
	wantNamed("GET /sleep%0A")
	w.begin(&wg, "a", "/chain")
	wantNamed("GET /sleep%0A", "GET /chain")
	w.begin(&wg, "c", "/hold")
	<-held
	w.begin(&wg, "c", "/behind")
	eventually(t, "a request is queued", func() bool { return w.object("Lab", "c").queued() == 1 })
	held <- struct{}{}
	wantNamed("GET /sleep%0A", "GET /chain", "GET /hold", "GET /behind")
	w.begin(&wg, "c", "/late")
	wantNamed("GET /sleep%0A", "GET /chain", "GET /hold", "GET /behind", "GET /late")
	w.moveOn(2 * time.Second)
	wg.Wait()

	log.Reset()
	w.want("d", "/arm", "")
	w.moveOn(2 * time.Second) // the alarm still sleeps at the end
	wantNamed("alarm Lab/d")
	w.moveOn(time.Second)
	w.settle()

	log.Reset()
	if err := w.clock.Resume(); err != nil {
		t.Fatal(err)
	}
	w.begin(&wg, "e", "/sleep%0A")
	w.settle()
	if got := named(); len(got) > 0 {
		t.Errorf("got %q named while the clock runs, want none", got)
	}
	if err := w.Freeze(); err != nil {
		t.Fatal(err)
	}
	wantNamed("GET /sleep%0A")
	w.moveOn(2 * time.Second)
	wg.Wait()
}

func ptr[T any](v T) *T { return &v }

func TestBlockedStacks(t *testing.T) {
	for stack, want := range map[string]bool{
		"":                                  false,
		"goroutine 7 [select]:\nmain.f()\n": true,
		"goroutine 7 [chan receive, 2 minutes]:\nmain.f()":                                 true,
		"goroutine 7 [select (no cases)]:\nmain.f()":                                       true,
		"goroutine 7 [sync.WaitGroup.Wait]:\nmain.f()\n\ngoroutine 8 [running]:\nmain.g()": false,
		"goroutine 7 [runnable]:\nmain.f()":                                                false,
		"goroutine 7 [sleep]:\nmain.f()":                                                   false,
		"goroutine 7 [IO wait]:\nmain.f()":                                                 false,
	} {
		if got := blocked(stack); got != want {
			t.Errorf("%q: got %t, want %t", stack, got, want)
		}
	}
}
