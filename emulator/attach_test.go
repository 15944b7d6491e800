package emulator

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// attachOnly makes a world build nothing.
func attachOnly(o *Options) { o.Attach = AttachOnly }

// newEmptyWorld starts an emulator that no program serves.
func newEmptyWorld(t *testing.T, tune func(*Options)) *world {
	w := &world{t: t, dir: t.TempDir(), date: "2026-10-01", tune: tune}
	w.startEngine()
	w.server = httptest.NewServer(w.door().Handler)
	t.Cleanup(w.stop)
	return w
}

// attachByHand lets s dial in as a program does that was started by hand. The function that it returns ends
// s.
func (w *world) attachByHand(s *script) (end func()) {
	ours, theirs := net.Pipe()
	go s.serve(theirs)
	w.background.Go(func() { w.attach(ours) })
	return func() { theirs.Close() }
}

// greeter is a program whose objects say who it is.
func greeter(name string) *script {
	return newScript(map[string]func(*call) (string, error){
		"/who": func(*call) (string, error) { return name, nil },
	})
}

func (w *world) awaitServing(name string) {
	w.t.Helper()
	eventually(w.t, name+" serves", func() bool { _, got := w.get("a", "/who"); return got == name })
}

func TestAProgramStartedByHandServesInPlaceOfTheBuiltOne(t *testing.T) {
	w := newWorld(t, greeter("built"))
	w.want("a", "/who", "built")
	if w.Status().Attached {
		t.Error("the status tells of a program that was started by hand")
	}
	end := w.attachByHand(greeter("by hand"))
	w.awaitServing("by hand")
	if !w.Status().Attached {
		t.Error("the status does not tell of the program that was started by hand")
	}

	// A build does not take its place, and the next one by hand does.
	ours, theirs := net.Pipe()
	go greeter("built again").serve(theirs)
	p, err := w.host.connect(context.Background(), ours, nil, w.currentSettings().program)
	if err != nil {
		t.Fatal(err)
	}
	if w.host.swap(p) {
		t.Error("a build took the place of a program that was started by hand")
	}
	w.want("a", "/who", "by hand")
	w.attachByHand(greeter("by hand again"))
	w.awaitServing("by hand again")
	end()
	w.want("a", "/who", "by hand again")
}

func TestEventsWaitForTheNextProgramWhereNothingIsBuilt(t *testing.T) {
	w := newEmptyWorld(t, attachOnly)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/who", "first") })
	end := w.attachByHand(greeter("first"))
	wg.Wait()
	end()
	eventually(t, "the program has gone", func() bool { return w.host.running() == nil })
	if got := w.program().State; got != control.ProgramStarting {
		t.Errorf("state of the program: got %q, want %q", got, control.ProgramStarting)
	}
	wg.Go(func() { w.want("a", "/who", "second") })
	w.attachByHand(greeter("second"))
	wg.Wait()
}

func TestAnEventOfAProgramThatWasStartedByHandEndsWithIt(t *testing.T) {
	h := newHang(t)
	w := newEmptyWorld(t, attachOnly)
	end := w.attachByHand(newScript(map[string]func(*call) (string, error){"/hang": h.here}))
	var wg sync.WaitGroup
	wg.Go(func() {
		status, body := w.get("a", "/hang")
		if want := "the handler program, which was started by hand, has ended"; status != 500 || !strings.Contains(body, want) {
			t.Errorf("got %d %q, want 500 and %q", status, body, want)
		}
	})
	<-h.in
	end()
	wg.Wait()
}

func TestAProgramThatDoesNotFitIsToldSo(t *testing.T) {
	w := newEmptyWorld(t, attachOnly)
	ours, theirs := net.Pipe()
	w.background.Go(func() { w.attach(ours) })
	conn := wire.NewConn(theirs, wire.Program, wire.Callbacks{})
	defer conn.Close()
	err := conn.Call(t.Context(), wire.MethodHello, &wire.Hello{MinVersion: 1, MaxVersion: 1}, &wire.Welcome{})
	if want := "the program has no class Lab (bound as LAB)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	// The emulator goes on.
	w.attachByHand(greeter("one that fits"))
	w.want("a", "/who", "one that fits")
}

