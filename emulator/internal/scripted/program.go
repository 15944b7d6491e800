// Package scripted has a handler program for tests, which runs in the test's own process, and the
// checks and waits that the tests of several packages share.
//
// A Program stands at the other end of a connection where the emulator expects a handler program:
// usually a net.Pipe. It speaks the protocol by itself, without the SDK. So it shows that a program
// needs no more than the protocol, and a test can do what the SDK never does.
//
// Its worker passes each request on to the object in the header "Object", unless Handlers says
// otherwise. Its classes are Lab, which has alarms, and Mute, which has none. They are bound as LAB
// and MUTE, with the unique keys "w-Lab" and "w-Mute". What the objects do is up to Handlers.
package scripted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
)

// A Handler handles one event. The text it returns is the body of a response.
type Handler func(*Call) (string, error)

// Handlers are the handlers of a Program by the path of the request to an object. Some names are no
// paths; the Program works without a handler for each of them but the last:
//
//	worker     answers the requests to the worker
//	construct  makes an instance
//	stack      returns where an event stands
//	ping       answers a ping
//	alarm      runs an alarm, scheduled a cron trigger, and visited a visit
type Handlers map[string]Handler

// A Program is a handler program whose events are handled by Handlers.
type Program struct {
	Handlers Handlers

	// Conn is the connection of Serve. It is set once the program is welcomed.
	Conn *wire.Conn

	mu    sync.Mutex
	log   []string          // what happened, in order
	names map[uint64]string // of the objects, by instance
}

// New returns a program with these handlers.
func New(handlers Handlers) *Program {
	return &Program{Handlers: handlers, names: make(map[uint64]string)}
}

// Note adds an entry to what Notes returns.
func (p *Program) Note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

// Notes returns what was noted so far, with spaces in between.
func (p *Program) Notes() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, " ")
}

// DropNotes forgets what was noted so far.
func (p *Program) DropNotes() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = nil
}

// Serve sends the program's hello to the other end of rw. It returns when the program is welcomed
// or refused. Events are handled until rw is closed.
func (p *Program) Serve(rw io.ReadWriteCloser) {
	p.Conn = wire.NewConn(rw, wire.Program, wire.Callbacks{Serve: p.handle})
	hello := &wire.Hello{
		MinVersion: wire.MinVersion, MaxVersion: wire.MaxVersion, SDK: "test",
		Fetch: true, Scheduled: p.Handlers["scheduled"] != nil,
		Classes: []wire.Class{{Name: "Lab", Fetch: true, Alarm: true}, {Name: "Mute", Fetch: true}},
	}
	//nolint:errcheck // the other end reports it
	p.Conn.Call(context.Background(), wire.MethodHello, hello, &wire.Welcome{})
	//nolint:errcheck // as above
	p.Conn.Call(context.Background(), wire.MethodReady, &wire.Ready{}, &wire.Empty{})
}

// handle answers one request of the emulator.
func (p *Program) handle(s *wire.Stream) {
	c := &Call{Program: p, Context: s.Context(), Canceled: s.Interest().Done(), Stream: s}
	answer, err := p.answer(c)
	switch {
	case err != nil:
		s.Fail(asWire(err, true))
	case answer != nil:
		s.Answer(answer, true) //nolint:errcheck // the test sees it
	}
}

