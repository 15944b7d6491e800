// Package world is what Durable Objects are: objects, turns, steps, events, alarms, cron triggers,
// idle eviction, faults and administration. It knows no process, no HTTP and no configuration. So
// tests run a world with a program in their own process, and several worlds fit into one process.
//
// A World has a clock, Programs that run the handlers, and a Layout of classes. An event takes this
// way through it:
//
//  1. Deliver (delivery.go) lets it enter a program and join the step of its cause (step.go): time
//     stands still until the event leaves.
//  2. It waits for its object's turn with a ticket (turn.go). If there is no instance in this
//     program, one is constructed (object.go).
//  3. Its handler runs in the program, and asks for what operations.go offers.
//  4. When the handler has returned, its writes are committed, and only then does the answer leave.
//  5. What came of it is published as a Happening (happening.go).
//
// Read the files in this order:
//
//   - world.go: what a world consists of
//   - programs.go: how it sees programs
//   - delivery.go, event.go: an event's way to its handler
//   - turn.go: who has an object's turn
//   - step.go, sleep.go: who holds the present instant of the clock, and what waits for another one
//   - line.go: who goes first of those that go on at once
//   - object.go: instances, commits and resets
//   - operations.go: what a handler may ask for
//   - alarm.go, missed.go, cron.go: the events that the clock delivers
//   - advance.go: moves of the clock, and their report
//   - admin.go: reads and changes objects from outside, without constructing them
package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// Options say what a World consists of.
type Options struct {
	// Worker is the worker's name, for messages.
	Worker string
	// Clock is the world's clock. The caller of New closes it.
	Clock *clock.Clock
	// Programs run the handlers. Nil means that none ever runs: events fail.
	Programs Programs
	// Log receives warnings, errors and what happens to objects besides events.
	Log *slog.Logger
	// Happened, unless it is nil, is called with the outcome of each event as it ends.
	Happened func(Happening)
	// InDetail, unless it is nil, reports whether Happened wants the requests that handlers make to
	// objects.
	InDetail func() bool
	// Limits bound what objects may store. The zero value means ProductionLimits.
	Limits Limits
	// Seed, unless it is 0, shuffles the waits of retries.
	Seed uint64
	// Missed says what happens to alarms that are overdue when their class is opened.
	Missed Missed
	// Waits are the world's waits in real time.
	Waits Waits
}

// Waits are how long a world waits in real time where it cannot know whether what it waits for will
// come. A zero field means its default.
type Waits struct {
	// Silence is for a handler of which some goroutines wait for the clock. If it asks for nothing
	// for this long although its program runs, all its goroutines count as waiting. The default is
	// 10 ms.
	Silence time.Duration
	// BlockGrace is the least real time that a limit of the clock leaves the handler of a
	// constructor, block or alarm (see limit). Without it, a handler that takes a few ms would fail
	// because the clock is fast, or because an advance passed hours. The default is 2 s.
	BlockGrace time.Duration
	// Idle is the least real time for which an object without an event stays in memory while the
	// clock runs, however fast. The default is 1 s.
	Idle time.Duration
	// EarlyAlarm is how long an early alarm delays the next one at most. The default is 250 ms.
	EarlyAlarm time.Duration
	// Start is how long the start of an alarm or cron trigger delays the next one at most, on a
	// running clock. Alarms of one instant start one after the other, but a constructor may block.
	// The default is 250 ms.
	Start time.Duration
	// Turn is how long an Admin waits for an object's turn. The default is 10 s.
	Turn time.Duration
	// Aftermath is how long an advance waits for events that a reset from outside or the loss of
	// their program has ended. The default is 1 s.
	Aftermath time.Duration
	// Quiet is how long an Admin waits for events that it must not disturb. An event is not quite
	// over when its response arrives. The default is 300 ms.
	Quiet time.Duration
}

