package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

// An emulation plays the emulator's side of a connection to a program. It delivers the events that
// the test asks for. It answers the program's operations at once, from memory, or as the test has
// scripted it.
//
// It lives in a bubble of synctest: time stands still until all goroutines wait for it, and settle
// waits until nothing moves any more. So a test of "this is not sent before that" need not wait for
// a while.
type emulation struct {
	t      *testing.T
	conn   *wire.Conn
	raw    net.Conn // under conn
	tap    *tap
	served func() error // waits for serve to return

	memory // whose mu guards what follows as well

	scripts map[wire.Method]func(*wire.Stream)
	lastID  uint64 // of events and instances
	woken   func(*wire.Wake)
}

// emulate runs test with w as the program, which is connected and welcomed.
func emulate(t *testing.T, w Worker, test func(e *emulation), prepare ...func(*emulation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := connect(t, w, prepare...)
		test(e)
		if err := e.end(); err != nil {
			t.Errorf("serve ended with %v, want nil", err)
		}
	})
}

// connect begins an emulation, after the functions of prepare have changed it.
func connect(t *testing.T, w Worker, prepare ...func(*emulation)) *emulation {
	ours, theirs := net.Pipe()
	e := &emulation{
		t:       t,
		raw:     ours,
		tap:     newTap(theirs),
		scripts: make(map[wire.Method]func(*wire.Stream)),
		memory:  newMemory(),
		woken:   func(*wire.Wake) {},
	}
	for _, f := range prepare {
		f(e)
	}
	result := make(chan error, 1)
	e.served = sync.OnceValue(func() error { return <-result })
	e.conn = wire.NewConn(ours, wire.Emulator, wire.Callbacks{Serve: e.serve, Notice: e.notice})
	go func() { result <- newServer(w).serve(e.tap) }()
	t.Cleanup(func() { e.end() })
	synctest.Wait()
	return e
}

// end closes the connection and returns the error of serve.
func (e *emulation) end() error {
	e.conn.Close()
	return e.served()
}

// settle waits until nothing moves any more.
func (e *emulation) settle() { synctest.Wait() }

// on answers the operations of one method with script from here on.
func (e *emulation) on(method wire.Method, script func(*wire.Stream)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.scripts[method] = script
}

// hold keeps the answers to one method back until release.
func (e *emulation) hold(method wire.Method) (release func()) {
	released := make(chan struct{})
	e.on(method, func(s *wire.Stream) {
		select {
		case <-released:
			e.memory.serve(s)
		case <-s.Context().Done():
		}
	})
	return func() { close(released) }
}

// fail lets the operations of one method fail.
func (e *emulation) fail(method wire.Method, err *wire.Error) {
	e.on(method, func(s *wire.Stream) { s.Fail(err) })
}

func (e *emulation) serve(s *wire.Stream) {
	e.mu.Lock()
	script := e.scripts[s.Method]
	e.mu.Unlock()
	if script != nil {
		script(s)
		return
	}
	e.memory.serve(s)
}

// notice stores what the program puts without waiting for an answer.
func (e *emulation) notice(method wire.Method, message []byte) {
	switch method {
	case wire.MethodWrite, wire.MethodLog:
	case wire.MethodWake:
		var q wire.Wake
		mustDecode(message, &q)
		e.woken(&q)
		return
	default:
		e.t.Errorf("the program has sent a notice of method %d", method)
		return
	}
	if _, err := answerOf(&e.memory, method, message); err != nil {
		e.t.Errorf("take the notice: %v", err)
	}
}

// forget makes the program clear the cache of an instance.
func (e *emulation) forget(instance uint64) {
	e.t.Helper()
	if err := e.conn.Notify(wire.MethodForget, &wire.Forget{Instance: instance}); err != nil {
		e.t.Errorf("send Forget: %v", err)
	}
	e.settle()
}

// expectSent waits until nothing moves any more. It compares what the program has sent since the
// last call with want.
func (e *emulation) expectSent(want ...string) {
	e.t.Helper()
	e.settle()
	if diff := cmp.Diff(want, e.tap.take()); diff != "" {
		e.t.Errorf("the program sent (-want +got):\n%s", diff)
	}
}

func (e *emulation) newID() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lastID++
	return e.lastID
}

// open delivers m.
func (e *emulation) open(method wire.Method, m wire.Message, end bool) *wire.Stream {
	e.t.Helper()
	s, err := e.conn.Open(method, m, end)
	if err != nil {
		e.t.Fatalf("deliver %T: %v", m, err)
	}
	return s
}

