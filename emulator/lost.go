package emulator

import (
	"context"
	"sync"
	"time"

	"devtool.internal/emulator/state"
	"devtool.internal/internal/safefile"
)

// The folders that the emulator uses may be deleted, moved or replaced under it: by `rm -rf`, a
// renamed project, a restored backup. What handlers store then would go to files that no path leads
// to. So the emulator looks at them twice a second, and ends if one is gone. It neither makes a
// folder again at the old path nor looks for it elsewhere: both could mix two states.

// lookInterval is how often, in real time, the emulator looks at its folders.
const lookInterval = 500 * time.Millisecond

// A placeGuard looks at the emulator's folders.
type placeGuard struct {
	e       *Emulator
	project *safefile.Place // or nil

	clockLost bool // the clock's file is gone, and could not be written; only run reads it

	mu   sync.Mutex
	lost error
}

// newPlaceGuard returns a guard of an emulator, or nil if nobody else knows its folders.
func (e *Emulator) newPlaceGuard() *placeGuard {
	if e.options.Temporary {
		return nil
	}
	g := &placeGuard{e: e}
	// A project that can't be opened can't be watched. Its state has a lock that can.
	g.project, _ = safefile.Hold(e.project)
	return g
}

// run looks until ctx ends or something is lost. Then it calls end.
func (g *placeGuard) run(ctx context.Context, end func()) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		if g.look() != nil {
			end()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look looks once. If something is lost, no commit succeeds any more, the log says what happened,
// and look returns it as a *state.LostError.
func (g *placeGuard) look() error {
	err := g.e.state.Check()
	if err == nil && g.project != nil {
		err = state.Lost("the project's folder "+g.e.project, g.project.Check())
	}
	if err == nil {
		var what string
		what, err = g.e.world.CheckFiles()
		err = state.Lost(what, err)
	}
	if err == nil {
		g.restoreClock()
		return nil
	}
	g.e.world.Lose(err)
	g.mu.Lock()
	first := g.lost == nil
	g.lost = err
	g.mu.Unlock()
	if first {
		g.e.log.Error(err.Error())
	}
	return err
}

// outcome returns what was lost, or else err. It gives the folders up.
func (g *placeGuard) outcome(err error) error {
	if g.project != nil {
		g.project.Close() //nolint:errcheck // nothing was written
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lost != nil {
		return g.lost
	}
	return err
}

// restoreClock writes the file of the clock again if it is gone. Nothing is lost by that, so the
// emulator goes on.
func (g *placeGuard) restoreClock() {
	if g.e.clockFile == nil {
		return
	}
	restored, err := g.e.clockFile.Restore()
	if restored {
		g.e.log.Warn("clock.json was deleted, moved or replaced while `devtool dev` used it, and is written again")
	}
	if err != nil && !g.clockLost {
		g.e.log.Error("the clock's file is gone and can't be written again: a restart may show an earlier time",
			"err", err)
	}
	g.clockLost = err != nil
}
