package program

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/world"
)

// How long things may take, in real time.
const (
	expectLimit  = 10 * time.Second // a build that takes longer does not keep requests from the version before
	drainLimit   = 5 * time.Second  // what runs in the old program has this long when a new one is ready
	stableAfter  = 10 * time.Second // a program that lived this long did not crash at start
	maxBackoff   = 10 * time.Second
	firstBackoff = 100 * time.Millisecond
	// patience is how many crashes in a row a request waits for. After that it
	// fails at once, until the program is up again.
	patience = 3
)

// A Runner keeps a program running: it starts it, replaces it by a new build, and starts it
// again when it has crashed. Events from outside (requests, alarms) enter through it,
// and wait while there is no program to take them.
type Runner struct {
	Options
	world   *world.World
	outside *http.Transport // for requests that leave this machine
	// binary is a copy of the program that runs, to start it again from.
	binary     string
	drainLimit time.Duration
	// expectLimit is how long, in real time, requests wait for a version that is being built.
	expectLimit time.Duration
	stuckAfter  time.Duration
	// pingTimeout is how long an attached program may take to answer before it counts as
	// standing in a debugger.
	pingTimeout time.Duration
	// BuildWanted holds a token when a program may have to be built although no file has changed: one that was started by
	// hand has ended, or somebody has asked for one while none serves.
	BuildWanted chan struct{}

	// swapping is held while the program is exchanged, before mu.
	swapping sync.Mutex

	// mu guards what follows. changed is closed and replaced when any of it changes.
	mu      sync.Mutex
	changed chan struct{}
	current *Program
	kept    bool  // binary is of this emulator, and not of one before
	closed  bool  // new events wait: a swap or a restart is under way
	failing error // why starting fails again and again, or why there is no first program; or nil
	ended   bool
	crashes int // in a row
	// expecting is there while requests wait for a version that is about to be built.
	expecting *time.Timer
}

// Options say how programs are run.
type Options struct {
	Dir    string    // that programs run in: the project's
	Output io.Writer // takes what they print
	Log    *slog.Logger
	// AttachedOnly says that nothing is built, and only programs that somebody else starts serve.
	AttachedOnly bool
	// Private says that the user of the runner knows which program serves, so the log need not say.
	Private bool
	// Restarted is called when the program that served was started once more.
	Restarted func()
}

// Settings are what a program needs of the configuration.
type Settings struct {
	Path     string // of the configuration file
	Welcome  wire.Welcome
	Bindings map[string]*world.Namespace
}

// NewRunner returns a runner that keeps a copy of the program that serves in the file binary. Serve
// gives it a world.
func NewRunner(o Options, binary string) *Runner {
	return &Runner{
		Options: o, outside: outsideTransport(), binary: binary,
		drainLimit: drainLimit, expectLimit: expectLimit, stuckAfter: stuckAfter, pingTimeout: pingTimeout,
		BuildWanted: make(chan struct{}, 1), changed: make(chan struct{}), closed: true,
	}
}

func (h *Runner) changedLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Enter returns the program that is to handle an event, when there is one.
func (h *Runner) Enter(ctx context.Context, how world.Entry) (world.Program, error) {
	var p *Program
	var err error
	if how == world.Newest {
		p, err = h.enterNewest(ctx)
	} else {
		p, err = h.enter(ctx, how == world.Patient)
	}
	if err != nil { // not a nil *program
		return nil, err
	}
	return p, nil
}

// Stay counts another event in p, which an event that has entered has caused. The caller calls
// Leave.
func (h *Runner) Stay(p world.Program) {
	h.mu.Lock()
	p.(*Program).inflight++
	h.mu.Unlock()
}

// Leave ends what Enter or Stay began.
func (h *Runner) Leave(p world.Program) { h.leave(p.(*Program)) }

// Running returns the program that is being served, or nil if there is none.
func (h *Runner) Running() world.Program {
	if p := h.Serving(); p != nil {
		return p
	}
	return nil
}

// Missing says why no program serves where an event would wait for one, or nothing.
func (h *Runner) Missing() string {
	if why := h.Failing(); why != nil {
		return "no handler program serves: " + why.Error()
	}
	if !h.AttachedOnly || h.Serving() != nil {
		return ""
	}
	return "no handler program serves: " + HowToAttach
}

