package emulator

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/program"
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
	labID      = scripted.LabID
)

// A testWorld is an emulator with a frozen clock, whose handler program is a script.
type testWorld struct {
	*Emulator
	t      *testing.T
	dir    string
	tune   func(*Options) // changes how the emulator starts, or nil
	server *httptest.Server
	pipe   io.Closer // the program's end of its connection
}

// newWorld starts an emulator with s as its program.
func newWorld(t *testing.T, s *script) *testWorld {
	t.Helper()
	w := newStoppedWorld(t, nil)
	w.start(s)
	return w
}

// newStoppedWorld returns a world that does not run yet. The test's end stops it.
func newStoppedWorld(t *testing.T, tune func(*Options)) *testWorld {
	w := &testWorld{t: t, dir: t.TempDir(), tune: tune}
	t.Cleanup(w.stop)
	return w
}

const labConfig = `{
	"name": "w", "main": ".", "compatibility_date": "2026-10-01",
	"durable_objects": {"bindings": [
		{"name": "LAB", "class_name": "Lab"},
		{"name": "MUTE", "class_name": "Mute"}
	]},
	"migrations": [{"tag": "v1", "new_sqlite_classes": ["Lab", "Mute"]}]
}`

func (w *testWorld) start(s *script) {
	w.t.Helper()
	w.startEngine()
	w.serve(s)
}

// startEngine starts an emulator that has no program yet.
func (w *testWorld) startEngine() {
	w.t.Helper()
	path := filepath.Join(w.dir, "wrangler.jsonc")
	if err := os.WriteFile(path, []byte(labConfig), 0o600); err != nil {
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
func (w *testWorld) serve(s *script) {
	w.t.Helper()
	w.swapIn(s)
	w.openDoor()
}

// openDoor lets requests come in.
func (w *testWorld) openDoor() {
	w.server = httptest.NewServer(w.newServer().Handler)
	plain := w.server.Client().Transport
	w.server.Client().Transport = authorized{w.token, plain}
}

// authorized adds the token to requests to the control API.
type authorized struct {
	token string
	next  http.RoundTripper
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Path, control.Prefix) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.next.RoundTrip(r)
}

func (a authorized) CloseIdleConnections() {
	a.next.(*http.Transport).CloseIdleConnections()
}

// connect starts s and returns it ready to serve, with its end of the connection.
func (w *testWorld) connect(s *script) (*program.Program, io.Closer) {
	w.t.Helper()
	ours, theirs := net.Pipe()
	go s.Serve(theirs)
	p, hello := w.host.NewProgram(ours, nil, w.currentSettings().program)
	if err := p.Meet(context.Background(), hello); err != nil {
		w.t.Fatal(err)
	}
	return p, theirs
}

// swapIn makes s the serving program.
func (w *testWorld) swapIn(s *script) {
	w.t.Helper()
	p, conn := w.connect(s)
	w.host.Swap(p)
	w.pipe = conn
}

func (w *testWorld) stop() {
	if w.Emulator == nil {
		return
	}
	if w.server != nil {
		w.server.Close()
	}
	if err := w.close(); err != nil {
		w.t.Errorf("close emulator: %v", err)
	}
	w.Emulator = nil
}

// crash drops the program's connection, as a crash does, and makes s the next program. The emulator
// has no build that it could start again.
func (w *testWorld) crash(s *script) {
	w.t.Helper()
	p := w.host.Serving()
	w.pipe.Close()
	eventually(w.t, "the crash is noticed", p.Lost)
	w.swapIn(s)
}

// crashForGood drops the program's connection, and waits until the emulator has failed more than
// once to start the program again.
func (w *testWorld) crashForGood() {
	w.t.Helper()
	w.pipe.Close()
	eventually(w.t, "the program can't be kept running", func() bool { return w.Emulator.program().Crashes != "" })
}

// restart ends the emulator and starts another on the same state.
func (w *testWorld) restart(s *script) {
	w.t.Helper()
	w.stop()
	w.start(s)
}

// get sends a request to the worker, which passes it on to the object name, and returns the answer.
func (w *testWorld) get(name, path string) (status int, body string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	status, body, err := w.getContext(ctx, name, path)
	if err != nil {
		w.t.Errorf("get %s of %s: %v", path, name, err)
	}
	return status, body
}

func (w *testWorld) getContext(ctx context.Context, name, path string) (status int, body string, err error) {
	resp, body, err := w.send(ctx, name, path, http.Header{})
	if resp == nil {
		return 0, "", err
	}
	return resp.StatusCode, body, err
}

// send is getContext with a header. The body of the response has been read.
func (w *testWorld) send(
	ctx context.Context, name, path string, header http.Header,
) (resp *http.Response, body string, err error) {
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
func (w *testWorld) want(name, path, want string) {
	w.t.Helper()
	if status, got := w.get(name, path); status != 200 || got != want {
		w.t.Errorf("%s of %s: got %d %q, want 200 %q", path, name, status, got, want)
	}
}

// advanceBy moves the clock on, and returns the report with all that ran.
func (w *testWorld) advanceBy(ctx context.Context, d time.Duration) (*control.Advanced, error) {
	return advanceBy(ctx, w.Emulator, d)
}

func advanceBy(ctx context.Context, e *Emulator, d time.Duration) (*control.Advanced, error) {
	a, move, err := e.world.BeginAdvance(ctx, control.AdvanceRequest{Duration: d.String()})
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
func (w *testWorld) moveOn(d time.Duration) []string {
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
func (w *testWorld) awaitTimer(d time.Duration) {
	w.t.Helper()
	scripted.AwaitTimer(w.t, w.world.Clock(), d)
}

// awaitBehind waits until one event has the turn of an object of class Lab, and another waits for
// it.
func (w *testWorld) awaitBehind(name string) {
	w.t.Helper()
	eventually(w.t, "an event waits for the turn of Lab/"+name, func() bool {
		for _, ev := range w.world.RunningIn(w.host.Serving()) {
			if o := ev.Object(); o != nil && o.String() == "Lab/"+name {
				return o.Behind() == ", and 1 event waits behind it"
			}
		}
		return false
	})
}

func outcomes(fired []control.Fired) []string {
	var list []string
	for _, f := range fired {
		list = append(list, f.String()+" "+f.Outcome)
	}
	return list
}

// alarm returns the pending alarm of an object.
func (w *testWorld) alarm(name string) (control.Alarm, bool) {
	for _, a := range w.world.PendingAlarms() {
		if a.Name == name {
			return a, true
		}
	}
	return control.Alarm{}, false
}

var errNoLuck = errors.New("no luck")

// fires advances the clock by d, and returns what fired.
func (w *testWorld) fires(d time.Duration) []control.Fired {
	w.t.Helper()
	advanced, err := w.advanceBy(w.t.Context(), d)
	if err != nil {
		w.t.Fatal(err)
	}
	return advanced.Fired
}
