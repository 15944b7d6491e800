//go:build !js

package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sort"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// sdkVersion names the SDK in the program's introduction.
const sdkVersion = "devtool-go/1"

// Serve connects the program to the emulator, and handles events until the emulator ends. It does
// not return. Usually the emulator has started the program. A program that was started another way
// serves the project whose folder it runs in, or above it. If no emulator runs there, Serve says so
// and exits with code 2.
func Serve(w Worker) {
	conn, attachFile, err := dial()
	if none := (*unattached)(nil); errors.As(err, &none) {
		fmt.Fprintln(os.Stderr, none)
		os.Exit(2)
	}
	if err == nil {
		if attachFile != "" {
			fmt.Fprintln(os.Stderr, "durable: serving for the emulator of", filepath.Dir(filepath.Dir(attachFile)))
		}
		srv := newServer(w)
		if attachFile == "" {
			markLog(srv)
		}
		switch err = srv.serve(conn); {
		case err != nil:
		case attachFile == "":
			endGroup()
		default:
			fmt.Fprintln(os.Stderr, "durable: the emulator has ended, or another program serves for it now")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "durable:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A server serves a worker, with the instances of its objects, on one connection.
type server struct {
	worker Worker
	conn   *wire.Conn
	// welcomed is closed when env, handler, logLevel and maxEntry can be read.
	welcomed chan struct{}
	env      *Env
	handler  http.Handler // of the worker, or nil
	logLevel slog.Level   // the lowest that the log shows
	maxEntry int          // bytes that a key and its value may have together; 0 if the emulator does not say

	// visits and fakeOutside are nil except in tests.
	visits      *visits
	fakeOutside fakeOutside

	// mu guards what follows.
	mu        sync.Mutex
	instances map[uint64]*instance
}

// An instance is an object in memory.
type instance struct {
	object any
	state  *State
	cache  *cache // of the object's entries, or nil
}

func newServer(w Worker) *server {
	return &server{worker: w, welcomed: make(chan struct{}), instances: make(map[uint64]*instance)}
}

// serve handles the events of rw until it closes.
func (srv *server) serve(rw io.ReadWriteCloser) error {
	srv.open(rw, srv.handle)
	defer srv.conn.Close()
	if err := srv.introduce(); err != nil {
		return err
	}
	<-srv.conn.Done()
	if err := srv.conn.Err(); !isGone(err) {
		return fmt.Errorf("connection to the emulator: %w", err)
	}
	return nil
}

// open starts to speak with the emulator at the other end of rw. handle answers its questions.
func (srv *server) open(rw io.ReadWriteCloser, handle func(*wire.Stream)) {
	srv.conn = wire.NewConn(rw, wire.Program, wire.Callbacks{Serve: handle, Notice: srv.notice, Convert: fromWire})
}

// introduce sends the emulator what the program offers, and takes the configuration from its
// answer.
func (srv *server) introduce() error {
	hello := &wire.Hello{
		MinVersion: wire.MinVersion,
		MaxVersion: wire.MaxVersion,
		SDK:        sdkVersion,
		Fetch:      srv.worker.Handler != nil,
		Scheduled:  srv.worker.Scheduled != nil,
	}
	for name, c := range srv.worker.Classes {
		hello.Classes = append(hello.Classes, wire.Class{Name: name, Fetch: c.fetch, Alarm: c.alarm})
	}
	sort.Slice(hello.Classes, func(i, j int) bool { return hello.Classes[i].Name < hello.Classes[j].Name })
	var welcome wire.Welcome
	if err := srv.conn.Call(context.Background(), wire.MethodHello, hello, &welcome); err != nil {
		return err
	}
	srv.env = newEnv(&welcome)
	srv.maxEntry = int(welcome.MaxEntry)
	srv.logLevel = slog.Level(welcome.LogLevel)
	if err := srv.prepare(); err != nil {
		return err
	}
	close(srv.welcomed)
	return nil
}

// prepare makes the worker's handler and tells the emulator the outcome.
func (srv *server) prepare() (err error) {
	ready := &wire.Ready{Failure: "the worker's Handler ended its goroutine: something in it calls runtime.Goexit"}
	defer func() { // also if Handler does not return
		if v := recover(); v != nil {
			caught := &panicError{value: v, stack: debug.Stack()}
			ready.Failure = "the worker's Handler panicked: " + caught.text()
			ready.Detail = caught.trace()
			log.Printf("%s\n%s", ready.Failure, ready.Detail) // the emulator shows the first line alone
		}
		err = srv.conn.Call(context.Background(), wire.MethodReady, ready, &wire.Empty{})
		if ready.Failure != "" {
			err = errors.New(ready.Failure)
		}
	}()
	if srv.worker.Handler != nil {
		srv.handler = srv.worker.Handler(srv.env)
		if srv.handler == nil {
			ready.Failure = "the worker's Handler returned nil: return an http.Handler, " +
				"or leave Handler out of durable.Worker"
			return nil
		}
	}
	ready.Failure = ""
	return nil
}

// isGone reports whether err, which ended a connection, means that the other end has closed it.
// A busy program may learn that from a write that fails before it reads the end.
func isGone(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.ErrClosedPipe) || errors.As(err, &op)
}

// A manner is how a message of the emulator is served.
type manner int

const (
	acknowledged manner = iota // an empty answer follows when the function has returned nil
	answering                  // the function answers
	noted                      // a notice, which has no answer; the function must not wait
)

// A method is how the server serves a method of the protocol. The stream is nil for a notice.
type method struct {
	manner manner
	serve  func(srv *server, s *wire.Stream, message []byte) error
}

// methods are all methods that the emulator may ask for.
var methods = map[wire.Method]method{
	wire.MethodConstruct: {acknowledged, decoded((*server).construct)},
	wire.MethodFetch:     {answering, decoded((*server).fetch)},
	wire.MethodAlarm:     {acknowledged, decoded((*server).alarm)},
	wire.MethodScheduled: {acknowledged, decoded((*server).scheduled)},
	wire.MethodVisited:   {acknowledged, decoded((*server).visited)},
	wire.MethodDestroy:   {acknowledged, decoded((*server).destroy)},
	wire.MethodStack:     {answering, decoded((*server).stack)},
	wire.MethodPing:      {acknowledged, (*server).pinged},
	wire.MethodForget:    {noted, decoded((*server).forget)},
}

// decoded returns serve as a method has it: it decodes the message first.
func decoded[M any, P interface {
	*M
	wire.Message
}](serve func(*server, *wire.Stream, P) error) func(*server, *wire.Stream, []byte) error {
	return func(srv *server, s *wire.Stream, message []byte) error {
		m := P(new(M))
		if err := wire.Decode(message, m); err != nil {
			return err
		}
		return serve(srv, s, m)
	}
}

// endedGoroutine is the error of an event whose handler neither returns nor panics.
const endedGoroutine = "the handler ended its goroutine: " +
	"something in it calls runtime.Goexit, as t.Fatal of a test does"

// handle serves one question of the emulator.
func (srv *server) handle(s *wire.Stream) {
	select {
	case <-srv.welcomed:
	case <-s.Interest().Done():
		return
	}
	returned := false
	defer func() {
		if !returned { // after Abort as well; then this does nothing, because the reset came first
			stack := wire.UserStack(string(debug.Stack()), false)
			s.Fail(&wire.Error{Message: endedGoroutine, Remote: true, Detail: stack})
		}
	}()
	m, known := methods[s.Method]
	var err error
	if known && m.manner != noted {
		err = m.serve(srv, s, s.Message)
	} else {
		err = fmt.Errorf("unknown method %d", s.Method)
	}
	returned = true
	if err != nil {
		s.Fail(failureOf(err))
		return
	}
	if m.manner == acknowledged {
		s.Answer(&wire.Empty{}, true) //nolint:errcheck // the emulator has gone, and its question with it
	}
}

// notice serves a notice of the emulator. It ignores any that it does not understand.
func (srv *server) notice(method wire.Method, message []byte) {
	if m, known := methods[method]; known && m.manner == noted {
		m.serve(srv, nil, message) //nolint:errcheck // a notice has no answer
	}
}

// pinged lets the goroutines run that handlers have just started. So before the answer they have
// asked for what they wait for, unless they compute for longer.
func (srv *server) pinged(*wire.Stream, []byte) error {
	for range 16 {
		runtime.Gosched()
	}
	return nil
}

// forget clears the cache of an instance: its storage has changed without the program.
func (srv *server) forget(_ *wire.Stream, m *wire.Forget) error {
	i, err := srv.instanceOf(m.Instance)
	if err == nil && i.cache != nil {
		i.cache.clear(0)
	}
	return err
}

// begin returns the invocation of a handler for the event with the given number, which s is about.
// Its context ends when the event is canceled or the emulator has given up s.
func (srv *server) begin(s *wire.Stream, number uint64, state *State, cache *cache) *wireHost {
	h := beginOn(srv.conn, srv.fakeOutside, srv.logLevel, s.Interest(), number, state, cache)
	h.event = s
	return h
}

func (srv *server) construct(s *wire.Stream, m *wire.Construct) error {
	class, ok := srv.worker.Classes[m.Class]
	if !ok || class.construct == nil {
		return fmt.Errorf("class %q is not one of the program's", m.Class)
	}
	id, err := idOf(m)
	if err != nil {
		return err
	}
	i := &instance{state: newState(id)}
	i.state.class, i.state.instance = m.Class, m.Instance
	if srv.maxEntry > 0 {
		i.cache = &cache{maxEntry: srv.maxEntry}
	}
	srv.mu.Lock()
	srv.instances[m.Instance] = i // what its constructor prints is attributed to it
	srv.mu.Unlock()
	made := false
	defer func() {
		if !made {
			srv.forgetInstance(m.Instance)
		}
	}()
	h := srv.begin(s, m.Event, i.state, i.cache)
	defer h.end()
	return h.run(func() error {
		object, err := class.construct(h.ctx, i.state, srv.env)
		if err == nil {
			err = context.Cause(h.ctx) // if it was reset meanwhile, nobody would destroy the instance
		}
		if err != nil {
			return err
		}
		srv.mu.Lock()
		i.object = object
		srv.mu.Unlock()
		made = true
		return nil
	})
}

func (srv *server) destroy(_ *wire.Stream, m *wire.Destroy) error {
	srv.forgetInstance(m.Instance)
	return nil
}

func (srv *server) forgetInstance(n uint64) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.instances, n)
}

