package world

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// Programs gives the world the program that runs handlers now. Each reload and crash replaces it.
type Programs interface {
	// Enter waits for a program to handle an event, as Entry says, and counts the event in it. The
	// caller calls Leave, unless there is an error.
	Enter(context.Context, Entry) (Program, error)
	// Stay counts another event in a program, caused by one that has entered. The caller calls
	// Leave.
	Stay(Program)
	// Leave ends an event that Enter or Stay has counted.
	Leave(Program)
	// Running returns the program that serves, or nil.
	Running() Program
	// Missing returns why no program serves where an event would wait for one, or empty.
	Missing() string
}

// An Entry says how an event enters a program.
type Entry int

const (
	Patient   Entry = iota // Patient waits for a program as long as it takes
	Impatient              // Impatient fails when no program can be kept running
	Newest                 // Newest is Impatient, but waits for the version saved before the event
)

// A Program runs the handlers of the worker and of its objects.
type Program interface {
	// Class returns what the program has registered for a class, and whether it has registered it.
	Class(name string) (wire.Class, bool)
	// Scheduled reports whether the worker handles cron triggers.
	Scheduled() bool
	// Ask sends a question without a body, as part of an event of inst, and returns when the
	// handler has returned. It calls sent, unless that is nil, when the question has left. For an
	// event of the worker, the error is *Undelivered if the program was gone before it took the
	// question.
	Ask(inst *Instance, method wire.Method, m wire.Message, sent func()) error
	// Destroy makes the program forget an instance. It does not wait.
	Destroy(*Instance)
	// Forget makes the program drop its cache of an instance's storage, before it reads anything
	// that is sent later.
	Forget(*Instance)
	// Lost reports whether the program is gone. It returns true before any event fails because of
	// that.
	Lost() bool
	// Attached reports whether the program is an attached one, which a debugger may stop.
	Attached() bool
	// Responds asks the program for a sign of life, and reports whether it came. If so, everything
	// that the program had asked for before has arrived.
	Responds() bool
	// Stack returns the stack of an event's handler and of the goroutines that it has started, for
	// people, or empty if the program does not say.
	Stack(*Event) string
	// Spared reports whether real time does not count for the program: a debugger stops it, or has
	// stopped it within the last d of real time.
	Spared(d time.Duration) bool
}

// An Undelivered is the error of an event of the worker whose program was gone before it took the
// event. Deliver delivers the event again.
type Undelivered struct {
	Cause error // of the lost connection
}

func (e *Undelivered) Error() string { return e.Cause.Error() }
func (e *Undelivered) Unwrap() error { return e.Cause }

// isUndelivered reports whether err says that the program was gone before it took the event.
func isUndelivered(err error) bool {
	u := (*Undelivered)(nil)
	return errors.As(err, &u)
}

// running are the events that may ask for operations, by number.
type running struct {
	mu     sync.Mutex
	events map[uint64]*Event
}

func (r *running) add(ev *Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events == nil {
		r.events = make(map[uint64]*Event)
	}
	r.events[ev.number] = ev
}

func (r *running) remove(ev *Event) {
	r.mu.Lock()
	delete(r.events, ev.number)
	r.mu.Unlock()
}

// ask returns the event of p with this number, and counts an operation of its handler.
func (r *running) ask(p Program, number uint64) (*Event, error) {
	r.mu.Lock()
	ev := r.events[number]
	r.mu.Unlock()
	if ev == nil || ev.prog != p {
		return nil, errOver
	}
	ev.asked()
	return ev, nil
}

// find returns the events that match, in the order in which they began.
func (r *running) find(match func(*Event) bool) []*Event {
	r.mu.Lock()
	var found []*Event
	for _, ev := range r.events {
		if match(ev) {
			found = append(found, ev)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(found, func(a, b *Event) int { return cmp.Compare(a.number, b.number) })
	return found
}

// in returns the events of p, in the order in which they began.
func (r *running) in(p Program) []*Event {
	return r.find(func(ev *Event) bool { return ev.prog == p })
}

// noPrograms is the Programs of a world in which no program ever runs.
type noPrograms struct{}

var errNoProgram = errors.New("no handler program runs here")

func (noPrograms) Enter(context.Context, Entry) (Program, error) { return nil, errNoProgram }
func (noPrograms) Stay(Program)                                  {}
func (noPrograms) Leave(Program)                                 {}
func (noPrograms) Running() Program                              { return nil }
func (noPrograms) Missing() string                               { return errNoProgram.Error() }
