package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/internal/inside"
)

// A harness plays the emulator's side for a worker that a test serves. It answers every operation
// at once.
type harness struct {
	t       *testing.T
	program inside.Program
	conn    *wire.Conn
	outside func(*http.Request) (*http.Response, error)

	memory // whose mu guards what follows as well

	asked  []wire.Method // by the program
	visits []wire.Visit
	events uint64
}

func serveInside(t *testing.T, w Worker) *harness {
	t.Helper()
	ours, theirs := net.Pipe()
	h := &harness{t: t, memory: newMemory()}
	h.conn = wire.NewConn(ours, wire.Emulator,
		wire.Callbacks{Serve: h.serve, Notice: func(m wire.Method, _ []byte) { h.note(m) }})
	t.Cleanup(func() { h.conn.Close() })
	var err error
	h.program, err = inside.Serve(theirs, w,
		inside.Options{Outside: func() func(*http.Request) (*http.Response, error) { return h.outside }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *harness) note(m wire.Method) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, m)
}

func (h *harness) next() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events++
	return h.events
}

func (h *harness) serve(s *wire.Stream) {
	h.note(s.Method)
	if s.Method != wire.MethodVisit {
		h.memory.serve(s)
		return
	}
	var m wire.Visit
	mustDecode(s.Message, &m)
	h.mu.Lock()
	h.visits = append(h.visits, m)
	h.mu.Unlock()
	q := &wire.Visited{Event: h.next(), Instance: h.construct(), Visit: m.Visit}
	err := h.conn.Call(context.Background(), wire.MethodVisited, q, &wire.Empty{})
	if e := (*wire.Error)(nil); errors.As(err, &e) {
		s.Fail(e)
		return
	}
	s.Answer(&wire.Empty{}, true) //nolint:errcheck // the test sees it
}

// construct makes an instance of the class Object.
func (h *harness) construct() uint64 {
	h.t.Helper()
	n := h.next()
	m := &wire.Construct{
		Event:    n,
		Instance: n,
		Class:    "Object",
		ID:       objects.IDFromName("a").String(),
		Name:     "a",
		HasName:  true,
	}
	if err := h.conn.Call(context.Background(), wire.MethodConstruct, m, &wire.Empty{}); err != nil {
		h.t.Error(err)
	}
	return n
}

// get sends a request to a new object and returns the body of the answer.
func (h *harness) get() (string, error) {
	q := &wire.Fetch{
		Event:    h.next(),
		Instance: h.construct(),
		Request:  wire.Request{Method: "GET", URL: "http://a.test/", Host: "a.test"},
	}
	var r wire.Response
	err := h.conn.Call(context.Background(), wire.MethodFetch, q, &r)
	return string(r.Body), err
}

// The objects of asksOutside send a request to the outside.
type asksOutside struct{ t *testing.T }

func (o asksOutside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://outside.test/batches",
		strings.NewReader("body"))
	if err != nil {
		panic(err)
	}
	resp, err := HTTPClient.Do(q)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	io.WriteString(w, resp.Status+" "+string(b)) //nolint:errcheck // the test sees it
}

// sharedHeader is that of several responses, so it must not change.
var sharedHeader = http.Header{"Content-Encoding": {"gzip"}}

func outsideWorker(t *testing.T) Worker {
	return Worker{Classes: Classes{
		"Object": NewClass(func(context.Context, *State, *Env) (asksOutside, error) { return asksOutside{t}, nil }),
		"Other":  NewClass(func(context.Context, *State, *Env) (asksOutside, error) { return asksOutside{t}, nil }),
	}}
}

func TestARequestToTheOutsideIsAnsweredInsideTheTest(t *testing.T) {
	for name, test := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		want   string // or, if it fails, part of the error
	}{
		"a status is enough": {
			func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil },
			"204 No Content ",
		},
		"a status that no response has": {
			func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 199}, nil },
			"the function that answers requests to the outside returned status 199: the status of a response is " +
				"from 200 to 599, as on the platform",
		},
		"a status beyond those of responses": {
			func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 600}, nil },
			"returned status 600",
		},
		"a compressed body": {
			func(r *http.Request) (*http.Response, error) {
				if got := r.Header.Get("Accept-Encoding"); got != "gzip" {
					return nil, fmt.Errorf("it accepts %q", got)
				}
				return &http.Response{
					Header: sharedHeader, Body: io.NopCloser(strings.NewReader(gzipped("plain"))),
				}, nil
			},
			"200 OK plain",
		},
		"nothing is enough": {
			func(*http.Request) (*http.Response, error) { return &http.Response{}, nil },
			"200 OK ",
		},
		"it sees the request": {
			func(r *http.Request) (*http.Response, error) {
				b, err := io.ReadAll(r.Body)
				text := r.Method + " " + r.URL.String() + " " + string(b)
				return &http.Response{Body: io.NopCloser(strings.NewReader(text))}, err
			},
			"200 OK POST http://outside.test/batches body",
		},
		"an error": {
			func(*http.Request) (*http.Response, error) { return nil, errors.New("no way") },
			"no way",
		},
		"nothing": {
			func(*http.Request) (*http.Response, error) { return nil, nil },
			"returned neither a response nor an error",
		},
		"a panic": {
			func(*http.Request) (*http.Response, error) { panic("oh") },
			"panicked: oh",
		},
		"the outside": {nil, "status"}, // the harness fails the request
	} {
		t.Run(name, func(t *testing.T) {
			h := serveInside(t, outsideWorker(t))
			h.outside = test.answer
			got, err := h.get()
			if err != nil {
				got = err.Error()
			}
			if test.answer == nil {
				if !slices.Contains(h.asked, wire.MethodSubrequest) {
					t.Errorf("asked %v, want a request that leaves", h.asked)
				}
				return
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			// The turn is given up meanwhile, so earlier writes are committed.
			want := []wire.Method{wire.MethodHello, wire.MethodReady, wire.MethodPause, wire.MethodResume}
			if !slices.Equal(h.asked, want) {
				t.Errorf("asked %v, want %v", h.asked, want)
			}
		})
	}
}

