package world

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// A cond is to the handlers of a script what durable.Cond is to those of a program.
type cond struct {
	mu    sync.Mutex
	waits []*CondWait
}

func (k *cond) wait(c *call) error { return k.waitContext(c.ctx, c) }

func (k *cond) waitContext(ctx context.Context, c *call) error {
	return c.ask(func(ev *Event) error {
		k.mu.Lock()
		w, err := ev.BeginWait()
		if err == nil {
			k.waits = append(k.waits, w)
		}
		k.mu.Unlock()
		if err != nil {
			return err
		}
		return w.Await(ctx)
	})
}

// wake wakes the first n waiters, or all if n is negative.
func (k *cond) wake(n int) {
	k.mu.Lock()
	if n < 0 {
		n = len(k.waits)
	}
	woken := k.waits[:n]
	k.waits = k.waits[n:]
	k.mu.Unlock()
	for _, w := range woken {
		w.Wake()
	}
}

// A condLab has objects that wait for one another.
type condLab struct {
	*world
	t       *testing.T
	s       *script
	changed cond
	wg      sync.WaitGroup
}

// newCondLab starts a world whose requests /wait/NAME wait once and note that, with the seconds
// since the start. /signal and /broadcast, and the alarm of an object on which /alarm was called,
// wake them.
func newCondLab(t *testing.T) *condLab {
	l := &condLab{t: t, s: newScript(nil)}
	l.s.handlers = map[string]func(*call) (string, error){
		"construct":  func(c *call) (string, error) { l.s.note("construct"); return "", nil },
		"/signal":    func(*call) (string, error) { l.changed.wake(1); return "", nil },
		"/broadcast": func(*call) (string, error) { l.changed.wake(-1); return "", nil },
		"/alarm":     func(c *call) (string, error) { return "", c.setAlarm(time.Minute) },
		"alarm": func(c *call) (string, error) {
			l.s.note("alarm")
			l.changed.wake(-1)
			return "", nil
		},
		"/hi": func(*call) (string, error) { l.s.note("hi"); return "hi", nil },
	}
	return l
}

func (l *condLab) start() *condLab {
	l.world = newWorld(l.t, l.s)
	l.t.Cleanup(l.wg.Wait)
	return l
}

// waits makes the object a wait, as name.
func (l *condLab) waits(name string) {
	l.t.Helper()
	path := "/wait/" + name
	l.s.mu.Lock()
	l.s.handlers[path] = func(c *call) (string, error) {
		err := l.changed.wait(c)
		l.s.note("%s", name)
		return name, err
	}
	l.s.mu.Unlock()
	before := l.parked()
	l.wg.Go(func() { l.want("a", path, name) })
	eventually(l.t, name+" waits", func() bool { return l.parked() == before+1 })
}

// parked returns how many handlers wait for another event.
func (l *condLab) parked() int {
	l.changed.mu.Lock()
	defer l.changed.mu.Unlock()
	n := 0
	for _, w := range l.changed.waits {
		w.mu.Lock()
		if w.parked {
			n++
		}
		w.mu.Unlock()
	}
	return n
}

