package program

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/world"
)

// Limits in real time.
const (
	expectLimit  = 10 * time.Second // after that of a build, requests go to the version before
	drainLimit   = 5 * time.Second  // the grace period of events in the old program when a new one serves
	stableAfter  = 10 * time.Second // a program that ran this long did not crash at start
	maxBackoff   = 10 * time.Second
	firstBackoff = 100 * time.Millisecond
	// patience is during how many crashes in a row a request waits. After that it fails at once,
	// until the program runs again.
	patience = 3
)

// A Runner keeps a program running: it starts it, replaces it by a new build, and restarts it after
// a crash. Events from outside (requests, alarms) enter through the runner, and wait while there is
// no program.
type Runner struct {
	Options
	world   *world.World
	outside *http.Transport // for requests that leave this machine
	// binary is the path of a copy of the running program, from which it is restarted.
	binary     string
	drainLimit time.Duration
	// expectLimit is how long requests wait for a version that is being built, in real time.
	expectLimit time.Duration
	stuckAfter  time.Duration
	// pingTimeout is how long an attached program may take to answer before it counts as stopped by
	// a debugger.
	pingTimeout time.Duration
	// BuildWanted holds a token when a program may have to be built although no file has changed:
	// an attached program has ended, or a restart was requested while no program serves.
	BuildWanted chan struct{}

	// mu guards what follows. changed is closed and replaced when any of it changes.
	mu      sync.Mutex
	changed chan struct{}
	current *Program
	// alone is set while SwapAlone has the world for itself: no other program becomes current.
	alone bool
	// retiring are the programs before, oldest first, that still end their events.
	retiring []*Program
	kept     bool  // this runner has written binary, and not one before it
	closed   bool  // new events wait: there is no program, or it is started again
	failing  error // why the program keeps crashing, or why there is no first one; or nil
	ended    bool
	crashes  int // in a row
	// expecting is set while requests wait for a version that is about to be built.
	expecting *time.Timer
}

// Options say how a Runner runs programs.
type Options struct {
	Dir    string       // the project's folder, in which programs run
	Output io.Writer    // receives what they print
	Log    *slog.Logger // receives starts, crashes and what happens to programs
	// AttachedOnly says that nothing is built and only attached programs serve.
	AttachedOnly bool
	// Grace, unless it is nil, replaces drainLimit.
	Grace *time.Duration
	// Private says that the log need not name the program that serves.
	Private bool
	// Restarted is called after the program that served was restarted.
	Restarted func()
}

// Settings are the parts of the configuration that a program needs.
type Settings struct {
	Path     string                      // of the configuration file, for messages
	Welcome  wire.Welcome                // the answer to the program's introduction
	Bindings map[string]*world.Namespace // by the names of the bindings
	Zone     string                      // the zone of the worker, for the servers that it sends requests to
}

// NewRunner returns a runner that keeps a copy of the serving program in the file binary. The
// caller gives it a world by Serve, before any program starts.
func NewRunner(o Options, binary string) *Runner {
	h := &Runner{
		Options: o, outside: outsideTransport(), binary: binary,
		drainLimit: drainLimit, expectLimit: expectLimit, stuckAfter: stuckAfter, pingTimeout: pingTimeout,
		BuildWanted: make(chan struct{}, 1), changed: make(chan struct{}), closed: true,
	}
	if o.Grace != nil {
		h.drainLimit = *o.Grace
	}
	return h
}

func (h *Runner) changedLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Enter returns the program that will handle an event, and counts the event in it. It waits while
// there is no program, how says how long. The error is ctx's cause, world.ErrEnding, or why no
// program can be kept running. The caller calls Leave.
func (h *Runner) Enter(ctx context.Context, how world.Entry) (world.Program, error) {
	var p *Program
	var err error
	if how == world.Newest {
		p, err = h.enterNewest(ctx)
	} else {
		p, err = h.enter(ctx, how == world.Patient)
	}
	if err != nil { // a nil *Program in the interface would not be nil
		return nil, err
	}
	return p, nil
}

// Stay counts another event in p, caused by one that has entered. The caller calls Leave.
func (h *Runner) Stay(p world.Program) {
	h.mu.Lock()
	p.(*Program).inflight++
	h.mu.Unlock()
}

