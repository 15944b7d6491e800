package program

import (
	"fmt"
	"slices"
	"time"

	"devtool.internal/emulator/world"
)

// SwapAlone is Swap with a change of the world that no event may see, such as a migration. New
// events wait while those in all programs before end, within the grace period. Then SwapAlone calls
// change. If change fails, the program before goes on, and SwapAlone ends next and returns the
// error.
func (h *Runner) SwapAlone(next *Program, change func() error) (swapped bool, err error) {
	h.mu.Lock()
	h.awaitNotAloneLocked()
	old := h.current
	if cause := h.refusalLocked(next); cause != nil {
		h.mu.Unlock()
		next.End(cause)
		return false, nil
	}
	h.alone, h.closed = true, true
	before := slices.Clone(h.retiring)
	h.mu.Unlock()

	h.endAll(before, h.drainLimit, errReplaced)
	if old != nil {
		if n, _ := h.drain(old, h.drainLimit, errReplaced); n > 0 {
			h.Log.Warn(fmt.Sprintf("stopped %s, so that the migration has the objects for itself", events(n)))
			old.End(errReplaced)
		}
		before = append(before, old)
	}
	if err = h.awaitNone(before); err == nil {
		err = change()
	}
	if err != nil {
		h.goOn(old, err)
		next.End(err)
		return false, err
	}
	h.mu.Lock()
	h.alone = false
	h.changedLocked()
	h.mu.Unlock()
	return h.Swap(next), nil
}

// awaitNotAloneLocked waits while a SwapAlone is under way. h.mu is free meanwhile.
func (h *Runner) awaitNotAloneLocked() {
	for h.alone {
		changed := h.changed
		h.mu.Unlock()
		<-changed
		h.mu.Lock()
	}
}

// endLimit is how long the events of a program that was ended may take to end, in real time.
const endLimit = 5 * time.Second

// awaitNone waits until the events of programs that were drained or ended are over.
func (h *Runner) awaitNone(programs []*Program) error {
	timer := time.NewTimer(endLimit)
	defer timer.Stop()
	for {
		h.mu.Lock()
		n, changed := 0, h.changed
		for _, p := range programs {
			n += p.inflight
		}
		h.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-h.world.Context().Done():
			return world.ErrEnding
		case <-timer.C:
			return fmt.Errorf("the version before still has %s, %s after it was ended", events(n), endLimit)
		}
	}
}

// goOn lets events enter old again after a SwapAlone that has failed. If old has ended meanwhile,
// it is started again.
func (h *Runner) goOn(old *Program, cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alone = false
	h.changedLocked()
	switch {
	case old == nil || h.ended:
	case old.Lost() || old.endedByUs():
		h.world.Go(func() { h.restart(old, cause) })
	default:
		h.closed = false
	}
}
