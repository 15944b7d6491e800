package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devtool.internal/clock"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const deadline = scripted.Deadline

var (
	eventually = scripted.Eventually
	wantList   = scripted.WantList
	must       = scripted.Must
	labID      = scripted.LabID
)

// A world is a World with a frozen clock, whose handler program is a script.
type world struct {
	*World
	t        *testing.T
	dir      string
	date     string // compatibility date
	crons    []string
	keyValue bool             // the class Lab has no SQL
	tune     func(*setup)     // changes how the world starts, or nil
	saved    clock.State      // the clock when the world was stopped
	wall     func() time.Time // the real clock, or nil for the machine's
	programs *scripts
}

// newWorld starts a world with s as its program.
func newWorld(t *testing.T, s *script) *world {
	w := &world{t: t, dir: t.TempDir(), date: "2026-10-01"}
	w.start(s)
	t.Cleanup(w.stop)
	return w
}

func (w *world) start(s *script) {
	w.t.Helper()
	w.startEngine()
	w.serve(s)
}

// startEngine starts a world that has no program yet.
func (w *world) startEngine() {
	w.t.Helper()
	w.programs = newScripts()
	o := setup{Frozen: true, Options: Options{
		Worker:   "w",
		Programs: w.programs,
		Log:      slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	}}
	if w.tune != nil {
		w.tune(&o)
	}
	if !o.Time.IsZero() {
		w.saved.At, w.saved.Offset = o.Time, time.Until(o.Time)
		if o.Frozen {
			w.saved.Mode = clock.Frozen
		}
	}
	o.Clock = clock.New(clock.Options{State: w.saved, Wall: w.wall, Seed: o.Seed})
	if o.Frozen {
		if err := o.Clock.Freeze(); err != nil {
			w.t.Fatal(err)
		}
	}
	w.World = New(o.Options)
	w.crons = o.Crons
	if err := os.MkdirAll(filepath.Join(w.dir, "state", "v3", "do"), 0o700); err != nil { // the state's owner does
		w.t.Fatal(err)
	}
	if err := w.Apply(w.layout()); err != nil {
		w.t.Fatal(err)
	}
}

// A setup is the options with which a test starts its world.
type setup struct {
	Options
	Frozen bool
	Time   time.Time // where the clock starts, unless it is zero
	Crons  []string
}

func (w *world) layout() Layout {
	l := Layout{
		Bindings:              map[string]string{"LAB": "Lab", "MUTE": "Mute"},
		DeleteAllDeletesAlarm: w.date >= "2026-02-24",
		Crons:                 w.crons,
	}
	for _, class := range []string{"Lab", "Mute"} {
		key := "w-" + class
		l.Classes = append(l.Classes, Class{
			Name: class, UniqueKey: key, Dir: filepath.Join(w.dir, "state", "v3", "do", key), KeyValue: w.keyValue,
		})
	}
	return l
}

// serve makes s the first program.
func (w *world) serve(s *script) { w.swapIn(s) }

// swapIn makes s the serving program.
func (w *world) swapIn(s *script) {
	w.programs.swap(s.serve(w.World))
	w.RunEarly()
}

func (w *world) stop() {
	if w.World == nil {
		return
	}
	w.Stop()
	w.programs.end()
	w.clock.Close()
	w.saved = w.clock.State()
	if err := w.Close(); err != nil {
		w.t.Errorf("close world: %v", err)
	}
	w.World = nil
}

// crash ends the program as a crash does, and makes s the next one.
func (w *world) crash(s *script) {
	w.t.Helper()
	w.programs.drop()
	w.swapIn(s)
}

// restart ends the world and starts another on the same files.
func (w *world) restart(s *script) {
	w.t.Helper()
	w.stop()
	w.start(s)
}

