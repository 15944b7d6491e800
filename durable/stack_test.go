package durable

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"devtool.internal/durable/wire"
)

// stack asks the program where the handler of an event stands.
func (e *emulation) stack(event uint64) string {
	e.t.Helper()
	var s wire.Stack
	if err := e.conn.Call(context.Background(), wire.MethodStack, &wire.Operation{Event: event}, &s); err != nil {
		e.t.Fatalf("ask for the stack: %v", err)
	}
	return s.Text
}

//go:noinline
func standHere(release <-chan struct{}) { <-release }

//go:noinline
func standElsewhere(release <-chan struct{}) { <-release }

//go:noinline
func childStands(release <-chan struct{}) { <-release }

func TestStackShowsWhereAHandlerStands(t *testing.T) {
	release := make(chan struct{})
	stand := func() error { standHere(release); return nil }
	w := Worker{
		//nolint:errcheck // it has none
		Handler: answerWith(func(http.ResponseWriter, *http.Request) { stand() }),
		Classes: Classes{
			"Object": NewClass(func(ctx context.Context, s *State, _ *Env) (*probe, error) {
				return &probe{
					state: s,
					fetch: func(p *probe, w http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/later" {
							p.state.WaitUntil(r.Context(),
								func(context.Context) error { return stand() }) //nolint:errcheck // the stack shows it
							return
						}
						stand() //nolint:errcheck // it has none
					},
					ring: func(context.Context, *probe, AlarmInfo) error { return stand() },
				}, nil
			}),
			"Slow": NewClass(func(context.Context, *State, *Env) (*probe, error) { return nil, stand() }),
		},
	}
	for _, test := range []struct {
		what  string
		begin func(e *emulation) (event uint64)
	}{
		{"a request to the worker", func(e *emulation) uint64 { return e.fetch(0, wire.Request{}).event }},
		{"a request to an " +
			"object", func(e *emulation) uint64 { return e.fetch(e.construct("Object", "a"), wire.Request{}).event }},
		{"an alarm", func(e *emulation) uint64 {
			m := &wire.Alarm{Event: e.newID(), Instance: e.construct("Object", "a")}
			e.open(wire.MethodAlarm, m, true)
			return m.Event
		}},
		{"a constructor", func(e *emulation) uint64 {
			id := objects.IDFromName("a").String()
			m := &wire.Construct{Event: e.newID(), Instance: e.newID(), Class: "Slow", ID: id}
			e.open(wire.MethodConstruct, m, true)
			return m.Event
		}},
		{"what goes on after the response", func(e *emulation) uint64 {
			const background = 1000
			e.on(wire.MethodBackground, func(s *wire.Stream) { s.Answer(&wire.Background{Event: background}, false) })
			e.fetch(e.construct("Object", "a"), wire.Request{URL: "http://localhost/later"}).text()
			return background
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release = make(chan struct{})
				e := connect(t, w)
				event := test.begin(e)
				e.settle()
				got := e.stack(event)
				if !strings.HasPrefix(got, "goroutine ") || !strings.Contains(got, ".standHere(") ||
					!strings.Contains(got, "/stack_test.go:") {
					t.Errorf("got %q, want the stack of the handler", got)
				}
				for _, below := range []string{"mark.guard", "(*server)", "wire.(*Conn)", "created by"} {
					if strings.Contains(got, below) {
						t.Errorf("the stack shows %s, which is below the handler:\n%s", below, got)
					}
				}
				close(release)
				e.settle()
				if got := e.stack(event); got != "" {
					t.Errorf("when it has ended: got %q, want nothing", got)
				}
				e.check(e.end())
			})
		})
	}
}

func TestStackShowsWhatTheHandlerHasStarted(t *testing.T) {
	release := make(chan struct{})
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			standElsewhere(release)
			return
		}
		started := make(chan struct{})
		go func() { // its own parent is gone when somebody asks
			go childStands(release)
			close(started)
			<-release
		}()
		<-started
		standHere(release)
	})
	synctest.Test(t, func(t *testing.T) {
		release = make(chan struct{})
		e := connect(t, w)
		x := e.fetch(0, wire.Request{})
		e.fetch(0, wire.Request{URL: "http://localhost/other"})
		e.settle()
		got := e.stack(x.event)
		here, child := strings.Index(got, ".standHere("), strings.Index(got, ".childStands(")
		if here < 0 || child < here {
			t.Errorf("got %q, want the handler and then what it has started", got)
		}
		if strings.Contains(got, "standElsewhere") {
			t.Errorf("the stack shows the handler of another event:\n%s", got)
		}
		close(release)
		e.check(e.end())
	})
}

// The number of an event says nothing about events of another connection.
func TestStackBelongsToItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stand := func(where func(<-chan struct{})) *emulation {
			e := connect(t, withFetch(func(*probe, http.ResponseWriter, *http.Request) { where(release) }))
			e.open(wire.MethodFetch,
				&wire.Fetch{Event: 7, Request: wire.Request{Method: "GET", URL: "http://localhost/"}}, true)
			return e
		}
		one, other := stand(standHere), stand(standElsewhere)
		one.settle()
		if got := one.stack(7); !strings.Contains(got, ".standHere(") || strings.Contains(got, ".standElsewhere(") {
			t.Errorf("one: got %q", got)
		}
		if got := other.stack(7); !strings.Contains(got, ".standElsewhere(") || strings.Contains(got, ".standHere(") {
			t.Errorf("other: got %q", got)
		}
		close(release)
		one.check(one.end())
		other.check(other.end())
	})
}