func (w Waits) withDefaults() Waits {
	return Waits{
		Silence:    cmp.Or(w.Silence, 10*time.Millisecond),
		BlockGrace: cmp.Or(w.BlockGrace, 2*time.Second),
		Idle:       cmp.Or(w.Idle, time.Second),
		EarlyAlarm: cmp.Or(w.EarlyAlarm, 250*time.Millisecond),
		Start:      cmp.Or(w.Start, 250*time.Millisecond),
		Turn:       cmp.Or(w.Turn, 10*time.Second),
		Aftermath:  cmp.Or(w.Aftermath, time.Second),
		Quiet:      cmp.Or(w.Quiet, 300*time.Millisecond),
	}
}

// A World is the objects of a worker with their state and their clock. Programs hands out the
// programs that run their handlers, and Apply says which classes there are. Its methods may be
// called at the same time, unless they say otherwise.
type World struct {
	name     string // the worker's
	log      *slog.Logger
	clock    *clock.Clock
	programs Programs
	happened func(Happening)
	inDetail func() bool
	limits   Limits
	seed     uint64
	missed   Missed
	waits    Waits
	// idleLimit is how long an object stays in memory without an event, on the clock.
	idleLimit time.Duration

	running  running
	underWay underWay
	launches launches
	stores   stores
	crons    crontab
	faults   faults
	early    earlyAlarms
	// The timers that a running clock fires, and the alarms and cron triggers among them, each in
	// their order.
	timers, alarmStarts, cronStarts line
	// aftermath counts the events that resets from outside and lost programs have ended and that
	// are not over yet.
	aftermath aftermath

	lost atomic.Pointer[error] // why nothing can be committed any more (see missing.go)

	// advancing is set during an advance.
	advancing             atomic.Bool
	deleteAllDeletesAlarm atomic.Bool

	events     atomic.Uint64 // the number of the last event
	instances  atomic.Uint64 // the number of the last instance
	alarmOrder atomic.Int64  // the order of the last alarm

	ctx        context.Context
	cancel     context.CancelCauseFunc
	background sync.WaitGroup

	// mu guards what follows. The maps are never changed, but replaced.
	mu         sync.Mutex
	namespaces map[string]*Namespace // by class
	bindings   map[string]*Namespace
	advance    *Advance // the one under way, or nil
	dropped    []*Namespace
}

// New returns a world without classes; Apply adds them. The caller calls Close.
func New(o Options) *World {
	w := &World{
		name:       o.Worker,
		log:        o.Log,
		clock:      o.Clock,
		programs:   o.Programs,
		happened:   o.Happened,
		inDetail:   o.InDetail,
		limits:     cmp.Or(o.Limits, ProductionLimits),
		seed:       o.Seed,
		missed:     o.Missed,
		waits:      o.Waits.withDefaults(),
		idleLimit:  defaultIdleLimit,
		stores:     stores{max: maxStores},
		namespaces: make(map[string]*Namespace),
	}
	if w.programs == nil {
		w.programs = noPrograms{}
	}
	w.crons.w = w
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	return w
}

// A Layout says which classes a world has.
type Layout struct {
	Classes  []Class           // all classes
	Bindings map[string]string // from the name of a binding to its class
	Crons    []string          // expressions
	// DeleteAllDeletesAlarm says that DeleteAll deletes the alarm, too. It depends on the worker's
	// compatibility date.
	DeleteAllDeletesAlarm bool
	// Drops, unless it is nil, reports whether an open class is to be dropped from the world.
	Drops func(class, uniqueKey string) bool
}

// A Class is one kind of objects, with their own namespace.
type Class struct {
	Name string // in the program
	// UniqueKey is what the ids are derived from. The class got it when it was created, so ids
	// outlive a change of its name.
	UniqueKey string
	Dir       string // of the objects' files
	KeyValue  bool   // its objects have no SQL, and the limits of key-value storage
}

// Apply makes the world have the classes, bindings and cron triggers of l: it opens new classes,
// with their alarms. After an error the world has what it had before. Two calls at the same time
// are not allowed.
func (w *World) Apply(l Layout) error {
	namespaces := maps.Clone(w.currentNamespaces())
	var opened, dropped []*Namespace
	for class, ns := range namespaces {
		if l.Drops != nil && l.Drops(class, ns.uniqueKey) {
			delete(namespaces, class)
			dropped = append(dropped, ns)
		}
	}
	err := w.openNew(l.Classes, namespaces, &opened)
	if err == nil {
		err = w.loadAlarms(opened)
	}
	if err != nil {
		for _, ns := range opened {
			ns.close() //nolint:errcheck // the first error counts
		}
		return err
	}
	bindings := make(map[string]*Namespace)
	for name, class := range l.Bindings {
		bindings[name] = namespaces[class]
	}
	w.deleteAllDeletesAlarm.Store(l.DeleteAllDeletesAlarm)
	w.mu.Lock()
	w.namespaces, w.bindings = namespaces, bindings
	w.dropped = append(w.dropped, dropped...)
	w.mu.Unlock()
	return w.crons.configure(l.Crons)
}