// offline stops the world and opens its files without programs.
func (w *world) offline() *offline {
	w.t.Helper()
	w.stop()
	c := clock.New(clock.Options{State: w.saved, Wall: w.wall})
	if err := c.Freeze(); err != nil {
		w.t.Fatal(err)
	}
	o := &offline{world: New(Options{Worker: "w", Clock: c, Log: slog.New(slog.DiscardHandler)})}
	if err := o.world.Apply(w.layout()); err != nil {
		w.t.Fatal(err)
	}
	o.Admin = o.world.Admin()
	return o
}

type offline struct {
	Admin
	world *World
}

func (o *offline) Close() error {
	o.world.clock.Close()
	return o.world.Close()
}

// get sends a request to the worker, which passes it on to the object name, and returns the answer.
func (w *world) get(name, path string) (status int, body string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	status, body, err := w.getContext(ctx, name, path)
	if err != nil {
		w.t.Errorf("get %s of %s: %v", path, name, err)
	}
	return status, body
}

// getContext is get for a client that goes when ctx ends. The error is then the cause of that.
func (w *world) getContext(ctx context.Context, name, path string) (status int, body string, err error) {
	request := &wire.Request{Method: "GET", URL: "http://lab" + path}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	engine := w.World
	engine.Go(func() {
		var r result
		r.err = engine.Deliver(&Delivery{
			Kind: "fetch", Context: ctx, Entry: Newest, Request: request,
			Handle: func(ev *Event, _ *Instance) (err error) {
				r.text, err = ev.Program().(*scriptRun).work(ev, name, path)
				return err
			},
		})
		done <- r
	})
	select {
	case r := <-done:
		if r.err == nil {
			return 200, r.text, nil
		}
		err = r.err
	case <-ctx.Done(): // the client does not wait for the handler
	}
	if ctx.Err() != nil {
		return 0, "", context.Cause(ctx)
	}
	if e := (*wire.Error)(nil); errors.As(err, &e) && e.ObjectID != "" {
		return 500, engine.NameOf(e.ObjectID) + " failed: " + err.Error(), nil
	}
	return 500, err.Error(), nil
}

// want sends a request and expects a good answer with this body.
func (w *world) want(name, path, want string) {
	w.t.Helper()
	if status, got := w.get(name, path); status != 200 || got != want {
		w.t.Errorf("%s of %s: got %d %q, want 200 %q", path, name, status, got, want)
	}
}

// advanceBy moves the clock on, and returns the report with all that ran.
func (w *world) advanceBy(ctx context.Context, d time.Duration) (*control.Advanced, error) {
	return w.advanceAs(ctx, control.AdvanceRequest{Duration: d.String()})
}

func (w *world) advanceAs(ctx context.Context, q control.AdvanceRequest) (*control.Advanced, error) {
	return advanceAs(ctx, w.World, q)
}

func advanceAs(ctx context.Context, w *World, q control.AdvanceRequest) (*control.Advanced, error) {
	a, move, err := w.BeginAdvance(ctx, q)
	if err != nil {
		return nil, err
	}
	advanced, err := move()
	if err == nil {
		advanced.Fired = a.Take()
	}
	return advanced, err
}

// moveOn advances the clock and returns what fired, one "object outcome" a run.
func (w *world) moveOn(d time.Duration) []string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	report, err := w.advanceBy(ctx, d)
	if err != nil {
		w.t.Fatalf("advance by %s: %v", d, err)
	}
	if report.Stopped != "" {
		w.t.Fatalf("advance by %s stopped: %s", d, report.Stopped)
	}
	return outcomes(report.Fired)
}

// awaitTimer waits until a handler has begun to sleep for d.
func (w *world) awaitTimer(d time.Duration) {
	w.t.Helper()
	scripted.AwaitTimer(w.t, w.clock, d)
}

// awaitSleepers waits until n goroutines of objects' handlers wait for the clock or for another
// object. A move of the clock counts for them only after that.
func (w *world) awaitSleepers(n int) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%d goroutines of handlers sleep", n), func() bool {
		sleepers := 0
		for _, ev := range w.runningEvents() {
			if ev.obj != nil {
				sleepers += ev.waiting()
			}
		}
		return sleepers == n
	})
}