// A debugger stops a program that was started by hand where one of its handlers calls stop: it answers no
// question then, whether it runs.
type debugger struct {
	at chan struct{} // gets one for each stop

	mu  sync.Mutex
	out chan struct{} // closed when the program goes on; nil while it runs
}

func (d *debugger) stop(*call) (string, error) {
	out := make(chan struct{})
	d.mu.Lock()
	d.out = out
	d.mu.Unlock()
	d.at <- struct{}{}
	<-out
	return "went on", nil
}

func (d *debugger) ping(*call) (string, error) {
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

// newDebugged starts a program in a debugger.
func newDebugged(t *testing.T, handlers func(*debugger) map[string]func(*call) (string, error)) (*world, *debugger) {
	d := &debugger{at: make(chan struct{}, 10)}
	s := newScript(handlers(d))
	s.handlers["/who"] = func(*call) (string, error) { return "debugged", nil }
	s.handlers["ping"] = d.ping
	w := newEmptyWorld(t, attachOnly)
	t.Cleanup(d.goOn)
	w.host.pingTimeout, w.waits.BlockGrace = 20*time.Millisecond, time.Millisecond
	w.attachByHand(s)
	w.want("b", "/who", "debugged")
	return w, d
}

// awaitStanding waits until somebody has asked the program whether it runs, and got no answer.
func (w *world) awaitStanding() {
	w.t.Helper()
	eventually(w.t, "it is seen that the program stands", func() bool { return w.host.running().pulse.stoodWithin(time.Hour) })
}

func TestAStepLastsAsLongAsADebuggerWants(t *testing.T) {
	w, d := newDebugged(t, func(d *debugger) map[string]func(*call) (string, error) {
		return map[string]func(*call) (string, error){
			"/arm":  func(c *call) (string, error) { return "armed", c.setAlarm(time.Second) },
			"alarm": d.stop,
		}
	})
	w.want("a", "/arm", "armed")
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := w.move(control.AdvanceRequest{Duration: "1s", MaxStep: "10ms"}); got.Stopped != "" || got.Ran != 1 {
			t.Errorf("got %d runs, stopped %q, want 1 that was waited for", got.Ran, got.Stopped)
		}
	})
	<-d.at
	w.awaitStanding() // the step has taken longer than it may
	d.goOn()
	wg.Wait()
}

func TestAStepIsBoundWhereNoDebuggerIs(t *testing.T) {
	hang := newHang(t)
	w, _ := newDebugged(t, func(*debugger) map[string]func(*call) (string, error) {
		return map[string]func(*call) (string, error){
			"/arm":  func(c *call) (string, error) { return "armed", c.setAlarm(time.Second) },
			"alarm": hang.here,
		}
	})
	w.want("a", "/arm", "armed")
	got := w.move(control.AdvanceRequest{Duration: "1s", MaxStep: "10ms"})
	if want := "was unfinished after 10ms of real time"; !strings.Contains(got.Stopped, want) {
		t.Errorf("got stopped %q, want %q", got.Stopped, want)
	}
	hang.release()
}

func TestTheLimitOfAConstructorWaitsForADebugger(t *testing.T) {
	w, d := newDebugged(t, func(d *debugger) map[string]func(*call) (string, error) {
		return map[string]func(*call) (string, error){"construct": func(c *call) (string, error) {
			if c.object == "a" {
				return d.stop(c)
			}
			return "", nil
		}}
	})
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/who", "debugged") })
	<-d.at
	wg.Go(func() { w.moveOn(time.Minute) })
	w.awaitStanding()
	d.goOn()
	wg.Wait()
}