// instanceOf returns the instance with the number n.
func (srv *server) instanceOf(n uint64) (*instance, error) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	i := srv.instances[n]
	if i == nil || i.object == nil {
		return nil, fmt.Errorf("no instance %d", n)
	}
	return i, nil
}

func (srv *server) fetch(s *wire.Stream, m *wire.Fetch) error {
	var state *State
	var entries *cache
	var handler http.Handler
	if m.Instance == 0 {
		if srv.handler == nil {
			return errors.New("the worker takes no requests: durable.Worker has no Handler")
		}
		handler = srv.handler
	} else {
		i, err := srv.instanceOf(m.Instance)
		if err != nil {
			return err
		}
		state, entries = i.state, i.cache
		var ok bool
		if handler, ok = i.object.(http.Handler); !ok {
			return fmt.Errorf("%T takes no requests: it has no ServeHTTP method", i.object)
		}
	}
	h := srv.begin(s, m.Event, state, entries)
	defer h.end()

	body := &requestBody{first: m.Request.Body, inv: &h.inv}
	if !s.Ended() {
		body.stream = s
		stop := context.AfterFunc(h.ctx, func() { s.BreakRead(context.Cause(h.ctx)) })
		defer stop()
	}
	r, err := fromRequest(&m.Request, body)
	if err != nil {
		return err
	}
	if m.Request.ContentLength == 0 {
		r.Body = http.NoBody
	}
	r = r.WithContext(h.ctx)
	w := newResponseWriter(&h.inv, &wireSink{Stream: s, host: h}, r.Method)
	if err := h.run(func() error { handler.ServeHTTP(w, r); return nil }); err != nil {
		return err
	}
	return w.finish()
}