func TestAVisitSeesTheLiveInstance(t *testing.T) {
	h := serveInside(t, outsideWorker(t))
	id := strings.Repeat("aB", 32)
	for _, object := range []string{"a", id} {
		err := h.program.Visit(t.Context(), "Object", object, func(ctx context.Context, object, state any) error {
			if _, ok := object.(asksOutside); !ok {
				t.Errorf("got a %T, want the object", object)
			}
			return state.(*State).Storage.Put(ctx, "k", 1)
		})
		if err != nil {
			t.Error(err)
		}
	}
	if !slices.Contains(h.asked, wire.MethodPut) && !slices.Contains(h.asked, wire.MethodWrite) {
		t.Errorf("asked %v, want a put", h.asked)
	}
	want := []wire.Visit{{Class: "Object", Object: "a", Visit: 1}, {Class: "Object", Object: id, HasID: true, Visit: 2}}
	if !slices.Equal(h.visits, want) {
		t.Errorf("got %+v, want %+v", h.visits, want)
	}
	fails := func(context.Context, any, any) error { return errors.New("enough") }
	if err := h.program.Visit(t.Context(), "Object", "a", fails); err == nil || err.Error() != "enough" {
		t.Errorf("got %v, want the visit's error", err)
	}
	// Nobody has asked for this visit.
	err := h.conn.Call(t.Context(), wire.MethodVisited,
		&wire.Visited{Event: h.next(), Instance: h.construct(), Visit: 99}, &wire.Empty{})
	if err == nil || !strings.Contains(err.Error(), "nobody waits for visit 99") {
		t.Errorf("got %v, want an error", err)
	}
}

func TestAProgramTakesNoVisitsOutsideOfTests(t *testing.T) {
	emulate(t, outsideWorker(t), func(e *emulation) {
		err := e.conn.Call(context.Background(), wire.MethodVisited,
			&wire.Visited{Event: e.newID(), Instance: 1, Visit: 1}, &wire.Empty{})
		if err == nil || err.Error() != "the program takes no visits" {
			t.Errorf("got %v, want a refusal", err)
		}
		if err := e.conn.Call(context.Background(), wire.MethodPing, &wire.Empty{}, &wire.Empty{}); err != nil {
			t.Errorf("ping: %v", err)
		}
	})
}

func TestCloseWaitsForHandlers(t *testing.T) {
	in, out := make(chan struct{}), make(chan struct{})
	stubborn := Worker{Handler: answerWith(func(_ http.ResponseWriter, r *http.Request) {
		in <- struct{}{}
		<-r.Context().Done()
		<-out
	})}
	h := serveInside(t, stubborn)
	go h.conn.Call(context.Background(), wire.MethodFetch,
		&wire.Fetch{Event: 1, Request: wire.Request{Method: "GET", URL: "http://a.test/"}}, &wire.Response{})
	<-in
	if got := h.program.Close(time.Millisecond); got != 1 {
		t.Errorf("got %d handlers that still run, want 1", got)
	}
	close(out)
	if got := h.program.Close(time.Minute); got != 0 {
		t.Errorf("got %d handlers that still run, want none", got)
	}
	<-h.program.Done()
}

func TestAHandlerIsTheAuthorOfWhatItsGoroutinesPrint(t *testing.T) {
	type seen struct {
		author inside.Author
		found  bool
	}
	var got []seen
	look := func() {
		a, found := inside.CurrentAuthor()
		got = append(got, seen{a, found})
	}
	started := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
	h := serveInside(t, Worker{Handler: answerWith(func(http.ResponseWriter, *http.Request) {
		look()
		started(look)
		started(func() { started(look) })
		started(func() { look(); look() }) // the second time from memory
	})})
	for event := range uint64(2) {
		q := &wire.Fetch{Event: 1 + event, Request: wire.Request{Method: "GET", URL: "http://a.test/"}}
		if err := h.conn.Call(t.Context(), wire.MethodFetch, q, &wire.Response{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 10 {
		t.Fatalf("looked %d times, want 10", len(got))
	}
	for i, s := range got {
		object, ours := h.program.Wrote(s.author)
		if !s.found || !ours || object != "" || s.author[1] != uint64(1+i/5) {
			t.Errorf("%d: got %v of %q, ours: %t", i, s.author, object, ours)
		}
	}
	started(look)
	if last := got[len(got)-1]; last.found {
		t.Errorf("a goroutine of no handler: got %v", last.author)
	}
}