func TestTheLimitOfAnAlarmWaitsForADebugger(t *testing.T) {
	w, d := newDebugged(t, func(d *debugger) map[string]func(*call) (string, error) {
		return map[string]func(*call) (string, error){
			"/arm":  func(c *call) (string, error) { return "armed", c.setAlarm(24 * time.Hour) },
			"alarm": d.stop,
		}
	})
	w.want("a", "/arm", "armed")
	var wg sync.WaitGroup
	wg.Go(func() {
		got, err := w.client().Trigger(t.Context(), control.TriggerRequest{Class: "Lab", Name: "a"})
		if err != nil || got.Outcome != control.OutcomeOK {
			t.Errorf("got outcome %q (%s), %v, want %q", got.Outcome, got.Error, err, control.OutcomeOK)
		}
	})
	<-d.at
	wg.Go(func() { w.moveOn(time.Hour) })
	w.awaitStanding()
	d.goOn()
	wg.Wait()
}

func TestTheLookoutDoesNotCountTheTimeInADebugger(t *testing.T) {
	w, d := newDebugged(t, func(d *debugger) map[string]func(*call) (string, error) {
		return map[string]func(*call) (string, error){"/stop": d.stop}
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

func TestAnotherProgramWaitsForOneInADebugger(t *testing.T) {
	w, d := newDebugged(t, func(d *debugger) map[string]func(*call) (string, error) {
		return map[string]func(*call) (string, error){"/stop": d.stop}
	})
	w.host.drainLimit = time.Second // which passes once while it stands; then it has that long again
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/stop", "went on") })
	<-d.at
	w.attachByHand(greeter("next"))
	w.awaitStanding() // it has not ended in time
	d.goOn()
	wg.Wait()
	w.awaitServing("next")
}

func TestAProgramVisitsAnObject(t *testing.T) {
	s := newScript(map[string]func(*call) (string, error){
		"/get": func(c *call) (string, error) { return c.load("k"), nil },
		"visited": func(c *call) (string, error) {
			if c.object == "bad" {
				return "", errors.New("not here")
			}
			return "", c.store("k", "from a visit")
		},
	})
	w := newWorld(t, s)
	visit := func(class, object string) error {
		return s.conn.Call(t.Context(), wire.MethodVisit, &wire.Visit{Class: class, Object: object, Visit: 7}, &wire.Empty{})
	}
	for _, class := range []string{"Lab", "LAB"} {
		if err := visit(class, "a"); err != nil {
			t.Error(err)
		}
	}
	w.want("a", "/get", "from a visit")
	for object, want := range map[string]string{"bad": "not here"} {
		if err := visit("Lab", object); err == nil || err.Error() != want {
			t.Errorf("visit %s: got %v, want %s", object, err, want)
		}
	}
	if err := visit("Nobody", "a"); err == nil || !strings.Contains(err.Error(), `there is no class "Nobody"`) {
		t.Errorf("got %v, want that there is no such class", err)
	}
	err := s.conn.Call(t.Context(), wire.MethodVisit, &wire.Visit{Class: "Lab", Object: "abc", HasID: true}, &wire.Empty{})
	if err == nil {
		t.Error("a wrong id: got no error")
	}
	// The event is over: another one gets the turn.
	w.want("bad", "/get", "")
}

func TestProgramsAreLedToTheSocket(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".devtool", "attach")
	first, err := publishSocket(file, "/tmp/one")
	if err != nil {
		t.Fatal(err)
	}
	second, err := publishSocket(file, "/tmp/two")
	if err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		got, err := os.ReadFile(file)
		if string(got) != want || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	for _, remove := range []func() error{first, first} {
		if err := remove(); err != nil {
			t.Error(err)
		}
		check("/tmp/two\n") // that of another emulator stays
	}
	if err := errors.Join(second(), second()); err != nil {
		t.Error(err)
	}
	check("")
}
