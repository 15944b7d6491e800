package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devtool.internal/config"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline is how long anything in these tests may take before it counts as stuck.
const deadline = 20 * time.Second

// A world is an emulator with a frozen clock, whose handler program is a script in
// the test's own process.
type world struct {
	*Emulator
	t      *testing.T
	dir    string
	date   string         // compatibility date
	tune   func(*Options) // changes how the emulator starts, or nil
	server *httptest.Server
}

// newWorld starts an emulator that s is the program of.
func newWorld(t *testing.T, s *script) *world {
	w := &world{t: t, dir: t.TempDir(), date: "2026-10-01"}
	w.start(s)
	t.Cleanup(w.stop)
	return w
}

const labConfig = `{
	"name": "w", "main": ".", "compatibility_date": %q,
	"durable_objects": {"bindings": [
		{"name": "LAB", "class_name": "Lab"},
		{"name": "MUTE", "class_name": "Mute"}
	]},
	"migrations": [{"tag": "v1", "new_sqlite_classes": ["Lab", "Mute"]}]
}`

func (w *world) start(s *script) {
	w.t.Helper()
	w.startEngine()
	w.serve(s)
}

// startEngine starts an emulator that has no program yet.
func (w *world) startEngine() {
	w.t.Helper()
	path := filepath.Join(w.dir, "wrangler.jsonc")
	if err := os.WriteFile(path, fmt.Appendf(nil, labConfig, w.date), 0o600); err != nil {
		w.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	o := Options{
		Load: func() (*config.Config, error) {
			c, _, err := config.Load(path, config.Options{})
			return c, err
		},
		State:    filepath.Join(w.dir, "state"),
		Listener: listener,
		Frozen:   true,
		Log:      slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	}
	if w.tune != nil {
		w.tune(&o)
	}
	w.Emulator, err = New(o)
	if err != nil {
		listener.Close()
		w.t.Fatal(err)
	}
}

// serve makes s the first program.
func (w *world) serve(s *script) {
	w.t.Helper()
	w.swapIn(s)
	w.server = httptest.NewServer(w.door().Handler)
}

// swapIn makes s the program.
func (w *world) swapIn(s *script) {
	w.t.Helper()
	ours, theirs := net.Pipe()
	go s.serve(theirs)
	p, err := w.host.connect(context.Background(), ours, nil, w.currentSettings().program)
	if err != nil {
		w.t.Fatal(err)
	}
	w.host.swap(p)
}

func (w *world) stop() {
	if w.Emulator == nil {
		return
	}
	w.server.Close()
	if err := w.close(); err != nil {
		w.t.Errorf("close emulator: %v", err)
	}
	w.Emulator = nil
}

// crash drops the program's connection, as a crash does, and makes s the next program.
func (w *world) crash(s *script) {
	w.t.Helper()
	w.host.mu.Lock()
	p := w.host.current
	w.host.closed = true
	w.host.current = nil // nobody restarts it
	w.host.mu.Unlock()
	p.conn.Close()
	w.swapIn(s)
}

// restart ends the emulator and starts another on the same state.
func (w *world) restart(s *script) {
	w.t.Helper()
	w.stop()
	w.start(s)
}

// get sends a request for the object name to the worker, which passes it on, and
// returns what came back.
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

func (w *world) getContext(ctx context.Context, name, path string) (status int, body string, err error) {
	resp, body, err := w.send(ctx, name, path, http.Header{})
	if resp == nil {
		return 0, "", err
	}
	return resp.StatusCode, body, err
}

// send is getContext with a header. The body of the response has been read.
func (w *world) send(ctx context.Context, name, path string, header http.Header) (resp *http.Response, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+path, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header = header
	r.Header.Set("Object", name)
	if resp, err = w.server.Client().Do(r); err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
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
	return advanceBy(ctx, w.Emulator, d)
}

func advanceBy(ctx context.Context, e *Emulator, d time.Duration) (*control.Advanced, error) {
	a, move, err := e.beginAdvance(ctx, control.AdvanceRequest{Duration: d.String()})
	if err != nil {
		return nil, err
	}
	advanced, err := move()
	if err == nil {
		advanced.Fired = a.take()
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

// awaitSleepers waits until n goroutines of objects' handlers wait for the clock, or for another object. Time that is
// passed from then on is theirs; one that is about to sleep would miss it.
func (w *world) awaitSleepers(n int64) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%d goroutines of handlers sleep", n), func() bool {
		var sleepers int64
		for _, ev := range w.running() {
			if ev.obj != nil {
				sleepers += int64(ev.waiting())
			}
		}
		return sleepers == n
	})
}

// running returns the events that the program knows of.
func (w *world) running() []*event {
	return w.Emulator.running.in(w.host.current)
}

func outcomes(fired []control.Fired) []string {
	var list []string
	for _, f := range fired {
		list = append(list, f.String()+" "+f.Outcome)
	}
	return list
}