func (srv *server) alarm(s *wire.Stream, m *wire.Alarm) error {
	i, err := srv.instanceOf(m.Instance)
	if err != nil {
		return err
	}
	a, ok := i.object.(Alarmer)
	if !ok {
		return fmt.Errorf("%T handles no alarms: it has no Alarm method", i.object)
	}
	h := srv.begin(s, m.Event, i.state, i.cache)
	defer h.end()
	return h.run(func() error {
		return a.Alarm(h.ctx, AlarmInfo{
			ScheduledTime: time.UnixMilli(m.Scheduled).UTC(),
			RetryCount:    int(m.RetryCount),
			IsRetry:       m.RetryCount > 0,
		})
	})
}

func (srv *server) scheduled(s *wire.Stream, m *wire.Scheduled) error {
	if srv.worker.Scheduled == nil {
		return errors.New("the worker has no Scheduled handler")
	}
	h := srv.begin(s, m.Event, nil, nil)
	defer h.end()
	return h.run(func() error {
		event := ScheduledEvent{Cron: m.Cron, ScheduledTime: time.UnixMilli(m.Time).UTC()}
		return srv.worker.Scheduled(h.ctx, event, srv.env)
	})
}

// stack answers where the handler of an event stands.
func (srv *server) stack(s *wire.Stream, m *wire.Operation) error {
	return s.Answer(&wire.Stack{Text: stackOf(allStacks(), markOf(srv.conn, m.Event))}, true)
}
