// Package world is what a Durable Object is: objects, turns, steps, events, alarms, cron triggers,
// idle eviction, faults and administration. It knows no process, no HTTP and no configuration.
//
// A World is made of a clock, of Programs that run the handlers, and of a Layout of classes. An
// event takes this way through it:
//
//  1. Deliver (delivery.go) lets it enter a program and join the step of its cause (step.go): time
//     stands still until the event leaves.
//  2. It waits for its object's turn with a ticket (turn.go). If there is no instance in this
//     program, one is constructed (object.go).
//  3. Its handler runs in the program, and asks for what operations.go offers.
//  4. When the handler has returned, its writes are committed, and only then does the answer leave.
//  5. What came of it is published as a Happening (happening.go).
//
// An alarm (alarm.go, missed.go) and a cron trigger (cron.go) are events that the clock delivers.
// advance.go moves the clock. Admin (admin*.go) looks at objects and changes them from outside,
// without waking them up. Tests run a world with a program in their own process.
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

// WorldOptions say what a world consists of.
type Options struct {
	// Worker is the worker's name, for people.
	Worker string
	// Clock is the world's. Its maker closes it.
	Clock *clock.Clock
	// Programs run the handlers; nil stands for none, ever.
	Programs Programs
	Log      *slog.Logger
	// Happened takes what came of each event, as it ends; it may be nil.
	Happened func(Happening)
	// Limits bound what objects may store; zero means ProductionLimits.
	Limits Limits
	// Seed, unless it is 0, shuffles the waits of retries.
	Seed uint64
	// Missed says what becomes of alarms that are overdue when their class is opened.
	Missed Missed
	Waits  Waits
}

// Waits are how long a world waits in real time, where it cannot know what it waits for. The zero
// value of each means its default.
type Waits struct {
	// Silence is how long a handler with goroutines that still wait asks for nothing before it
	// counts as waiting for the clock with all of them, if its program has run meanwhile.
	Silence time.Duration
	// BlockGrace is how long an advance that gets to the limit of a constructor or block waits for
	// a handler which does not wait for the clock. The clock does not stand still for what the
	// outside has caused: a constructor that takes a few ms must not fail because hours passed.
	BlockGrace time.Duration
	// EarlyAlarm is how long an early alarm keeps the next one waiting.
	EarlyAlarm time.Duration
	// Turn is how long an administration waits for an object's turn.
	Turn time.Duration
	// Aftermath is how long a move of the clock waits for events that a reset has ended.
	Aftermath time.Duration
	// Quiet is how long an administration waits for events that it must not disturb. One is not
	// quite over when its response has arrived.
	Quiet time.Duration
}

func (w Waits) withDefaults() Waits {
	return Waits{
		Silence:    cmp.Or(w.Silence, 10*time.Millisecond),
		BlockGrace: cmp.Or(w.BlockGrace, 250*time.Millisecond),
		EarlyAlarm: cmp.Or(w.EarlyAlarm, 250*time.Millisecond),
		Turn:       cmp.Or(w.Turn, 10*time.Second),
		Aftermath:  cmp.Or(w.Aftermath, time.Second),
		Quiet:      cmp.Or(w.Quiet, 300*time.Millisecond),
	}
}

// A World is the objects of a worker with their state and their clock. It knows nothing of
// processes, HTTP or configuration: programs are what Programs hands out, and Apply says which
// classes there are.
type World struct {
	name     string // the worker's
	log      *slog.Logger
	clock    *clock.Clock
	programs Programs
	happened func(Happening)
	limits   Limits
	seed     uint64
	missed   Missed
	waits    Waits
	// idleLimit is how long an object stays in memory without an event, on the clock.
	idleLimit time.Duration

	running running
	stores  stores
	crons   crontab
	faults  faults
	early   earlyAlarms
	// aftermath is what resets from outside have not ended yet.
	aftermath aftermath

	// advancing is set while somebody moves the clock.
	advancing             atomic.Bool
	deleteAllDeletesAlarm atomic.Bool

	events     atomic.Uint64 // the last event's number
	instances  atomic.Uint64 // the last instance's
	alarmOrder atomic.Int64  // the last alarm's

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

// NewWorld returns a world without classes.
func New(o Options) *World {
	w := &World{
		name:       o.Worker,
		log:        o.Log,
		clock:      o.Clock,
		programs:   o.Programs,
		happened:   o.Happened,
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
	Classes  []Class
	Bindings map[string]string // from the name of a binding to its class
	Crons    []string          // expressions
	// DeleteAllDeletesAlarm says that DeleteAll takes the alarm, too, as it does by date.
	DeleteAllDeletesAlarm bool
	// Drops, unless it is nil, reports whether a class that is open is not wanted any more.
	Drops func(class, uniqueKey string) bool
}

// A Class is one kind of objects.
type Class struct {
	Name string
	// UniqueKey is what the ids are derived from. The class had it when it was created, so that
	// ids outlive a change of names.
	UniqueKey string
	Dir       string // of the objects' files
	KeyValue  bool   // its objects have no SQL, and the limits of key-value storage
}

// Apply makes the world look as l says: it opens the classes that are new, with their alarms. It
// is not to be called twice at once.
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

// openNew opens the classes that are not in namespaces yet, and adds them there and to opened.
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

// currentNamespaces returns the namespaces by class.
func (w *World) currentNamespaces() map[string]*Namespace {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.namespaces
}

// CurrentBindings returns the namespaces by the names of their bindings.
func (w *World) CurrentBindings() map[string]*Namespace {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bindings
}

// NamespaceOf returns the namespace of a class, or of the binding of that name.
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

// Clock returns the world's clock.
func (w *World) Clock() *clock.Clock { return w.clock }

// Context ends when the world does.
func (w *World) Context() context.Context { return w.ctx }

// MaxEntry is how many bytes a key and its value may have together.
func (w *World) MaxEntry() int { return w.limits.Entry }

// Ask returns the event of a program with this number, and counts an operation of its handler.
func (w *World) Ask(p Program, number uint64) (*Event, error) { return w.running.ask(p, number) }

// RunningIn returns the events of a program that may ask for operations, in the order in which they
// began.
func (w *World) RunningIn(p Program) []*Event { return w.running.in(p) }

// CronExpressions returns the cron triggers in the order of the configuration.
func (w *World) CronExpressions() []string { return w.crons.exprs() }

// FindCron returns the trigger that expr means, or the one due first if that is empty.
func (w *World) FindCron(expr string) (string, error) { return w.crons.find(expr) }

// Crons lists the cron triggers with their next times.
func (w *World) Crons() []control.Cron { return w.crons.list() }

// Faults returns the faults that wait. With drop they wait no longer.
func (w *World) Faults(drop bool) control.Faults { return w.faults.list(drop) }

// Admin returns the administration of the world's objects.
func (w *World) Admin() Admin { return Admin{w} }

// Go runs f on a goroutine of the world's, which Close waits for.
func (w *World) Go(f func()) { w.background.Go(f) }

// Stop ends what the world does in the background, and lets nothing begin any more.
func (w *World) Stop() { w.cancel(ErrEnding) }

// Close ends the world: it waits for what still runs and closes all files. No event may come in any
// more, and the clock is closed.
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