// object returns the engine's object of that name.
func (w *world) object(class, name string) *object {
	ns := w.namespaces[class]
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.objects[wire.IDFromName(ns.uniqueKey, name)]
}

// alarm returns the pending alarm of an object.
func (w *world) alarm(name string) (control.Alarm, bool) {
	for _, a := range w.pendingAlarms() {
		if a.Name == name {
			return a, true
		}
	}
	return control.Alarm{}, false
}

// A script is a handler program: a worker that passes every request on to an object of
// class Lab, unless there is a handler "worker", and what the objects do, by path. It speaks the protocol by itself, so it
// shows that more than one SDK can.
type script struct {
	// handlers answer requests by path; "alarm" runs the alarm, "scheduled" a cron trigger, "construct"
	// makes an instance and "stack" says where an event stands, where they are there.
	handlers map[string]func(*call) (string, error)

	conn *wire.Conn

	mu        sync.Mutex
	log       []string // what happened, in order
	destroyed []string // names of instances that were
	forgotten int      // how often the program was told to forget

	jurisdictions []string // of the instances that were made
}

// discarded is how many instances the program was told to forget. It is told beside everything else.
func (s *script) discarded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.destroyed)
}

func newScript(handlers map[string]func(*call) (string, error)) *script {
	return &script{handlers: handlers}
}

// note adds to the log.
func (s *script) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

func (s *script) forget(method wire.Method, _ []byte) {
	if method == wire.MethodForget {
		s.mu.Lock()
		s.forgotten++
		s.mu.Unlock()
	}
}

func (s *script) forgettings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgotten
}

// notes returns the log so far.
func (s *script) notes() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, " ")
}

func (s *script) serve(rw io.ReadWriteCloser) {
	s.conn = wire.NewConn(rw, wire.Program, wire.Callbacks{Serve: s.handle, Notice: s.forget})
	hello := &wire.Hello{MinVersion: 1, MaxVersion: 1, SDK: "test", Fetch: true, Classes: []wire.Class{
		{Name: "Lab", Fetch: true, Alarm: true}, {Name: "Mute", Fetch: true},
	}}
	hello.Scheduled = s.handlers["scheduled"] != nil
	s.conn.Call(context.Background(), wire.MethodHello, hello, &wire.Welcome{}) //nolint:errcheck // connect reports it
}

// A call is one event as the script sees it.
type call struct {
	s        *script
	ctx      context.Context
	event    uint64
	instance uint64
	object   string // name
	path     string
	alarm    wire.Alarm
	cron     wire.Scheduled
	canceled <-chan struct{} // closed when nobody waits for the event
	stream   *wire.Stream
}

func (s *script) handle(stream *wire.Stream) {
	c := &call{s: s, ctx: stream.Context(), canceled: stream.Interest().Done(), stream: stream}
	var text string
	var err error
	switch stream.Method {
	case wire.MethodConstruct:
		var m wire.Construct
		must(wire.Decode(stream.Message, &m))
		c.event, c.instance, c.object = m.Event, m.Instance, m.Name
		s.names().Store(m.Instance, m.Name)
		s.mu.Lock()
		s.jurisdictions = append(s.jurisdictions, m.Jurisdiction)
		s.mu.Unlock()
		if f := s.handlers["construct"]; f != nil {
			_, err = f(c)
		}
	case wire.MethodFetch:
		var m wire.Fetch
		must(wire.Decode(stream.Message, &m))
		c.event, c.instance = m.Event, m.Instance
		f := s.handlers["worker"]
		if m.Instance == 0 && f == nil {
			s.pass(c, stream, &m)
			return
		}
		if m.Instance != 0 {
			c.object = s.nameOf(m.Instance)
			c.path = m.Request.URL[strings.Index(m.Request.URL[8:], "/")+8:]
			f = s.handlers[c.path]
		}
		if f == nil {
			err = fmt.Errorf("no handler for %s", c.path)
			break
		}
		if text, err = f(c); err == nil {
			stream.Answer(&wire.Response{Status: 200, ContentLength: int64(len(text)), Body: []byte(text)}, true) //nolint:errcheck // the test sees it
			return
		}
	case wire.MethodAlarm:
		must(wire.Decode(stream.Message, &c.alarm))
		c.event, c.instance, c.object = c.alarm.Event, c.alarm.Instance, s.nameOf(c.alarm.Instance)
		_, err = s.handlers["alarm"](c)
	case wire.MethodScheduled:
		must(wire.Decode(stream.Message, &c.cron))
		c.event = c.cron.Event
		_, err = s.handlers["scheduled"](c)
	case wire.MethodStack:
		var m wire.Operation
		must(wire.Decode(stream.Message, &m))
		c.event = m.Event
		f := s.handlers["stack"]
		if f == nil {
			err = errors.New("unknown method 20")
			break
		}
		text, _ = f(c)
		stream.Answer(&wire.Stack{Text: text}, true) //nolint:errcheck // the test sees it
		return
	case wire.MethodPing:
		if f := s.handlers["ping"]; f != nil {
			_, err = f(c)
		}
	case wire.MethodVisited:
		var m wire.Visited
		must(wire.Decode(stream.Message, &m))
		c.event, c.instance, c.object = m.Event, m.Instance, s.nameOf(m.Instance)
		_, err = s.handlers["visited"](c)
	case wire.MethodDestroy:
		var m wire.Destroy
		must(wire.Decode(stream.Message, &m))
		s.mu.Lock()
		s.destroyed = append(s.destroyed, s.nameOf(m.Instance))
		s.mu.Unlock()
	}
	if err != nil {
		var w *wire.Error
		if !errors.As(err, &w) {
			w = &wire.Error{Message: err.Error(), Remote: true}
		}
		stream.Fail(w)
		return
	}
	stream.Answer(&wire.Empty{}, true) //nolint:errcheck // as above
}

