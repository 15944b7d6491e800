package emulator

import (
	"sync"
	"testing"
	"time"
)

// version is a program that answers with its name, and whose alarms note it.
func version(name string) *script {
	var s *script
	s = newScript(map[string]func(*call) (string, error){
		"worker": func(*call) (string, error) { return name, nil },
		"alarm":  func(*call) (string, error) { s.note("alarm"); return "", nil },
	})
	return s
}

// requests sends some and returns what answered them, when all have been.
func (w *world) requests(n int) (answers func() map[string]int) {
	var mu sync.Mutex
	var sending sync.WaitGroup
	got := make(map[string]int)
	for range n {
		sending.Go(func() {
			_, body := w.get("a", "/")
			mu.Lock()
			defer mu.Unlock()
			got[body]++
		})
	}
	return func() map[string]int {
		sending.Wait()
		return got
	}
}

func TestRequestsWaitForTheVersionThatIsBeingBuilt(t *testing.T) {
	const n = 20
	for name, test := range map[string]struct {
		end  func(*world)
		want string
	}{
		"until it serves": {func(w *world) {
			w.swapIn(version("new"))
			w.host.expectNoMore(nil)
		}, "new"},
		"until it has turned out not to build": {func(w *world) { w.host.expectNoMore(nil) }, "old"},
		"until nothing else has changed meanwhile": {func(w *world) {
			w.host.expectNoMore(func() bool { return true })
			w.swapIn(version("new"))
			w.host.expectNoMore(func() bool { return false })
		}, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, version("old"))
			w.host.expect()
			answers := w.requests(n)
			test.end(w)
			if got := answers(); got[test.want] != n {
				t.Errorf("got answers %v, want %d of %s", got, n, test.want)
			}
			w.want("a", "/", test.want)
		})
	}
}

func TestRequestsDoNotWaitForABuildWithoutEnd(t *testing.T) {
	w := newWorld(t, version("old"))
	w.host.expectLimit = time.Millisecond
	w.host.expect()
	w.want("a", "/", "old") // there is no expectNoMore
}

// The end of the emulator goes before.
func TestRequestsThatWaitForAVersionEndWithTheEmulator(t *testing.T) {
	w := newWorld(t, version("old"))
	w.host.expect()
	answers := w.requests(3)
	w.host.end(0)
	if got := answers(); got["old"] > 0 || len(got) == 0 {
		t.Errorf("got answers %v, want errors", got)
	}
}

func TestAlarmsDoNotWaitForABuild(t *testing.T) {
	s := newScript(map[string]func(*call) (string, error){
		"/arm":  func(c *call) (string, error) { return "", c.setAlarm(time.Hour) },
		"alarm": func(c *call) (string, error) { c.s.note("alarm"); return "", nil },
	})
	w := newWorld(t, s)
	w.get("a", "/arm")
	w.host.expect()
	if got := w.moveOn(2 * time.Hour); len(got) != 1 || s.notes() != "alarm" {
		t.Errorf("fired %q, and the program noted %q", got, s.notes())
	}
}
