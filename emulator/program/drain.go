package program

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"devtool.internal/emulator/world"
)

// How often drain looks for events that only wait, in real time. The first looks come soon, because
// the object of such an event is not in the new version before.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 50 * time.Millisecond
)

// maxRetiring is how many old versions may end their events at a time. At the next swap the oldest
// of them is stopped.
const maxRetiring = 4

// retire ends p, which another program has replaced: when its events have ended, when the grace
// period is over, or when all that is left only waits. While a debugger stops p, it waits longer.
func (h *Runner) retire(p *Program) {
	defer h.retired(p)
	for said := false; ; said = true {
		n, waiting := h.drain(p, h.drainLimit, errReplaced)
		switch {
		case n == 0:
		case waiting:
			h.logCut(n)
		case p.Spared(h.drainLimit) && !h.hasEnded():
			if !said {
				h.Log.Warn(fmt.Sprintf("a debugger has stopped the version before, in which %s did not end: "+
					"continue it or end it, so that all objects serve the new version", events(n)))
			}
			continue
		default:
			h.Log.Warn(fmt.Sprintf("stopped %s, which did not end within %s of the reload", events(n), h.drainLimit))
		}
		p.End(errReplaced)
		return
	}
}

// logCut says that handlers were ended early.
func (h *Runner) logCut(n int) {
	h.Log.Info(fmt.Sprintf("handlers that only wait were stopped by the reload: %d", n))
}

// events formats a number of events.
func events(n int) string {
	if n == 1 {
		return "1 event"
	}
	return fmt.Sprintf("%d events", n)
}

func (h *Runner) hasEnded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended
}

// retired forgets p, which has ended.
func (h *Runner) retired(p *Program) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.retiring = slices.DeleteFunc(h.retiring, func(other *Program) bool { return other == p })
}

// drain waits until no event runs in p any more, or the grace period has passed, or all events that
// still run only wait. Meanwhile it resets objects of which all events only wait, with cause. It
// returns how many events still run, and whether they only wait.
func (h *Runner) drain(p *Program, grace time.Duration, cause error) (n int, waiting bool) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	every := firstLook
	look := time.NewTimer(0)
	defer look.Stop()
	watch := h.world.Drain(p)
	for {
		h.mu.Lock()
		n, changed := p.inflight, h.changed
		h.mu.Unlock()
		if n == 0 || grace <= 0 {
			return n, false
		}
		select {
		case <-changed:
		case <-p.conn.Done():
			return 0, false // the events fail
		case <-timer.C:
			return n, false
		case <-look.C:
			found := h.lookTwice(p, watch)
			if found.All && found.Entered == n {
				return n, true
			}
			if cut := watch.Cut(found, cause); cut > 0 && cause == errReplaced {
				h.logCut(cut)
			}
			look.Reset(every)
			every = min(2*every, lastLook)
		}
	}
}

// lookTwice returns what watch finds before and after p has answered a ping: what p had asked for
// before has then arrived.
func (h *Runner) lookTwice(p *Program, watch *world.Drain) world.Waiting {
	found := watch.Look(time.Now())
	if !found.Any() || !p.Responds() {
		return world.Waiting{}
	}
	return watch.Look(time.Now())
}

// endAll drains the programs, all at the same time, and ends them with cause.
func (h *Runner) endAll(programs []*Program, grace time.Duration, cause error) {
	var wg sync.WaitGroup
	for _, p := range programs {
		wg.Go(func() {
			h.drain(p, grace, cause)
			p.End(cause)
		})
	}
	wg.Wait()
}