// openNew opens the classes that are not yet in namespaces, and adds them to namespaces and opened.
func (w *World) openNew(classes []Class, namespaces map[string]*Namespace, opened *[]*Namespace) error {
	for _, class := range classes {
		ns := namespaces[class.Name]
		if ns == nil {
			var err error
			if ns, err = w.openNamespace(class); err != nil {
				return err
			}
			namespaces[class.Name] = ns
			*opened = append(*opened, ns)
		}
		ns.keyValue.Store(class.KeyValue)
	}
	return nil
}

// currentNamespaces returns the namespaces by class. The map is not to be changed.
func (w *World) currentNamespaces() map[string]*Namespace {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.namespaces
}

// CurrentBindings returns the namespaces by the names of their bindings. The map is not to be
// changed.
func (w *World) CurrentBindings() map[string]*Namespace {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bindings
}

// NamespaceOf returns the namespace of the class or, if there is no such class, of the binding of
// that name. If there is neither, the error is a *control.Error.
func (w *World) NamespaceOf(class string) (*Namespace, error) {
	namespaces := w.currentNamespaces()
	if ns := namespaces[class]; ns != nil {
		return ns, nil
	}
	if ns := w.CurrentBindings()[class]; ns != nil {
		return ns, nil
	}
	known := slices.Sorted(maps.Keys(namespaces))
	return nil, &control.Error{
		Code: control.CodeNoClass, Message: fmt.Sprintf("there is no class %q", class),
		Hint: "the classes are " + strings.Join(known, ", "),
	}
}

// Worker returns the worker's name.
func (w *World) Worker() string { return w.name }

// Clock returns the world's clock.
func (w *World) Clock() *clock.Clock { return w.clock }

// Context returns a context that ends with Stop.
func (w *World) Context() context.Context { return w.ctx }

// MaxEntry returns how many bytes a key and its value may have together.
func (w *World) MaxEntry() int { return w.limits.Entry }

// Ask returns the running event of p with this number, and counts an operation of its handler. It
// fails if the event is over.
func (w *World) Ask(p Program, number uint64) (*Event, error) { return w.running.ask(p, number) }

// RunningIn returns the events of p that may ask for operations, in the order in which they began.
func (w *World) RunningIn(p Program) []*Event { return w.running.in(p) }

// CronExpressions returns the expressions of the cron triggers in the order of the layout.
func (w *World) CronExpressions() []string { return w.crons.exprs() }

// FindCron returns the expression of the trigger that expr names, or of the one due first if expr
// is empty. If there is none, the error is a *control.Error.
func (w *World) FindCron(expr string) (string, error) { return w.crons.find(expr) }

// Crons lists the cron triggers with their next times.
func (w *World) Crons() []control.Cron { return w.crons.list() }

// Admin returns the administration of the world's objects.
func (w *World) Admin() Admin { return Admin{w} }

// Go runs f on a goroutine of the world. Close waits for it.
func (w *World) Go(f func()) { w.background.Go(f) }

// Stop ends the world's context: background work ends, and no alarm or cron trigger begins any
// more. It does not wait.
func (w *World) Stop() { w.cancel(ErrEnding) }

// Close stops the world, waits for the goroutines of Go and closes all files. The caller must have
// closed the clock and must deliver no event any more.
func (w *World) Close() error {
	w.Stop()
	w.background.Wait()
	var errs []error
	for _, ns := range w.currentNamespaces() {
		errs = append(errs, ns.close())
	}
	for _, ns := range w.dropped {
		errs = append(errs, ns.close())
	}
	return errors.Join(errs...)
}