// enter returns the program that is to handle an event, when there is one. The caller
// calls leave. A patient event waits as long as it takes; others fail when the program
// can't be kept running.
func (h *Runner) enter(ctx context.Context, patient bool) (*Program, error) {
	for {
		h.mu.Lock()
		switch {
		case h.ended:
			h.mu.Unlock()
			return nil, world.ErrEnding
		case !h.closed && !h.current.Lost(): // one that has just crashed is about to be replaced
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

// Expect has requests wait until expectNoMore is called, or the limit has passed.
func (h *Runner) Expect() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.expecting == nil && !h.ended {
		h.expecting = time.AfterFunc(h.expectLimit, func() { h.ExpectNoMore(nil) })
	}
}

// ExpectNoMore lets requests go on to the version that now serves, unless there is reason not to.
func (h *Runner) ExpectNoMore(unless func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.expecting != nil && (unless == nil || !unless()) {
		h.expecting.Stop()
		h.expecting = nil
		h.changedLocked()
	}
}

// enterNewest is enter for a request from outside: what was saved before it came is to answer it.
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

// Serving returns the program that is being served, or nil if there is none.
func (h *Runner) Serving() *Program {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

// Fail notes why no program serves, so that requests fail with it and nothing but alarms waits. Nil says that a build is
// under way, which everything waits for. It does nothing when there is a program.
func (h *Runner) Fail(why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil && !h.ended {
		h.failing = why
		h.changedLocked()
	}
}

// Failing returns why there is no program, or nil if there is or may soon be one.
func (h *Runner) Failing() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current != nil {
		return nil
	}
	return h.failing
}

// want asks for a build, unless that was done already.
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

// LaunchNew starts a program that was just built, and keeps a copy if it introduces
// itself well.
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
		Binary: binary,
		Dir:    h.Dir,
		Env:    programEnv(os.Environ()),
		Stdout: h.Output,
		Stderr: h.Output,
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

// programEnv returns the environment of a program, where ours is env.
//
// Go runs it on one processor: as on the platform handlers don't run at the same time, unless the
// program asks for it (runtime.GOMAXPROCS). Its goroutines and the emulator wait for each other all
// the time, and to hand each request from one processor to another would cost a fifth of the
// requests a second. It collects its garbage seldom (debug.SetGCPercent), for there is little else.
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

// errReplaced is what events fail with that a new version of the program did not wait for.
// The words are the platform's.
var errReplaced = &wire.Error{Message: "Durable Object reset because its code was updated.", Reset: true, Retryable: true}

// Swap makes next the current program. New events wait until the ones that run
// in the old program have ended, or drainLimit has passed. It reports whether next is the
// current program now: a built one is not while an attached one serves.
func (h *Runner) Swap(next *Program) bool {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	h.mu.Lock()
	old := h.current
	if old != nil && old.Attached() && !old.Lost() && !next.Attached() {
		h.mu.Unlock()
		next.End(errReplaced)
		return false
	}
	h.closed = true
	h.mu.Unlock()

	if old != nil {
		h.drainForSwap(old)
	}

	h.mu.Lock()
	ended := h.ended
	old = h.current // a restart may have been faster
	if !ended {
		h.current, h.closed, h.failing, h.crashes = next, false, nil, 0
		h.changedLocked()
	}
	h.mu.Unlock()
	if ended {
		next.End(world.ErrEnding)
		return false
	}
	h.WarnOfCrons(next)
	h.world.Go(func() { h.watch(next, time.Now()) })
	h.world.RunEarly()
	if old != nil {
		h.world.Go(func() { old.End(errReplaced) })
	}
	return true
}

// drainForSwap lets what runs in p end, or ends p. While p stands in a debugger it is waited for.
func (h *Runner) drainForSwap(p *Program) {
	for said := false; ; said = true {
		n := h.drain(p, h.drainLimit)
		if n == 0 {
			return
		}
		h.mu.Lock()
		ended := h.ended
		h.mu.Unlock()
		if ended || !p.Spared(h.drainLimit) {
			h.Log.Warn(fmt.Sprintf("%d events did not end within %s of the reload and were stopped", n, h.drainLimit))
			p.End(errReplaced)
			return
		}
		if !said {
			h.Log.Warn(fmt.Sprintf("%d events run in a program that stands in a debugger: they are waited for, let it go on or end it", n))
		}
	}
}

// drain waits until no event runs in p any more, or limit has passed, and returns how many
// still do.
func (h *Runner) drain(p *Program, limit time.Duration) int {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		h.mu.Lock()
		n, changed := p.inflight, h.changed
		h.mu.Unlock()
		if n == 0 {
			return 0
		}
		select {
		case <-changed:
		case <-p.conn.Done():
			return 0 // they fail
		case <-timer.C:
			return n
		}
	}
}

// watch looks out for handlers of p that are stuck, and restarts p when it crashes.
func (h *Runner) watch(p *Program, started time.Time) {
	h.world.Go(p.lookout.run)
	<-p.conn.Done()
	ended := p.endedByUs() // by a swap, maybe, which has not made the next one current yet
	h.mu.Lock()
	if h.current != p || h.ended || ended {
		h.mu.Unlock()
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
		h.detach(p)
		return
	}
	h.logFailure(crash.Message, nil) // its output has been seen
	h.restart(p, crash)
}

// restart launches a program in place of old until it runs, or a reload was faster.
func (h *Runner) restart(old *Program, cause error) {
	for {
		h.mu.Lock()
		if h.ended || h.current != old {
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
			h.Log.Warn(fmt.Sprintf("the handler program keeps crashing: it is started again in %s, or built anew when a file is saved", wait))
		}

		timer := time.NewTimer(wait)
		for waiting := true; waiting; {
			select {
			case <-timer.C:
				waiting = false
			case <-changed:
			}
			h.mu.Lock()
			gone := h.ended || h.current != old
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
		lost := h.ended || h.current != old
		if !lost {
			h.current, h.closed, h.failing = next, false, nil
			h.changedLocked()
		}
		h.mu.Unlock()
		if lost { // a reload was faster
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

// End stops the program. What it handles has a moment to come to its end.
func (h *Runner) End(grace time.Duration) {
	h.mu.Lock()
	h.ended = true
	if h.expecting != nil {
		h.expecting.Stop()
	}
	p := h.current
	h.changedLocked()
	h.mu.Unlock()
	if p == nil {
		return
	}
	h.drain(p, grace)
	p.End(world.ErrEnding)
}

// logFailure logs what went wrong, and below it the stack if there is one.
func (h *Runner) logFailure(line string, err error) {
	if world.IsCanceled(err) {
		h.Log.Info(line)
		return
	}
	h.Log.Error(line + world.Detail(err))
}

// WarnOfCrons says so when the program has nothing to do with the cron triggers that there are.
func (h *Runner) WarnOfCrons(p *Program) {
	if n := len(h.world.CronExpressions()); n > 0 && p != nil && !p.hello.Scheduled {
		h.Log.Warn(fmt.Sprintf("cron triggers do not run: %s has %d, and the worker has no Scheduled handler", p.settings.Path, n))
	}
}

// errByHand is for a program that was not started by the emulator, so that it can't start it again.
var errByHand = &control.Error{
	Code:    control.CodeAttached,
	Message: "the handler program was started by hand",
	Hint:    "start it again where it runs",
}

// Restart replaces the program by a new process of the same build. If there is none, because it could not be built or did not
// start, that is tried again.
func (h *Runner) Restart() error {
	old := h.Serving()
	switch {
	case old == nil && h.Failing() != nil:
		h.want()
		return nil
	case old == nil:
		return &control.Error{Code: control.CodeNoProgram, Message: "no handler program has been started yet"}
	case old.process == nil:
		return errByHand
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

// Describe fills in how the program is getting on.
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

// Serve makes the host run programs for a world, which knows it as its Programs.
func (h *Runner) Serve(w *world.World) { h.world = w }

// Close gives back what is left when all programs have ended.
func (h *Runner) Close() {
	h.End(0)
	h.outside.CloseIdleConnections()
}