// Leave ends what Enter or Stay began.
func (h *Runner) Leave(p world.Program) { h.leave(p.(*Program)) }

// Running returns what Serving returns, as a world sees it.
func (h *Runner) Running() world.Program {
	if p := h.Serving(); p != nil {
		return p
	}
	return nil
}

// Missing returns why no program serves, or empty if one does or may soon.
func (h *Runner) Missing() string {
	if why := h.Failing(); why != nil {
		return "no handler program serves: " + why.Error()
	}
	if !h.AttachedOnly || h.Serving() != nil {
		return ""
	}
	return "no handler program serves: " + HowToAttach
}

// enter is Enter without waiting for expected versions. A patient event waits as long as it takes;
// others fail when the program can't be kept running. The caller calls leave.
func (h *Runner) enter(ctx context.Context, patient bool) (*Program, error) {
	for {
		h.mu.Lock()
		switch {
		case h.ended:
			h.mu.Unlock()
			return nil, world.ErrEnding
		case !h.closed && !h.current.Lost(): // a lost one is about to be replaced
			p := h.current
			p.inflight++
			h.mu.Unlock()
			return p, nil
		case h.failing != nil && !patient:
			defer h.mu.Unlock()
			return nil, h.failing
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Expect makes requests wait until ExpectNoMore is called or expectLimit has passed.
func (h *Runner) Expect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.expecting == nil && !h.ended {
		h.expecting = time.AfterFunc(h.expectLimit, func() { h.ExpectNoMore(nil) })
	}
}

// ExpectNoMore lets requests enter the version that serves now. It does nothing if unless is not
// nil and returns true.
func (h *Runner) ExpectNoMore(unless func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.expecting != nil && (unless == nil || !unless()) {
		h.expecting.Stop()
		h.expecting = nil
		h.changedLocked()
	}
}

// enterNewest is enter for a request from outside, which the version saved before it must answer.
func (h *Runner) enterNewest(ctx context.Context) (*Program, error) {
	for {
		h.mu.Lock()
		wait, changed := h.expecting != nil && !h.ended, h.changed
		h.mu.Unlock()
		if !wait {
			return h.enter(ctx, false)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Serving returns the program that serves, or nil if there is none.
func (h *Runner) Serving() *Program {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

// Fail notes why no program serves: requests then fail with it, and only alarms wait. A nil why
// means that a build is under way, for which all events wait. Fail does nothing while a program
// serves.
func (h *Runner) Fail(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil && !h.ended {
		h.failing = why
		h.changedLocked()
	}
}

// Failing returns why there is no program, or nil if there is one or may soon be.
func (h *Runner) Failing() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current != nil {
		return nil
	}
	return h.failing
}

// want requests a build, unless a request is pending.
func (h *Runner) want() {
	select {
	case h.BuildWanted <- struct{}{}:
	default:
	}
}

func (h *Runner) leave(p *Program) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.inflight--; p.inflight == 0 {
		h.changedLocked()
	}
}

// LaunchNew starts the program binary, which was just built. When the program has been welcomed, it
// keeps a copy of the binary. The program does not serve before Swap.
func (h *Runner) LaunchNew(ctx context.Context, binary string, c Settings) (*Program, error) {
	p, err := h.launch(ctx, binary, c)
	if err != nil {
		return nil, err
	}
	if err := plugin.Keep(binary, h.binary); err != nil {
		p.End(err)
		return nil, err
	}
	h.mu.Lock()
	h.kept = true
	h.mu.Unlock()
	return p, nil
}

// launch starts a program and waits until it has introduced itself.
func (h *Runner) launch(ctx context.Context, binary string, c Settings) (*Program, error) {
	process, err := plugin.Launch(context.WithoutCancel(ctx), plugin.LaunchOptions{
		Binary:    binary,
		Dir:       h.Dir,
		Env:       programEnv(os.Environ()),
		Stdout:    h.Output,
		Stderr:    h.Output,
		UserStack: wire.UserStack,
		// Beside the copy of the program.
		CrashFile: filepath.Join(filepath.Dir(h.binary), "crash.txt"),
	})
	if err != nil {
		return nil, err
	}
	p, err := h.connect(ctx, process.Conn(), process, c)
	if err != nil {
		process.Stop()
		return nil, err
	}
	return p, nil
}

// programEnv returns the environment of a program. env is the emulator's own.
//
// Go runs the program on one processor. So handlers do not run at the same time, as on the
// platform, unless the program asks for it (runtime.GOMAXPROCS). The program's goroutines and the
// emulator wait for each other all the time: moving each request between processors would cost a
// fifth of the requests a second. The program collects garbage seldom (debug.SetGCPercent), because
// it has little.
func programEnv(env []string) []string {
	env = slices.Clone(env)
	for _, setting := range []string{"GOMAXPROCS=1", "GOGC=400"} {
		name := setting[:strings.Index(setting, "=")+1]
		if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, name) }) {
			env = append(env, setting)
		}
	}
	return env
}

// errReplaced is returned to events still running when a reload's drain limit expires. The words
// are the platform's.
var errReplaced = &wire.Error{
	Message: "Durable Object reset because its code was updated.", Reset: true, Retryable: true,
}

// Swap makes next the current program, at once. The program before ends its events beside it (see
// retire). A new event of an object waits until no event of the program before uses that object.
// Swap reports whether next is the current program now. If not, it has ended next: because the
// runner ends, or an attached program serves and next is a built one.
func (h *Runner) Swap(next *Program) bool {
	h.mu.Lock()
	h.awaitNotAloneLocked()
	old := h.current
	if cause := h.refusalLocked(next); cause != nil {
		h.mu.Unlock()
		next.End(cause)
		return false
	}
	h.current, h.closed, h.failing, h.crashes = next, false, nil, 0
	var oldest *Program
	if old != nil {
		h.retiring = append(h.retiring, old)
		if len(h.retiring) > maxRetiring {
			oldest = h.retiring[0]
		}
	}
	h.changedLocked()
	h.mu.Unlock()
	h.WarnOfCrons(next)
	h.world.Go(func() { h.watch(next, time.Now()) })
	h.world.RunEarly()
	if old != nil {
		h.world.Go(func() { h.retire(old) })
	}
	if oldest != nil {
		h.world.Go(func() { oldest.End(errReplaced) })
	}
	return true
}

// refusalLocked returns with which error next is to be ended instead of becoming current, or nil.
func (h *Runner) refusalLocked(next *Program) error {
	old := h.current
	switch {
	case h.ended:
		return world.ErrEnding
	case old != nil && old.Attached() && !old.Lost() && !next.Attached():
		return errReplaced
	}
	return nil
}

// watch runs p's watchdog for stuck handlers, and restarts p when it crashes.
func (h *Runner) watch(p *Program, started time.Time) {
	h.world.Go(p.watchdog.run)
	<-p.conn.Done()
	ended := p.endedByUs()
	h.mu.Lock()
	if h.current != p || h.ended || ended {
		replaced := h.current != p && !h.ended && !ended
		h.mu.Unlock()
		if replaced && !p.Attached() {
			h.logFailure("the version before: "+p.crash().Message, nil)
		}
		return
	}
	h.closed = true
	if time.Since(started) > stableAfter {
		h.crashes = 0
	}
	h.mu.Unlock()

	crash := p.crash()
	p.End(crash)
	if p.Attached() {
		if p.brokeProtocol() {
			h.logFailure(crash.Message, nil)
		}
		h.detach(p)
		return
	}
	h.logFailure(crash.Message, nil) // without the stack: the program has printed it
	h.restart(p, crash)
}

// restart launches a program in place of old, again and again until one runs. It gives up if a
// reload replaces old first.
func (h *Runner) restart(old *Program, cause error) {
	for {
		h.mu.Lock()
		if h.ended || h.alone || h.current != old {
			h.mu.Unlock()
			return
		}
		h.crashes++
		wait := time.Duration(0)
		if h.crashes > 1 {
			wait = min(firstBackoff<<min(h.crashes-2, 10), maxBackoff)
		}
		if h.crashes > patience {
			h.failing = fmt.Errorf("the handler program keeps crashing and is started again in %s: %w", wait, cause)
			h.changedLocked()
		}
		hopeless, changed := h.crashes > patience, h.changed
		h.mu.Unlock()
		if hopeless {
			h.Log.Warn(fmt.Sprintf("the handler program keeps crashing: it is started again in %s, "+
				"or built again when a file is saved", wait))
		}

		timer := time.NewTimer(wait)
		for waiting := true; waiting; {
			select {
			case <-timer.C:
				waiting = false
			case <-changed:
			}
			h.mu.Lock()
			gone := h.ended || h.alone || h.current != old
			changed = h.changed
			h.mu.Unlock()
			if gone {
				timer.Stop()
				return
			}
		}
		next, err := h.launch(h.world.Context(), h.binary, old.settings)
		if err != nil {
			cause = err
			h.Log.Error("restart handler program", "err", err)
			continue
		}
		h.mu.Lock()
		lost := h.ended || h.alone || h.current != old
		if !lost {
			h.current, h.closed, h.failing = next, false, nil
			h.changedLocked()
		}
		h.mu.Unlock()
		if lost { // a reload has replaced old first
			next.End(errReplaced)
			return
		}
		h.Restarted()
		h.Log.Info("restarted the handler program")
		started := time.Now()
		h.world.Go(func() { h.watch(next, started) })
		return
	}
}

// End ends the program, and lets none serve any more. Running events have the grace period, in real
// time, to end; after it they fail with world.ErrEnding.
func (h *Runner) End(grace time.Duration) {
	h.mu.Lock()
	h.ended = true
	if h.expecting != nil {
		h.expecting.Stop()
	}
	programs := slices.Clone(h.retiring)
	if h.current != nil {
		programs = append(programs, h.current)
	}
	h.changedLocked()
	h.mu.Unlock()
	h.endAll(programs, grace, world.ErrEnding)
}

// logFailure logs a failure, and below it the stack of err if it has one.
func (h *Runner) logFailure(line string, err error) {
	if world.IsCanceled(err) {
		h.Log.Info(line)
		return
	}
	h.Log.Error(line + world.Detail(err))
}

// WarnOfCrons logs a warning if there are cron triggers but p has no Scheduled handler.
func (h *Runner) WarnOfCrons(p *Program) {
	if n := len(h.world.CronExpressions()); n > 0 && p != nil && !p.hello.Scheduled {
		h.Log.Warn(fmt.Sprintf("cron triggers do not run: %s has %d, and the worker has no Scheduled handler",
			p.settings.Path, n))
	}
}

// errAttached refuses to restart an attached program: the emulator has not started it.
var errAttached = &control.Error{
	Code:    control.CodeAttached,
	Message: "cannot restart an attached program",
	Hint:    "start it again where it runs",
}

// Restart replaces the program by a new process of the same build. If no version could be built or
// started, it requests a build instead. Its error is a *control.Error if there is no program yet,
// if the program is attached, or if another one has taken its place meanwhile.
func (h *Runner) Restart() error {
	old := h.Serving()
	switch {
	case old == nil && h.Failing() != nil:
		h.want()
		return nil
	case old == nil:
		return &control.Error{Code: control.CodeNoProgram, Message: "no handler program has been started yet"}
	case old.process == nil:
		return errAttached
	}
	next, err := h.launch(h.world.Context(), h.binary, old.settings)
	if err != nil {
		return fmt.Errorf("start handler program: %w", err)
	}
	if !h.Swap(next) {
		return &control.Error{Code: control.CodeReplaced, Message: "another program has taken its place meanwhile"}
	}
	h.Restarted()
	h.Log.Info("restarted the handler program, as asked")
	return nil
}

// Describe fills in the state, process and failure of the program that serves.
func (h *Runner) Describe(p *control.Program) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.State = control.ProgramServing
	switch {
	case h.failing != nil && h.current == nil: // Failure says why
		p.State = control.ProgramFailing
	case h.failing != nil:
		p.State, p.Crashes = control.ProgramFailing, h.failing.Error()
	case h.closed, h.current == nil, h.current.Lost():
		p.State = control.ProgramStarting
	}
	if h.current != nil && h.current.process != nil && !h.current.Lost() {
		p.PID = h.current.process.PID()
	}
}

// Serve makes the runner run programs for w, whose Programs it is.
func (h *Runner) Serve(w *world.World) { h.world = w }

// Close ends the program at once and closes idle connections to the outside.
func (h *Runner) Close() {
	h.End(0)
	h.outside.CloseIdleConnections()
}
