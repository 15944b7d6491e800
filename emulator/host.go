package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"devtool/durable/wire"
	"devtool/emulator/plugin"
)

// How long things may take, in real time.
const (
	drainLimit   = 5 * time.Second  // what runs in the old program has this long when a new one is ready
	stableAfter  = 10 * time.Second // a program that lived this long did not crash at start
	maxBackoff   = 10 * time.Second
	firstBackoff = 100 * time.Millisecond
	// patience is how many crashes in a row a request waits for. After that it
	// fails at once, until the program is up again.
	patience = 3
)

// A host keeps a program running: it starts it, replaces it by a new build, and starts it
// again when it has crashed. Events from outside (requests, alarms) enter through it,
// and wait while there is no program to take them.
type host struct {
	e *Emulator
	// binary is a copy of the program that runs, to start it again from.
	binary     string
	drainLimit time.Duration
	stuckAfter time.Duration

	// mu guards what follows. changed is closed and made anew when any of it changes.
	mu      sync.Mutex
	changed chan struct{}
	current *program
	closed  bool  // new events wait: a swap or a restart is under way
	failing error // why starting fails again and again, or nil
	ended   bool
	crashes int // in a row
}

func newHost(e *Emulator, binary string) *host {
	return &host{e: e, binary: binary, drainLimit: drainLimit, stuckAfter: stuckAfter, changed: make(chan struct{}), closed: true}
}

func (h *host) changedLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

var errEnding = errors.New("the emulator is shutting down")

// enter returns the program that is to handle an event, when there is one. The caller
// calls leave. A patient event waits as long as it takes; others fail when the program
// can't be kept running.
func (h *host) enter(ctx context.Context, patient bool) (*program, error) {
	for {
		h.mu.Lock()
		switch {
		case h.ended:
			h.mu.Unlock()
			return nil, errEnding
		case !h.closed && !h.current.lost(): // one that has just crashed is about to be replaced
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

// running returns the program that is being served, or nil if there is none.
func (h *host) running() *program {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

// stay counts another event in p, which an event that has entered has caused. The caller
// calls leave.
func (h *host) stay(p *program) {
	h.mu.Lock()
	p.inflight++
	h.mu.Unlock()
}

func (h *host) leave(p *program) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.inflight--; p.inflight == 0 {
		h.changedLocked()
	}
}

// launchNew starts a program that was just built, and keeps a copy if it introduces
// itself well.
func (h *host) launchNew(ctx context.Context, binary string, c settings) (*program, error) {
	p, err := h.launch(ctx, binary, c)
	if err != nil {
		return nil, err
	}
	if err := plugin.Keep(binary, h.binary); err != nil {
		p.end(err)
		return nil, err
	}
	return p, nil
}

// launch starts a program and waits until it has introduced itself.
func (h *host) launch(ctx context.Context, binary string, c settings) (*program, error) {
	e := h.e
	process, err := plugin.Launch(context.WithoutCancel(ctx), plugin.LaunchOptions{
		Binary: binary,
		Dir:    e.project,
		Env:    programEnv(os.Environ()),
		Stdout: e.output,
		Stderr: e.output,
	})
	if err != nil {
		return nil, err
	}
	p, err := e.connect(ctx, process.Conn(), process, c)
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

// swap makes next the current program. New events wait until those that are running
// in the old program have ended, or drainLimit has passed.
func (h *host) swap(next *program) {
	h.mu.Lock()
	old := h.current
	h.closed = true
	h.mu.Unlock()

	if old != nil {
		if n := h.drain(old, h.drainLimit); n > 0 {
			h.e.log.Warn(fmt.Sprintf("%d events did not end within %s of the reload and were stopped", n, h.drainLimit))
			old.end(errReplaced)
		}
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
		next.end(errEnding)
		return
	}
	h.e.warnOfCrons(next)
	h.e.background.Go(func() { h.watch(next, time.Now()) })
	h.e.runEarly()
	if old != nil {
		h.e.background.Go(func() { old.end(errReplaced) })
	}
}

// drain waits until no event runs in p any more, or limit has passed, and returns how many
// still do.
func (h *host) drain(p *program, limit time.Duration) int {
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
func (h *host) watch(p *program, started time.Time) {
	h.e.background.Go(p.lookout.run)
	<-p.conn.Done()
	h.mu.Lock()
	if h.current != p || h.ended {
		h.mu.Unlock()
		return
	}
	h.closed = true
	if time.Since(started) > stableAfter {
		h.crashes = 0
	}
	h.mu.Unlock()

	crash := p.crash()
	p.end(crash)
	h.e.logFailure(crash.Message, nil) // its output has been seen
	h.restart(crash)
}

// restart launches the program until it runs or is replaced.
func (h *host) restart(cause error) {
	for {
		h.mu.Lock()
		h.crashes++
		wait := time.Duration(0)
		if h.crashes > 1 {
			wait = min(firstBackoff<<min(h.crashes-2, 10), maxBackoff)
		}
		if h.crashes > patience {
			h.failing = fmt.Errorf("the handler program keeps crashing and is started again in %s: %w", wait, cause)
			h.changedLocked()
		}
		old, changed := h.current, h.changed
		h.mu.Unlock()

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
		next, err := h.launch(h.e.ctx, h.binary, old.settings)
		if err != nil {
			cause = err
			h.e.log.Error("restart handler program", "err", err)
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
			next.end(errReplaced)
			return
		}
		h.e.log.Info("restarted the handler program")
		started := time.Now()
		h.e.background.Go(func() { h.watch(next, started) })
		return
	}
}

// end stops the program. What it handles has a moment to come to its end.
func (h *host) end(grace time.Duration) {
	h.mu.Lock()
	h.ended = true
	p := h.current
	h.changedLocked()
	h.mu.Unlock()
	if p == nil {
		return
	}
	h.drain(p, grace)
	p.end(errEnding)
}