// answer returns the answer to a request, or nil if the handler has sent it.
func (p *Program) answer(c *Call) (wire.Message, error) {
	var err error
	switch s := c.Stream; s.Method {
	case wire.MethodFetch:
		return p.answerFetch(c)
	case wire.MethodConstruct:
		var m wire.Construct
		decode(s, &m)
		c.Event, c.Instance, c.Object = m.Event, m.Instance, m.Name
		p.mu.Lock()
		p.names[m.Instance] = m.Name
		p.mu.Unlock()
		_, err = p.callIfThere("construct", c)
	case wire.MethodAlarm:
		decode(s, &c.Alarm)
		c.Event, c.Instance, c.Object = c.Alarm.Event, c.Alarm.Instance, p.nameOf(c.Alarm.Instance)
		_, err = p.Handlers["alarm"](c)
	case wire.MethodScheduled:
		decode(s, &c.Cron)
		c.Event = c.Cron.Event
		_, err = p.Handlers["scheduled"](c)
	case wire.MethodVisited:
		var m wire.Visited
		decode(s, &m)
		c.Event, c.Instance, c.Object = m.Event, m.Instance, p.nameOf(m.Instance)
		_, err = p.Handlers["visited"](c)
	case wire.MethodStack:
		var m wire.Operation
		decode(s, &m)
		c.Event = m.Event
		f := p.Handlers["stack"]
		if f == nil {
			return nil, errors.New("unknown method 20") // the error of an SDK that does not know the method
		}
		text, err := f(c)
		return &wire.Stack{Text: text}, err
	case wire.MethodPing:
		_, err = p.callIfThere("ping", c)
	}
	return &wire.Empty{}, err
}

func (p *Program) callIfThere(name string, c *Call) (string, error) {
	if f := p.Handlers[name]; f != nil {
		return f(c)
	}
	return "", nil
}

// answerFetch answers a request to the worker, or to an object.
func (p *Program) answerFetch(c *Call) (wire.Message, error) {
	var m wire.Fetch
	decode(c.Stream, &m)
	c.Event, c.Instance = m.Event, m.Instance
	f := p.Handlers["worker"]
	if m.Instance == 0 && f == nil {
		r, err := p.passOn(c, &m)
		if err != nil { // not a nil *wire.Response
			return nil, err
		}
		return r, nil
	}
	if m.Instance != 0 {
		c.Object = p.nameOf(m.Instance)
		c.Path = m.Request.URL[strings.Index(m.Request.URL[8:], "/")+8:]
		f = p.Handlers[c.Path]
	}
	if f == nil {
		return nil, fmt.Errorf("no handler for %s", c.Path)
	}
	text, err := f(c)
	if err != nil {
		return nil, err
	}
	return &wire.Response{Status: 200, ContentLength: int64(len(text)), Body: []byte(text)}, nil
}

// passOn sends a request to the worker on to the object that its header names: of class Lab or,
// after "mute:", of class Mute.
func (p *Program) passOn(c *Call, m *wire.Fetch) (*wire.Response, error) {
	object, binding := "", "LAB"
	for _, f := range m.Request.Header {
		if f.Name == "Object" {
			object = f.Value
		}
	}
	if rest, ok := strings.CutPrefix(object, "mute:"); ok {
		object, binding = rest, "MUTE"
	}
	return p.Fetch(c.Stream.Interest(), m.Event, binding, object, m.Request.URL)
}

// Fetch sends a request to an object, on behalf of an event. The error is a *wire.Error.
func (p *Program) Fetch(ctx context.Context, event uint64, binding, object, url string) (*wire.Response, error) {
	key := "w-" + map[string]string{"LAB": "Lab", "MUTE": "Mute"}[binding]
	q := &wire.Subrequest{
		Event: event, Binding: binding, ID: objectid.FromName(key, "", object).String(), Name: object, HasName: true,
		Request: wire.Request{Method: "GET", URL: url},
	}
	s, err := p.Conn.Open(wire.MethodSubrequest, q, true)
	if err != nil {
		return nil, asWire(err, false)
	}
	b, err := s.Await(ctx)
	if err != nil {
		return nil, asWire(err, false)
	}
	var r wire.Response
	Must(wire.Decode(b, &r))
	return &r, nil
}

// nameOf returns the name of the object that an instance is of.
func (p *Program) nameOf(instance uint64) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	name, known := p.names[instance]
	if !known {
		panic(fmt.Sprintf("instance %d was never constructed", instance))
	}
	return name
}

// asWire returns err as an error of the protocol.
func asWire(err error, remote bool) *wire.Error {
	var w *wire.Error
	if !errors.As(err, &w) {
		w = &wire.Error{Message: err.Error(), Remote: remote}
	}
	return w
}

func decode(s *wire.Stream, m wire.Message) { Must(wire.Decode(s.Message, m)) }
