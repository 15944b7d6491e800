package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sort"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// sdkVersion is what the program introduces itself with.
const sdkVersion = "devtool-go/1"

// Serve connects the program to the emulator, and handles events until the emulator goes. It does not
// return. The emulator has started the program, or it serves the project in whose folder, or one below,
// the program was started by hand; where there is none, Serve says so and exits with 2.
func Serve(w Worker) {
	conn, by, err := dial()
	if none := (*unattached)(nil); errors.As(err, &none) {
		fmt.Fprintln(os.Stderr, none)
		os.Exit(2)
	}
	if err == nil {
		if by != "" {
			fmt.Fprintln(os.Stderr, "durable: serving for the emulator of", filepath.Dir(filepath.Dir(by)))
		}
		if err = serve(conn, w); err == nil && by != "" {
			fmt.Fprintln(os.Stderr, "durable: the emulator has ended, or another program serves for it now")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "durable:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A program is the worker with the instances of its objects.
type program struct {
	worker Worker
	conn   *wire.Conn
	// welcomed is closed when env and maxEntry can be read.
	welcomed chan struct{}
	env      *Env
	maxEntry int // bytes that a key and its value may have together; 0 where the emulator does not say

	// visited answers the emulator where a test looks into an object, and outside is in place of the
	// outside. Both are nil but in tests.
	visited func(*wire.Stream) error
	outside outsider

	// mu guards what follows.
	mu        sync.Mutex
	instances map[uint64]*instance
}

// An instance is an object in memory.
type instance struct {
	object any
	state  *State
}

func newProgram(w Worker) *program {
	return &program{worker: w, welcomed: make(chan struct{}), instances: make(map[uint64]*instance)}
}

// serve handles the events of conn until it closes.
func serve(rw io.ReadWriteCloser, w Worker) error {
	p := newProgram(w)
	p.open(rw, p.handle)
	defer p.conn.Close()
	if err := p.introduce(); err != nil {
		return err
	}
	<-p.conn.Done()
	if err := p.conn.Err(); !isGone(err) {
		return fmt.Errorf("connection to the emulator: %w", err)
	}
	return nil
}

// open speaks with the emulator at the other end of rw, whose questions handle answers.
func (p *program) open(rw io.ReadWriteCloser, handle func(*wire.Stream)) {
	p.conn = wire.NewConn(rw, wire.Program, wire.Callbacks{Serve: handle, Notice: p.notice})
}

// introduce tells the emulator what the program is, and takes what it is told.
func (p *program) introduce() error {
	hello := &wire.Hello{
		MinVersion: wire.MinVersion,
		MaxVersion: wire.MaxVersion,
		SDK:        sdkVersion,
		Fetch:      p.worker.Fetch != nil,
		Scheduled:  p.worker.Scheduled != nil,
	}
	for name, c := range p.worker.Classes {
		hello.Classes = append(hello.Classes, wire.Class{Name: name, Fetch: c.fetch, Alarm: c.alarm})
	}
	sort.Slice(hello.Classes, func(i, j int) bool { return hello.Classes[i].Name < hello.Classes[j].Name })
	var welcome wire.Welcome
	if err := p.conn.Call(context.Background(), wire.MethodHello, hello, &welcome); err != nil {
		return err
	}
	p.env = newEnv(&welcome)
	p.maxEntry = int(welcome.MaxEntry)
	close(p.welcomed)
	return nil
}

// isGone reports whether err, which ended a connection, says that the other end has
// gone. A busy program learns of that from a write that fails as well as from the end
// of what it reads.
func isGone(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.As(err, &op)
}

// endedGoroutine is why an event fails whose handler neither returns nor panics.
const endedGoroutine = "the handler ended its goroutine: something in it calls runtime.Goexit, as t.Fatal of a test does"

// handle handles one question of the emulator.
func (p *program) handle(s *wire.Stream) {
	select {
	case <-p.welcomed:
	case <-s.Interest().Done():
		return
	}
	returned := false
	defer func() {
		if !returned { // Abort does so, and the reset came first
			s.Fail(&wire.Error{Message: endedGoroutine, Remote: true, Detail: string(debug.Stack())})
		}
	}()
	var err error
	switch s.Method {
	case wire.MethodConstruct:
		err = p.construct(s)
	case wire.MethodFetch:
		err = p.fetch(s)
	case wire.MethodAlarm:
		err = p.alarm(s)
	case wire.MethodScheduled:
		err = p.scheduled(s)
	case wire.MethodStack:
		err = p.stack(s)
	case wire.MethodPing:
	case wire.MethodVisited:
		err = errors.New("the program takes no visits")
		if p.visited != nil {
			err = p.visited(s)
		}
	case wire.MethodDestroy:
		var m wire.Destroy
		if err = wire.Decode(s.Message, &m); err == nil {
			p.mu.Lock()
			delete(p.instances, m.Instance)
			p.mu.Unlock()
		}
	default:
		err = fmt.Errorf("unknown method %d", s.Method)
	}
	returned = true
	if err != nil {
		s.Fail(failureOf(err))
		return
	}
	s.Answer(&wire.Empty{}, true) //nolint:errcheck // fetch has answered; for the rest, who asked has gone
}

// notice takes note of what the emulator says without waiting for an answer.
func (p *program) notice(method wire.Method, message []byte) {
	var m wire.Forget
	if method != wire.MethodForget || wire.Decode(message, &m) != nil {
		return
	}
	if i, err := p.instanceOf(m.Instance); err == nil && i.state.cache != nil {
		i.state.cache.clear(0)
	}
}

// begin returns the context of the event with the given number, which ends when the
// event is canceled or the emulator has given up its stream s, and the function that
// ends the event.
func (p *program) begin(s *wire.Stream, number uint64, state *State) (context.Context, *event, func()) {
	return begin(p.conn, p.outside, s.Interest(), number, state)
}

func begin(conn *wire.Conn, outside outsider, life context.Context, number uint64, state *State) (context.Context, *event, func()) {
	h := &wireHost{conn: conn, id: number, outside: outside, open: make(map[*wire.Stream]struct{})}
	if state != nil {
		h.cache = state.cache
	}
	ev := &event{host: h, state: state, mark: markOf(conn, number)}
	ctx, cancel := context.WithCancelCause(context.WithValue(life, eventKey{}, ev))
	h.ctx = ctx
	return ctx, ev, func() {
		cancel(errEventOver)
		h.end()
	}
}

func (p *program) construct(s *wire.Stream) error {
	var m wire.Construct
	if err := wire.Decode(s.Message, &m); err != nil {
		return err
	}
	class, ok := p.worker.Classes[m.Class]
	if !ok || class.construct == nil {
		return fmt.Errorf("class %q is not one of the program's", m.Class)
	}
	id, err := idOf(&m)
	if err != nil {
		return err
	}
	state := &State{ID: id}
	state.Storage = newStorage(state)
	if p.maxEntry > 0 {
		state.cache = &cache{maxEntry: p.maxEntry}
	}
	ctx, ev, end := p.begin(s, m.Event, state)
	defer end()
	return ev.run(func() error {
		object, err := class.construct(ctx, state, p.env)
		if err == nil {
			err = context.Cause(ctx) // it was reset meanwhile: nobody would destroy it
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.instances[m.Instance] = &instance{object: object, state: state}
		p.mu.Unlock()
		return nil
	})
}

// instanceOf returns the instance with the number n.
func (p *program) instanceOf(n uint64) (*instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.instances[n]
	if i == nil {
		return nil, fmt.Errorf("no instance %d", n)
	}
	return i, nil
}

func (p *program) fetch(s *wire.Stream) error {
	var m wire.Fetch
	if err := wire.Decode(s.Message, &m); err != nil {
		return err
	}
	var state *State
	var handler http.Handler
	if m.Instance == 0 {
		if p.worker.Fetch == nil {
			return errors.New("the worker has no Fetch handler")
		}
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.worker.Fetch(w, r, p.env) })
	} else {
		i, err := p.instanceOf(m.Instance)
		if err != nil {
			return err
		}
		state = i.state
		var ok bool
		if handler, ok = i.object.(http.Handler); !ok {
			return fmt.Errorf("%T takes no requests: it has no ServeHTTP method", i.object)
		}
	}
	ctx, ev, end := p.begin(s, m.Event, state)
	defer end()

	body := &requestBody{first: m.Request.Body, ev: ev}
	if !s.Ended() {
		body.stream = s
		stop := context.AfterFunc(ctx, func() { s.BreakRead(causeOf(ctx)) })
		defer stop()
	}
	r, err := fromRequest(&m.Request, body)
	if err != nil {
		return err
	}
	if m.Request.ContentLength == 0 {
		r.Body = http.NoBody
	}
	r = r.WithContext(ctx)
	w := &responseWriter{ev: ev, stream: s, method: r.Method, header: make(http.Header), length: -1}
	if err := ev.run(func() error { handler.ServeHTTP(w, r); return nil }); err != nil {
		return err
	}
	return w.finish()
}

func (p *program) alarm(s *wire.Stream) error {
	var m wire.Alarm
	if err := wire.Decode(s.Message, &m); err != nil {
		return err
	}
	i, err := p.instanceOf(m.Instance)
	if err != nil {
		return err
	}
	a, ok := i.object.(Alarmer)
	if !ok {
		return fmt.Errorf("%T handles no alarms: it has no Alarm method", i.object)
	}
	ctx, ev, end := p.begin(s, m.Event, i.state)
	defer end()
	return ev.run(func() error {
		return a.Alarm(ctx, AlarmInfo{
			ScheduledTime: time.UnixMilli(m.Scheduled).UTC(),
			RetryCount:    int(m.RetryCount),
			IsRetry:       m.RetryCount > 0,
		})
	})
}

// A panicError is a panic of a handler.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string {
	if err, ok := e.value.(error); ok {
		return "panic: " + textOf(err)
	}
	return fmt.Sprintf("panic: %v", e.value)
}

// failureOf describes the error of a handler to the emulator.
func failureOf(err error) *wire.Error {
	w := toWire(err)
	if p, ok := err.(*panicError); ok && p.value != http.ErrAbortHandler {
		w.Detail = string(p.stack)
	}
	return w
}