// runningEvents returns the events that the program knows of.
func (w *world) runningEvents() []*Event { return w.RunningIn(w.programs.serving()) }

func outcomes(fired []control.Fired) []string {
	var list []string
	for _, f := range fired {
		list = append(list, f.String()+" "+f.Outcome)
	}
	return list
}

// object returns the world's object of that name.
func (w *world) object(class, name string) *object {
	ns := w.namespaces[class]
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.objects[ns.Named(name).id]
}

// alarm returns the pending alarm of an object.
func (w *world) alarm(name string) (control.Alarm, bool) {
	for _, a := range w.PendingAlarms() {
		if a.Name == name {
			return a, true
		}
	}
	return control.Alarm{}, false
}

// client returns a client that calls the world as the control API does.
func (w *world) client() client { return client{w.Admin()} }

type client struct{ Admin }

func (c client) Trigger(_ context.Context, q control.TriggerRequest) (control.Triggered, error) {
	return c.w.TriggerAlarm(q, func() error { return nil })
}

func (c client) InjectFault(_ context.Context, q control.Fault) (control.Fault, error) {
	return c.w.InjectFault(q)
}

func (c client) ListFaults(context.Context) (control.Faults, error) { return c.w.Faults(false), nil }
func (c client) DropFaults(context.Context) (control.Faults, error) { return c.w.Faults(true), nil }

func (c client) Advance(
	ctx context.Context, q control.AdvanceRequest, _ func(control.AdvanceEvent),
) (control.Advanced, error) {
	advanced, err := advanceAs(ctx, c.w, q)
	if err != nil {
		return control.Advanced{}, err
	}
	return *advanced, nil
}

func (c client) Freeze(context.Context) (control.Time, error) { return c.after(c.w.clock.Freeze()) }
func (c client) Resume(context.Context) (control.Time, error) { return c.after(c.w.clock.Resume()) }
func (c client) Time(context.Context) (control.Time, error)   { return c.after(nil) }

func (c client) after(err error) (control.Time, error) {
	if err != nil {
		return control.Time{}, Refusal(err)
	}
	return c.w.Time(), nil
}

// move moves the clock, and fails the test if that fails.
func (w *world) move(q control.AdvanceRequest) control.Advanced {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	advanced, err := w.client().Advance(ctx, q, nil)
	if err != nil {
		w.t.Fatalf("move clock %+v: %v", q, err)
	}
	return advanced
}

// labScript returns a program whose objects store a value and set an alarm.
func labScript() *script {
	return newScript(map[string]func(*call) (string, error){
		"construct": func(c *call) (string, error) { c.run.note("construct:%s", c.object); return "", nil },
		"/get":      func(c *call) (string, error) { return c.load("k"), nil },
		"/put":      func(c *call) (string, error) { return "", c.store("k", `J"stored"`) },
		"/alarm":    func(c *call) (string, error) { return "", c.setAlarm(time.Minute) },
		"/memory":   func(*call) (string, error) { return "", nil },
		"alarm":     func(c *call) (string, error) { c.run.note("alarm:%s", c.object); return "", nil },
	})
}

func put(value string) control.PutRequest { return control.PutRequest{Value: json.RawMessage(value)} }

// lab returns an object of class Lab.
func lab(name string) control.Object { return control.Object{Class: "Lab", Name: name} }

// wantRefusal checks the status and the text of a refusal.
func wantRefusal(t *testing.T, err error, status int, text string) {
	t.Helper()
	refused := (*control.Error)(nil)
	if !errors.As(err, &refused) || refused.Code.Status() != status || !strings.Contains(refused.Error(), text) {
		t.Errorf("got %v, want status %d and %q", err, status, text)
	}
}
