package program

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/world"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The handler programs of these tests run in the test's own process.
type (
	script   = scripted.Program
	handlers = scripted.Handlers
	call     = scripted.Call
)

const deadline = scripted.Deadline

var (
	eventually = scripted.Eventually
	wantList   = scripted.WantList
	must       = scripted.Must
)

// A testWorld is a world with a frozen clock, and a runner that runs scripts for it. It has neither
// an HTTP server nor a configuration.
type testWorld struct {
	t        *testing.T
	world    *world.World
	host     *Runner
	settings Settings
}

// newWorld returns a world with s as its program.
func newWorld(t *testing.T, s *script) *testWorld {
	t.Helper()
	w := newEmptyWorld(t, Options{}, world.Options{})
	w.swapIn(s)
	return w
}

// newEmptyWorld returns a world without a program. It fills in the options that o and wo leave out.
func newEmptyWorld(t *testing.T, o Options, wo world.Options) *testWorld {
	t.Helper()
	c := clock.New(clock.Options{})
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	o.Dir, o.Output, o.Restarted = dir, io.Discard, func() {}
	w := &testWorld{t: t, host: NewRunner(o, filepath.Join(dir, "serving"))}
	wo.Worker, wo.Clock, wo.Programs, wo.Log = "w", c, w.host, o.Log
	w.world = world.New(wo)
	w.host.Serve(w.world)
	t.Cleanup(w.stop)
	layout := world.Layout{Bindings: map[string]string{"LAB": "Lab", "MUTE": "Mute"}, DeleteAllDeletesAlarm: true}
	w.settings.Path = "wrangler.jsonc"
	for _, binding := range []string{"LAB", "MUTE"} {
		class := layout.Bindings[binding]
		key := "w-" + class
		layout.Classes = append(layout.Classes, world.Class{Name: class, UniqueKey: key, Dir: filepath.Join(dir, key)})
		w.settings.Welcome.Bindings = append(w.settings.Welcome.Bindings,
			wire.Binding{Name: binding, Class: class, UniqueKey: key})
	}
	if err := w.world.Apply(layout); err != nil {
		t.Fatal(err)
	}
	w.settings.Bindings = w.world.CurrentBindings()
	return w
}

func (w *testWorld) stop() {
	w.world.Stop()
	w.host.Close()
	w.world.Clock().Close()
	if err := w.world.Close(); err != nil {
		w.t.Errorf("close world: %v", err)
	}
}

// swapIn makes s the serving program.
func (w *testWorld) swapIn(s *script) {
	w.t.Helper()
	ours, theirs := net.Pipe()
	w.serveOn(ours, theirs, s)
}

// serveOn is swapIn on a given connection.
func (w *testWorld) serveOn(ours, theirs net.Conn, s *script) {
	w.t.Helper()
	go s.Serve(theirs)
	p, err := w.host.connect(context.Background(), ours, nil, w.settings)
	if err != nil {
		w.t.Fatal(err)
	}
	w.host.Swap(p)
}

// attach makes s serve as an attached program.
func (w *testWorld) attach(s *script) {
	ours, theirs := net.Pipe()
	go s.Serve(theirs)
	w.world.Go(func() {
		p, hello := w.host.NewProgram(ours, nil, w.settings)
		p.MarkAttached()
		if err := p.Meet(w.world.Context(), hello); err != nil {
			w.t.Error(err)
			return
		}
		w.host.Swap(p)
	})
}

// awaitInLine waits until n events wait for their objects to leave the version before.
func (w *testWorld) awaitInLine(n int) {
	w.t.Helper()
	eventually(w.t, "events wait in line", func() bool { return w.world.InLine() == n })
}

// crash drops the program's connection, as a crash does, and makes s the next program.
func (w *testWorld) crash(s *script) {
	w.t.Helper()
	w.host.mu.Lock()
	p := w.host.current
	w.host.closed = true
	w.host.current = nil // nobody restarts it
	w.host.mu.Unlock()
	p.conn.Close()
	w.swapIn(s)
}

// A response receives the answer to a request.
type response struct {
	status int
	body   []byte
}

func (r *response) Head(m *wire.Response, _ bool) error {
	r.status, r.body = int(m.Status), m.Body
	return nil
}

func (r *response) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}

func (r *response) Close() error { return nil }

// get sends a request to the worker, which passes it on to the object name, and returns the answer.
// It returns 500 and the error if the request fails.
func (w *testWorld) get(name, path string) (status int, body string) {
	w.t.Helper()
	return w.send(name, path, nil)
}

