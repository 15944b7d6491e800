package world

import (
	"testing"

	"devtool.internal/clock"
)

// On a fast clock, triggers come due faster than any program runs them.
func TestRunsOfATriggerDoNotPileUpOnAFastClock(t *testing.T) {
	release := make(chan struct{})
	s := newScript(map[string]func(*call) (string, error){
		"scheduled": func(*call) (string, error) { <-release; return "", nil },
	})
	w := &world{t: t, dir: t.TempDir(), date: "2026-10-01"}
	w.tune = func(o *setup) { o.Frozen, o.Crons = false, []string{"* * * * *"} }
	w.start(s)
	t.Cleanup(w.stop)
	if err := w.SetRate(clock.MaxRate); err != nil {
		t.Fatal(err)
	}
	runs := func() int {
		w.World.crons.mu.Lock()
		defer w.World.crons.mu.Unlock()
		return w.World.crons.triggers[0].runs
	}
	skips := func() bool {
		w.World.crons.mu.Lock()
		defer w.World.crons.mu.Unlock()
		return w.World.crons.triggers[0].skipping
	}
	eventually(t, "runs are skipped", skips)
	if got := runs(); got != mostRuns {
		t.Errorf("got %d runs at a time, want %d", got, mostRuns)
	}
	if err := w.Freeze(); err != nil {
		t.Fatal(err)
	}
	close(release)
	eventually(t, "all have ended", func() bool { return runs() == 0 && !skips() })
}