// ask delivers m and waits for its answer.
func (e *emulation) ask(method wire.Method, m wire.Message) error {
	e.t.Helper()
	_, err := e.open(method, m, true).Await(context.Background())
	return err
}

// construct makes an instance of the object called name.
func (e *emulation) construct(class, name string) uint64 {
	e.t.Helper()
	m := &wire.Construct{
		Event: e.newID(), Instance: e.newID(), Class: class,
		ID: objects.IDFromName(name).String(), Name: name, HasName: true,
	}
	if err := e.ask(wire.MethodConstruct, m); err != nil {
		e.t.Fatalf("construct %s: %v", class, err)
	}
	e.expectSent("done construct")
	return m.Instance
}

// An exchange is a request that was delivered, with its response.
type exchange struct {
	*wire.Stream
	e     *emulation
	event uint64
}

// fetch delivers r, whole, to an instance or to the worker, 0.
func (e *emulation) fetch(instance uint64, r wire.Request) exchange {
	e.t.Helper()
	return e.deliver(instance, r, true)
}

// deliver is fetch. Without end, the body goes on.
func (e *emulation) deliver(instance uint64, r wire.Request, end bool) exchange {
	e.t.Helper()
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.URL == "" {
		r.URL, r.Host = "http://localhost:8787/", "localhost:8787"
	}
	event := e.newID()
	s := e.open(wire.MethodFetch, &wire.Fetch{Event: event, Instance: instance, Request: r}, end)
	return exchange{s, e, event}
}

// cancel tells the program that nobody waits for x any more.
func (x exchange) cancel() {
	x.e.t.Helper()
	x.Cancel()
	x.e.settle()
}

// head waits for the head of the response.
func (x exchange) head() wire.Response {
	x.e.t.Helper()
	b, err := x.Await(context.Background())
	if err != nil {
		x.e.t.Fatalf("the event failed: %v", err)
	}
	var m wire.Response
	mustDecode(b, &m)
	sort.Slice(m.Header, func(i, j int) bool { return m.Header[i].Name < m.Header[j].Name })
	return m
}

// text waits for the whole response, and returns its body.
func (x exchange) text() string {
	x.e.t.Helper()
	first := x.head().Body
	rest, err := io.ReadAll(x.Stream)
	if err != nil {
		x.e.t.Errorf("read response: %v", err)
	}
	return string(first) + string(rest)
}

// failure waits for the event to fail.
func (x exchange) failure() *wire.Error {
	x.e.t.Helper()
	_, err := x.Await(context.Background())
	var failed *wire.Error
	if !errors.As(err, &failed) {
		x.e.t.Fatalf("the event ended with %v, want a failure", err)
	}
	return failed
}

// A probe is an object whose handlers the test chooses.
type probe struct {
	state *State
	env   *Env
	fetch func(p *probe, w http.ResponseWriter, r *http.Request)
	ring  func(ctx context.Context, p *probe, info AlarmInfo) error
}

func (p *probe) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.fetch(p, w, r) }

func (p *probe) Alarm(ctx context.Context, info AlarmInfo) error { return p.ring(ctx, p, info) }

// answerWith returns a Worker.Handler whose requests answer handles.
func answerWith(answer http.HandlerFunc) func(*Env) http.Handler {
	return func(*Env) http.Handler { return answer }
}

// withFetch is a program whose worker and objects, of the class Object, handle requests with fetch.
func withFetch(fetch func(p *probe, w http.ResponseWriter, r *http.Request)) Worker {
	return Worker{
		Handler: func(env *Env) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fetch(&probe{env: env}, w, r) })
		},
		Classes: Classes{"Object": NewClass(func(_ context.Context, state *State, env *Env) (*probe, error) {
			return &probe{state: state, env: env, fetch: fetch}, nil
		})},
	}
}

// A handling has everything that a handler under test may use.
type handling struct {
	*emulation
	instance uint64
	ctx      context.Context
	state    *State
	env      *Env
	w        http.ResponseWriter
	r        *http.Request
}

// inHandler runs test as the handler of a GET request to an object.
func inHandler(t *testing.T, test func(h handling), prepare ...func(*emulation)) {
	t.Helper()
	var e *emulation
	var instance uint64
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		test(handling{e, instance, r.Context(), p.state, p.env, w, r})
	})
	emulate(t, w, func(started *emulation) {
		e = started
		instance = e.construct("Object", "one")
		e.fetch(instance, wire.Request{}).text()
	}, prepare...)
}

// check fails the test if err is not nil.
func (e *emulation) check(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Errorf("got error %v, want none", err)
	}
}

// expectError compares the text of err.
func expectError(t *testing.T, err error, want string) {
	t.Helper()
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got error  %q\nwant       %q", got, want)
	}
}
