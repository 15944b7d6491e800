package program

import (
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/world"
)

// A debugger stops an attached program where one of its handlers calls stop. While it is stopped,
// the program answers no ping.
type debugger struct {
	at chan struct{} // receives once for each stop

	mu  sync.Mutex
	out chan struct{} // closed when the program goes on; nil while it runs
}

func (d *debugger) stop(c *call) (string, error) {
	d.hold()
	d.at <- struct{}{}
	_, err := d.wait(c)
	return "went on", err
}

// hold stops the program at once, whatever its handlers do.
func (d *debugger) hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.out = make(chan struct{})
}

// wait answers as soon as the program goes on. Pings are answered with it.
func (d *debugger) wait(*call) (string, error) {
	d.mu.Lock()
	out := d.out
	d.mu.Unlock()
	if out != nil {
		<-out
	}
	return "", nil
}

func (d *debugger) goOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out != nil {
		close(d.out)
		d.out = nil
	}
}

// newDebugged starts a program in a debugger. It counts as stopped soon.
func newDebugged(t *testing.T, handlers func(*debugger) handlers) (*testWorld, *debugger) {
	return newAttached(t, 20*time.Millisecond, handlers)
}

// newAttached starts a program that a debugger may stop. It counts as stopped when it does not
// answer a ping within the timeout.
func newAttached(t *testing.T, timeout time.Duration, handlers func(*debugger) handlers) (*testWorld, *debugger) {
	d := &debugger{at: make(chan struct{}, 10)}
	s := scripted.New(handlers(d))
	s.Handlers["/who"] = func(*call) (string, error) { return "debugged", nil }
	s.Handlers["ping"] = d.wait
	w := newEmptyWorld(t, Options{AttachedOnly: true}, world.Options{Waits: world.Waits{BlockGrace: time.Millisecond}})
	t.Cleanup(d.goOn)
	w.host.pingTimeout = timeout
	w.attach(s)
	w.want("b", "/who", "debugged")
	return w, d
}

// awaitStopped waits until the program that serves has left a ping unanswered.
func (w *testWorld) awaitStopped() {
	w.t.Helper()
	w.awaitUnanswered(w.host.Serving())
}

func (w *testWorld) awaitUnanswered(p *Program) {
	w.t.Helper()
	eventually(w.t, "the program has left a ping unanswered", func() bool {
		return p.pulse.stoppedWithin(time.Hour)
	})
}

func TestAStepLastsAsLongAsADebuggerWants(t *testing.T) {
	w, d := newDebugged(t, func(d *debugger) handlers {
		return handlers{
			"/arm":  func(c *call) (string, error) { return "armed", c.SetAlarm(time.Second) },
			"alarm": d.wait,
		}
	})
	w.want("a", "/arm", "armed")
	d.hold() // before the step: its short limit may pass before the alarm reaches the program
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := w.move(control.AdvanceRequest{Duration: "1s", MaxStep: "10ms"}); got.Stopped != "" || got.Ran != 1 {
			t.Errorf("got %d runs, stopped %q, want 1 that was waited for", got.Ran, got.Stopped)
		}
	})
	w.awaitStopped() // the step has passed its limit
	d.goOn()
	wg.Wait()
}

func TestAStepHasALimitWithoutADebugger(t *testing.T) {
	hang := newHang(t)
	// A ping that a busy machine answers late would spare the step.
	w, _ := newAttached(t, time.Minute, func(*debugger) handlers {
		return handlers{
			"/arm":  func(c *call) (string, error) { return "armed", c.SetAlarm(time.Second) },
			"alarm": hang.Here,
		}
	})
	w.want("a", "/arm", "armed")
	got := w.move(control.AdvanceRequest{Duration: "1s", MaxStep: "10ms"})
	if want := "was unfinished after 10ms of real time"; !strings.Contains(got.Stopped, want) {
		t.Errorf("got stopped %q, want %q", got.Stopped, want)
	}
	hang.Release()
}

func TestTheLimitOfAConstructorWaitsForADebugger(t *testing.T) {
	w, d := newDebugged(t, func(d *debugger) handlers {
		return handlers{"construct": func(c *call) (string, error) {
			if c.Object == "a" {
				return d.stop(c)
			}
			return "", nil
		}}
	})
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/who", "debugged") })
	<-d.at
	wg.Go(func() { w.moveOn(time.Minute) })
	w.awaitStopped()
	d.goOn()
	wg.Wait()
}

func TestTheLimitOfAnAlarmWaitsForADebugger(t *testing.T) {
	t.Parallel()
	w, d := newDebugged(t, func(d *debugger) handlers {
		return handlers{
			"/arm":  func(c *call) (string, error) { return "armed", c.SetAlarm(24 * time.Hour) },
			"alarm": d.stop,
		}
	})
	w.want("a", "/arm", "armed")
	var wg sync.WaitGroup
	wg.Go(func() {
		got, err := w.world.TriggerAlarm(control.TriggerRequest{Class: "Lab", Name: "a"}, func() error { return nil })
		if err != nil || got.Outcome != control.OutcomeOK {
			t.Errorf("got outcome %q (%s), %v, want %q", got.Outcome, got.Error, err, control.OutcomeOK)
		}
	})
	<-d.at
	wg.Go(func() { w.moveOn(time.Hour) })
	w.awaitStopped()
	d.goOn()
	wg.Wait()
}

func TestTheStuckWarningDoesNotCountTimeInADebugger(t *testing.T) {
	t.Parallel()
	w, d := newDebugged(t, func(d *debugger) handlers {
		return handlers{"/stop": d.stop}
	})
	g := newGuard(w)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/stop", "went on") })
	<-d.at
	g.pass(time.Minute)
	g.expect()
	d.goOn()
	wg.Wait()
}

func TestAnObjectWaitsForAProgramInADebugger(t *testing.T) {
	t.Parallel()
	w, d := newDebugged(t, func(d *debugger) handlers {
		return handlers{"/stop": d.stop}
	})
	w.host.drainLimit = time.Second // expires once while the program is stopped, and then starts again
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/stop", "went on") })
	<-d.at
	old := w.host.Serving()
	w.attach(scripted.New(handlers{"/who": func(*call) (string, error) { return "next", nil }}))
	eventually(t, "the next program serves", func() bool { return w.host.Serving() != old })
	w.want("b", "/who", "next")
	wg.Go(func() { w.want("a", "/who", "next") })
	w.awaitInLine(1)
	w.awaitUnanswered(old) // the program has not ended within the drain limit
	d.goOn()
	wg.Wait()
}