// wantReplaced sends a request that a reload is to end.
func (w *testWorld) wantReplaced(name, path string) {
	w.t.Helper()
	if status, body := w.get(name, path); status != 500 || !strings.Contains(body, errReplaced.Message) {
		w.t.Errorf("got %d %q, want %q", status, body, errReplaced.Message)
	}
}

// send is get with a body, unless that is nil.
func (w *testWorld) send(name, path string, body io.Reader) (status int, answer string) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	r := &response{}
	err := w.world.Deliver(&world.Delivery{
		Kind: "fetch", Context: ctx, Entry: world.Newest,
		Request: &wire.Request{
			Method: "GET", URL: "http://lab" + path, Header: []wire.Field{{Name: "Object", Value: name}},
		},
		Handle: func(ev *world.Event, inst *world.Instance) error {
			return ev.Program().(*Program).Fetch(ev, inst, body, r)
		},
	})
	if err != nil {
		return 500, err.Error()
	}
	return r.status, string(r.body)
}

// want sends a request and expects a good answer with this body.
func (w *testWorld) want(name, path, want string) {
	w.t.Helper()
	if status, got := w.get(name, path); status != 200 || got != want {
		w.t.Errorf("%s of %s: got %d %q, want 200 %q", path, name, status, got, want)
	}
}

// deliver sends a request to an object of class Lab, past the worker, and returns the error that a
// caller would see. The caller is outside the program, so the program may end meanwhile.
func (w *testWorld) deliver(name, path string) (seen error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return w.deliverUntil(ctx, name, path)
}

// deliverUntil is deliver for a client that goes when ctx ends.
func (w *testWorld) deliverUntil(ctx context.Context, name, path string) (seen error) {
	ns, err := w.world.NamespaceOf("Lab")
	if err != nil {
		return err
	}
	w.world.Deliver(&world.Delivery{ //nolint:errcheck // Ended has it
		Kind: "fetch", Context: ctx, Entry: world.Impatient, Object: ns.At(ns.Named(name)),
		Request: &wire.Request{Method: "GET", URL: "http://lab" + path},
		Handle: func(ev *world.Event, inst *world.Instance) error {
			return ev.Program().(*Program).Fetch(ev, inst, nil, &response{})
		},
		Ended: func(ev *world.Event, err error) {
			seen = err
			if ev != nil {
				seen = world.CallerError(ev, err)
			}
		},
	})
	return seen
}

// move moves the clock, and returns the report with all that ran.
func (w *testWorld) move(q control.AdvanceRequest) *control.Advanced {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	a, move, err := w.world.BeginAdvance(ctx, q)
	if err != nil {
		w.t.Fatalf("move clock %+v: %v", q, err)
	}
	advanced, err := move()
	if err != nil {
		w.t.Fatalf("move clock %+v: %v", q, err)
	}
	advanced.Fired = a.Take()
	return advanced
}

// moveOn advances the clock and returns what fired, one "object outcome" a run.
func (w *testWorld) moveOn(d time.Duration) []string {
	w.t.Helper()
	report := w.move(control.AdvanceRequest{Duration: d.String()})
	if report.Stopped != "" {
		w.t.Fatalf("advance by %s stopped: %s", d, report.Stopped)
	}
	var list []string
	for _, f := range report.Fired {
		list = append(list, f.String()+" "+f.Outcome)
	}
	return list
}

// isSet reports whether an object of class Lab has an alarm.
func (w *testWorld) isSet(name string) bool {
	for _, a := range w.world.PendingAlarms() {
		if a.Name == name {
			return true
		}
	}
	return false
}

// awaitTimer waits until a handler has begun to sleep for d.
func (w *testWorld) awaitTimer(d time.Duration) {
	w.t.Helper()
	scripted.AwaitTimer(w.t, w.world.Clock(), d)
}

// running returns the events that the program knows of.
func (w *testWorld) running() []*world.Event { return w.world.RunningIn(w.host.Serving()) }

// awaitBehind waits until n events wait for the turn of an object of class Lab that another event
// has.
func (w *testWorld) awaitBehind(name string, n int) {
	w.t.Helper()
	behind := ", and 1 event waits behind it"
	if n > 1 {
		behind = ", and " + strconv.Itoa(n) + " events wait behind it"
	}
	eventually(w.t, "the log would say"+behind, func() bool {
		for _, ev := range w.running() {
			if o := ev.Object(); o != nil && o.String() == "Lab/"+name {
				return o.Behind() == behind
			}
		}
		return false
	})
}