func (l *condLab) wantNotes(want string) {
	l.t.Helper()
	if got := l.s.notes(); got != want {
		l.t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAWaitGivesTheTurnUpUntilItIsWoken(t *testing.T) {
	l := newCondLab(t).start()
	l.waits("1")
	l.want("a", "/hi", "hi")
	l.moveOn(time.Hour) // neither time nor other events end the wait
	l.want("a", "/hi", "hi")
	l.want("a", "/signal", "")
	l.wg.Wait()
	l.wantNotes("construct hi hi 1")
}

func TestAWaitWithoutAnEndKeepsTheObjectInMemory(t *testing.T) {
	l := newCondLab(t).start()
	l.waits("1")
	l.moveOn(24 * time.Hour)
	l.want("a", "/broadcast", "")
	l.wg.Wait()
	l.wantNotes("construct 1")
	l.moveOn(24 * time.Hour)
	l.want("a", "/hi", "hi")
	l.wantNotes("construct 1 construct hi")
}

func TestASignalWakesTheOneThatHasWaitedLongest(t *testing.T) {
	l := newCondLab(t).start()
	const many = 5
	var want []string
	for i := range many {
		l.waits(fmt.Sprint(i))
	}
	for i := range many {
		l.want("a", "/signal", "")
		want = append(want, fmt.Sprint(i))
		eventually(t, "the handler goes on", func() bool {
			return l.s.notes() == "construct "+strings.Join(want, " ")
		})
	}
}

func TestABroadcastWakesAllInTheOrderInWhichTheyBeganToWait(t *testing.T) {
	l := newCondLab(t).start()
	const many = 50
	want := "construct"
	for i := range many {
		l.waits(fmt.Sprint(i))
		want += fmt.Sprint(" ", i)
	}
	l.want("a", "/broadcast", "")
	l.wg.Wait()
	l.wantNotes(want)
}

// Events that queue for the turn already come before the ones that are woken.
func TestTheWokenGoToTheEndOfTheQueue(t *testing.T) {
	l := newCondLab(t)
	holding, release := make(chan struct{}), make(chan struct{})
	l.s.handlers["/hold"] = func(*call) (string, error) {
		close(holding)
		<-release
		l.changed.wake(-1)
		return "", nil
	}
	l.start()
	l.waits("1")
	l.wg.Go(func() { l.want("a", "/hold", "") })
	<-holding
	l.wg.Go(func() { l.want("a", "/hi", "hi") })
	eventually(t, "the request waits", func() bool { return l.object("Lab", "a").queued() == 1 })
	close(release)
	l.wg.Wait()
	l.wantNotes("construct hi 1")
}

// The handlers that an alarm wakes are part of its step: the next alarm fires when they have come
// to rest, and the advance returns after that.
func TestTheWokenBelongToTheStepOfTheEventThatWakesThem(t *testing.T) {
	l := newCondLab(t)
	const streams, alarms = 8, 5
	n := 0
	l.s.handlers["alarm"] = func(c *call) (string, error) {
		n++
		l.s.note("alarm%d", n)
		l.changed.wake(-1)
		if n == alarms {
			return "", nil
		}
		return "", c.setAlarm(time.Minute)
	}
	l.s.handlers["/stream"] = func(c *call) (string, error) {
		for seen := 0; seen < alarms; {
			for seen == n {
				if err := l.changed.wait(c); err != nil {
					return "", err
				}
			}
			seen = n
			if _, err := c.fetch("b", "/hi"); err != nil { // the step goes with the call
				return "", err
			}
			l.s.note("seen%d@%s", seen, c.now().Format("04:05"))
		}
		return "", nil
	}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l.s.handlers["/hi"] = func(*call) (string, error) { return "hi", nil }
	delete(l.s.handlers, "construct") // b is evicted now and then
	l.world = &world{t: t, dir: t.TempDir(), date: "2026-10-01", tune: func(o *setup) { o.Time = start }}
	l.world.start(l.s)
	t.Cleanup(l.world.stop)
	var want strings.Builder
	l.want("a", "/alarm", "")
	for range streams {
		l.wg.Go(func() { l.want("a", "/stream", "") })
	}
	eventually(t, "all streams wait", func() bool { return l.parked() == streams })
	for i := range alarms {
		l.moveOn(time.Minute)
		fmt.Fprintf(&want, " alarm%d", i+1)
		for range streams {
			fmt.Fprintf(&want, " seen%d@%02d:00", i+1, i+1)
		}
		l.wantNotes(strings.TrimSpace(want.String())) // at once: nothing runs on after the advance
	}
	l.wg.Wait()
}

// TestNoWakeIsLostAndNoWaitEndsByItself has several producers and consumers, with an advance.
func TestNoWakeIsLostAndNoWaitEndsByItself(t *testing.T) {
	const items, consumers = 200, 8
	l := newCondLab(t)
	queue, made, taken := 0, 0, make(map[int]int)
	spurious := 0
	l.s.handlers["/produce"] = func(*call) (string, error) {
		made++
		queue++
		l.changed.wake(min(1, len(l.changed.waits)))
		return "", nil
	}
	l.s.handlers["/consume"] = func(c *call) (string, error) {
		for made < items || queue > 0 {
			for queue == 0 && made < items {
				if err := l.changed.wait(c); err != nil {
					return "", err
				}
				if queue == 0 && made < items {
					spurious++ // another consumer was faster, at most once for each item
				}
			}
			if queue == 0 {
				break
			}
			queue--
			taken[made]++
			if err := c.sleep(time.Millisecond); err != nil {
				return "", err
			}
		}
		l.changed.wake(-1) // the last one: there is no more
		return "", nil
	}
	l.start()
	if err := l.Clock().Resume(); err != nil {
		t.Fatal(err)
	}
	for range consumers {
		l.wg.Go(func() { l.want("a", "/consume", "") })
	}
	for range 4 {
		l.wg.Go(func() {
			for range items / 4 {
				l.want("a", "/produce", "")
			}
		})
	}
	l.wg.Wait()
	sum := 0
	for _, n := range taken {
		sum += n
	}
	if sum != items || spurious > items {
		t.Errorf("%d of %d items were taken; %d waits ended without an item", sum, items, spurious)
	}
}

func TestAWakeBeforeTheWaitIsRemembered(t *testing.T) {
	l := newCondLab(t)
	l.s.handlers["/early"] = func(c *call) (string, error) {
		return "woken", c.ask(func(ev *Event) error {
			w, err := ev.BeginWait()
			if err != nil {
				return err
			}
			w.Wake()
			w.Wake() // a second one does nothing
			return w.Await(c.ctx)
		})
	}
	l.start()
	l.want("a", "/early", "woken")
	l.want("a", "/hi", "hi")
}

func TestAWakeFromOutsideIsPartOfNoStep(t *testing.T) {
	l := newCondLab(t).start()
	l.waits("1")
	l.waits("2")
	l.changed.wake(1)
	eventually(t, "the handler goes on", func() bool { return l.s.notes() == "construct 1" })
	l.want("b", "/broadcast", "") // by a handler of another object
	l.wg.Wait()
	l.wantNotes("construct 1 construct 2")
}

func TestAWaitIsRefusedWhereNobodyCouldSignal(t *testing.T) {
	l := newCondLab(t)
	l.s.handlers["construct"] = func(c *call) (string, error) {
		if c.object == "b" {
			return "", l.changed.wait(c)
		}
		return "", nil
	}
	l.s.handlers["/block"] = func(c *call) (string, error) {
		if err := c.plain(wire.MethodBlock); err != nil {
			return "", err
		}
		return "", errors.Join(l.changed.wait(c), c.plain(wire.MethodUnblock))
	}
	l.start()
	for _, tt := range []struct{ object, path string }{{"a", "/block"}, {"b", "/hi"}} {
		status, body := l.get(tt.object, tt.path)
		if status != 500 || !strings.Contains(body, "no other event of the object can run here to signal") {
			t.Errorf("%s of %s: got %d %q, want the reason", tt.path, tt.object, status, body)
		}
	}
	l.want("a", "/hi", "hi")
}

func TestAWaitEndsWithItsContextAndLeavesTheTurnToOthers(t *testing.T) {
	l := newCondLab(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	l.s.handlers["/wait"] = func(c *call) (string, error) {
		err := l.changed.waitContext(ctx, c)
		l.s.note("%v", err)
		return "canceled", c.plain(wire.MethodResume)
	}
	l.start()
	l.wg.Go(func() { l.want("a", "/wait", "canceled") })
	eventually(t, "the handler waits", func() bool { return l.parked() == 1 })
	cancel(errors.New("enough"))
	l.wg.Wait()
	l.changed.wake(1) // too late: it does nothing
	l.want("a", "/hi", "hi")
	l.wantNotes("construct enough hi")
}

func TestAWaitEndsWithItsObject(t *testing.T) {
	ends := map[string]func(l *condLab){
		"reset": func(l *condLab) { l.get("a", "/reset") },
		"crash": func(l *condLab) { l.crash(l.s) },
		"swap":  func(l *condLab) { l.swapIn(l.s) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			l := newCondLab(t)
			l.s.handlers["/wait"] = func(c *call) (string, error) { return "", l.changed.wait(c) }
			l.s.handlers["/reset"] = func(c *call) (string, error) { return "", c.reset("enough") }
			l.start()
			for range 2 {
				l.wg.Go(func() {
					if status, _ := l.get("a", "/wait"); status != 500 {
						t.Errorf("the request that waited: got %d, want 500", status)
					}
				})
			}
			eventually(t, "the handlers wait", func() bool { return l.parked() == 2 })
			end(l)
			l.wg.Wait()
			l.changed.wake(-1) // too late
			l.want("a", "/hi", "hi")
			l.moveOn(time.Hour)
		})
	}
}

func TestAHandlerThatWaitsIsNotOnItsOwn(t *testing.T) {
	l := newCondLab(t).start()
	l.waits("1")
	for _, ev := range l.runningEvents() {
		if ev.OnItsOwn() {
			t.Errorf("%s counts as one that waits for nothing", ev)
		}
	}
	l.want("a", "/signal", "")
}

// A handler of which one goroutine is woken stays in the step until that goroutine rests, too.
func TestOneOfSeveralGoroutinesIsWoken(t *testing.T) {
	l := newCondLab(t)
	l.s.handlers["/two"] = func(c *call) (string, error) {
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := c.sleep(time.Hour); err != nil {
				t.Error(err)
			}
			l.s.note("slept")
		})
		if err := l.changed.wait(c); err != nil {
			return "", err
		}
		l.s.note("woken@%s", c.load("k"))
		wg.Wait()
		return "", nil
	}
	l.start()
	l.want("a", "/alarm", "")
	l.wg.Go(func() { l.want("a", "/two", "") })
	l.awaitSleepers(2)
	eventually(t, "the handler waits", func() bool { return l.parked() == 1 })
	l.moveOn(time.Minute)
	l.wantNotes("construct alarm woken@")
	l.moveOn(time.Hour)
	l.wg.Wait()
	l.wantNotes("construct alarm woken@ slept")
}
