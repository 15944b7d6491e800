package program

import (
	"fmt"
	"time"

	"devtool.internal/emulator/world"
)

// strandedAfter is how long, in real time, events must have made no progress to count as stranded.
const strandedAfter = 250 * time.Millisecond

// drainForSwap waits until the events in p have ended, and ends p after drainLimit, or earlier if
// nothing could end them. While a debugger stops p, it waits longer.
func (h *Runner) drainForSwap(p *Program) {
	for said := false; ; said = true {
		n, stranded := h.drain(p, h.drainLimit)
		if n == 0 {
			return
		}
		if stranded {
			h.Log.Info(fmt.Sprintf("handlers that only wait were stopped by the reload: %d", n))
			p.End(errReplaced)
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
			h.Log.Warn(fmt.Sprintf("%d events run in a program that a debugger has stopped: "+
				"continue it or end it to serve the new version", n))
		}
	}
}

// drain waits until no event runs in p any more, or limit has passed, or all that still run are
// stranded. It returns how many still run, and whether they are stranded.
func (h *Runner) drain(p *Program, limit time.Duration) (n int, stranded bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	look := time.NewTicker(strandedAfter)
	defer look.Stop()
	var before world.Stranded
	for {
		h.mu.Lock()
		n, changed := p.inflight, h.changed
		h.mu.Unlock()
		if n == 0 {
			return 0, false
		}
		select {
		case <-changed:
		case <-p.conn.Done():
			return 0, false // the events fail
		case <-timer.C:
			return n, false
		case <-look.C:
			now := h.world.Stranded(p, limit)
			if now.Entered == n && now.Same(before) && p.Responds() {
				return n, true
			}
			before = now
		}
	}
}