var spins atomic.Int64

//go:noinline
func spin(stop *atomic.Bool) {
	for !stop.Load() {
		spins.Add(1)
	}
}

func TestStackOfALoopThatNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stop atomic.Bool
		begun := make(chan struct{})
		e := connect(t, withFetch(func(*probe, http.ResponseWriter, *http.Request) { close(begun); spin(&stop) }))
		x := e.fetch(0, wire.Request{})
		<-begun
		if got := e.stack(x.event); !strings.Contains(got, "/stack_test.go:") {
			t.Errorf("got %q, want the stack of the handler", got)
		}
		stop.Store(true)
		x.text()
		e.check(e.end())
	})
}

func TestStackOfAnEventThatIsNotThereIsEmpty(t *testing.T) {
	emulate(t, withFetch(nil), func(e *emulation) {
		if got := e.stack(42); got != "" {
			t.Errorf("got %q, want nothing", got)
		}
	})
}

// printed returns a goroutine as the runtime prints it.
func printed(id int, frames ...string) string {
	return fmt.Sprintf("goroutine %d [select]:\n%s", id, strings.Join(frames, "\n"))
}

func TestStackOfFindsTheFamily(t *testing.T) {
	m := mark{0xc000012345, 5}
	frame := func(f string) string { return f + "\n\t/src/a.go:1 +0x1" }
	handler := printed(7, frame("main.handle(...)"), frame("devtool.internal/durable.(*server).fetch.func2()"),
		frame("devtool/"+m.frame()+", 0xc00001)"), frame("main.Serve()"))
	cut := printed(7, frame("main.handle(...)"))
	child := printed(9, frame("main.child()"), frame("created by main.handle in goroutine 7"))
	grandchild := printed(8, frame("main.grandchild()"), frame("created by main.child in goroutine 9"))
	carrier := printed(10, frame("main.body.Read()"),
		frame("created by devtool.internal/durable.(*wireHost).roundTrip in goroutine 7"))
	stranger := printed(70, frame("main.child()"), frame("created by main.handle in goroutine 77"))
	oldest := printed(1, frame("main.main()"))
	other := printed(11, frame("devtool/"+mark{0xc000012345, 55}.frame()+", 0xc00001)"))

	for _, test := range []struct {
		what string
		all  []string
		want []string
	}{
		{"the handler alone", []string{oldest, other, handler, stranger}, []string{cut}},
		{"in whichever order they stand", []string{grandchild, child, handler}, []string{cut, child, grandchild}},
		{"without what carries bodies", []string{handler, carrier}, []string{cut}},
		{"nobody", []string{oldest, other, child}, nil},
	} {
		t.Run(test.what, func(t *testing.T) {
			got := stackOf(strings.Join(test.all, "\n\n")+"\n", m)
			if want := strings.Join(test.want, "\n\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestStackOfIsBounded(t *testing.T) {
	m := mark{1, 2}
	all := printed(1, "main.handle()\n\t/src/a.go:1", m.frame()+")\n\t/src/a.go:2")
	for i := range 100 {
		all += "\n\n" + printed(i+2, "main.child()\n\t/src/a.go:3",
			"created by main.handle in goroutine 1\n\t/src/a.go:4")
	}
	got := stackOf(all, m)
	if n, want := strings.Count(got, "goroutine "), 2*maxGoroutines-1; n != want ||
		!strings.HasSuffix(got, "…and 85 more goroutines") {
		t.Errorf("got %d goroutines, want %d:\n%s", n, want, got)
	}

	long := strings.Repeat("main.f()\n\t/src/a.go:1\n", maxStackText/10)
	got = stackOf(printed(1, long+m.frame()+")\n\t/src/a.go:2"), m)
	if len(got) > maxStackText+len("…") || !strings.HasSuffix(got, "\n…") {
		t.Errorf("got %d bytes that end in %q", len(got), got[len(got)-20:])
	}
}

// Other output of a program may look like a stack, but must not break stackOf.
func FuzzStackOf(f *testing.F) {
	m := mark{1, 2}
	f.Add(printed(1, "main.f()\n\t/src/a.go:1", m.frame()+")\n\t/src/a.go:2"))
	f.Add("goroutine 1\n\n" + m.frame() + "\ncreated by \n\ncreated by x in goroutine ")
	f.Fuzz(func(t *testing.T, all string) {
		got := stackOf(all, m)
		if got != "" && !strings.Contains(all, m.frame()) {
			t.Errorf("got %q from stacks without the handler", got)
		}
	})
}

// This is the cost for each event of finding its goroutine later.
func BenchmarkGuard(b *testing.B) {
	conn := new(wire.Conn)
	b.ReportAllocs()
	for b.Loop() {
		markOf(conn, 5).guard(func() error { return nil }) //nolint:errcheck // it has none
	}
}