// instances holds the names of instances by script.
var instances sync.Map

func (s *script) names() *sync.Map {
	m, _ := instances.LoadOrStore(s, &sync.Map{})
	return m.(*sync.Map)
}

func (s *script) nameOf(instance uint64) string {
	name, _ := s.names().Load(instance)
	return name.(string)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// pass is the worker: it sends the request on to the object that the header names.
func (s *script) pass(c *call, stream *wire.Stream, m *wire.Fetch) {
	ctx := stream.Interest()
	object, class := "", "LAB"
	for _, f := range m.Request.Header {
		if f.Name == "Object" {
			object = f.Value
		}
	}
	if rest, ok := strings.CutPrefix(object, "mute:"); ok {
		object, class = rest, "MUTE"
	}
	r, err := s.fetch(ctx, m.Event, class, object, m.Request.URL)
	if err != nil {
		stream.Fail(err.(*wire.Error))
		return
	}
	stream.Answer(r, true) //nolint:errcheck // the test sees it
}

// fetch sends a request to an object.
func (s *script) fetch(ctx context.Context, event uint64, binding, object, url string) (*wire.Response, error) {
	key := "w-" + map[string]string{"LAB": "Lab", "MUTE": "Mute"}[binding]
	q := &wire.Subrequest{
		Event: event, Binding: binding, ID: wire.IDFromName(key, object).String(), Name: object, HasName: true,
		Request: wire.Request{Method: "GET", URL: url},
	}
	sub, err := s.conn.Open(wire.MethodSubrequest, q, true)
	if err != nil {
		return nil, &wire.Error{Message: err.Error()}
	}
	b, err := sub.Await(ctx)
	if err != nil {
		var w *wire.Error
		if !errors.As(err, &w) {
			w = &wire.Error{Message: err.Error()}
		}
		return nil, w
	}
	var r wire.Response
	must(wire.Decode(b, &r))
	return &r, nil
}

// op asks for an operation and returns its answer.
func op[A any, P interface {
	*A
	wire.Message
}](c *call, method wire.Method, q wire.Message) (A, error) {
	var a A
	err := c.s.conn.Call(context.Background(), method, q, P(&a))
	return a, err
}

func (c *call) plain(method wire.Method) error {
	_, err := op[wire.Empty](c, method, &wire.Operation{Event: c.event})
	return err
}

func (c *call) load(key string) string {
	v, err := op[wire.Value](c, wire.MethodGet, &wire.Get{Event: c.event, Key: key})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(v.Value)
}

func (c *call) store(key, value string) error {
	_, err := op[wire.Empty](c, wire.MethodPut, &wire.Put{Event: c.event, Key: key, Value: []byte(value)})
	return err
}

func (c *call) now() time.Time {
	t, err := op[wire.Time](c, wire.MethodNow, &wire.Operation{Event: c.event})
	must(err)
	return time.UnixMilli(t.Time).UTC()
}

func (c *call) sleep(d time.Duration) error {
	_, err := op[wire.Empty](c, wire.MethodSleep, &wire.Sleep{Event: c.event, Duration: int64(d)})
	return err
}

func (c *call) setAlarm(in time.Duration) error {
	_, err := op[wire.Empty](c, wire.MethodSetAlarm, &wire.SetAlarm{Event: c.event, Time: c.now().Add(in).UnixMilli()})
	return err
}

// alarmIn says in how long the object's alarm is due, as the handler sees it.
func (c *call) alarmIn() string {
	a, err := op[wire.AlarmTime](c, wire.MethodGetAlarm, &wire.Operation{Event: c.event})
	must(err)
	if !a.Set {
		return "none"
	}
	return time.UnixMilli(a.Time).Sub(c.now()).String()
}

func (c *call) fetch(object, path string) (string, error) {
	r, err := c.s.fetch(context.Background(), c.event, "LAB", object, "http://lab"+path)
	if err != nil {
		return "", err
	}
	return string(r.Body), nil
}

func (c *call) reset(reason string) error {
	_, err := op[wire.Empty](c, wire.MethodReset, &wire.Reset{Event: c.event, Reason: reason})
	return err
}

// eventually waits until f returns true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	timeout := time.NewTimer(deadline)
	defer timeout.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
