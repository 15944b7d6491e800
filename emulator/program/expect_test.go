package program

import (
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/internal/scripted"
)

// version returns a program that answers with its name, and whose alarms note it.
func version(name string) *script {
	var s *script
	s = scripted.New(handlers{
		"worker": func(*call) (string, error) { return name, nil },
		"alarm":  func(*call) (string, error) { s.Note("alarm"); return "", nil },
	})
	return s
}

// requests sends several requests. The function that it returns waits for the answers.
func (w *testWorld) requests(n int) (answers func() map[string]int) {
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
		end  func(*testWorld)
		want string
	}{
		"until it serves": {func(w *testWorld) {
			w.swapIn(version("new"))
			w.host.ExpectNoMore(nil)
		}, "new"},
		"until it has turned out not to build": {func(w *testWorld) { w.host.ExpectNoMore(nil) }, "old"},
		"until nothing else has changed meanwhile": {func(w *testWorld) {
			w.host.ExpectNoMore(func() bool { return true })
			w.swapIn(version("new"))
			w.host.ExpectNoMore(func() bool { return false })
		}, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, version("old"))
			w.host.Expect()
			answers := w.requests(n)
			test.end(w)
			if got := answers(); got[test.want] != n {
				t.Errorf("got answers %v, want %d of %s", got, n, test.want)
			}
			w.want("a", "/", test.want)
		})
	}
}

func TestRequestsWaitForABuildOnlyUntilALimit(t *testing.T) {
	w := newWorld(t, version("old"))
	w.host.expectLimit = time.Millisecond
	w.host.Expect()
	w.want("a", "/", "old") // there is no ExpectNoMore
}

// The end of the emulator ends the wait.
func TestRequestsThatWaitForAVersionEndWithTheEmulator(t *testing.T) {
	w := newWorld(t, version("old"))
	w.host.Expect()
	answers := w.requests(3)
	w.host.End(0)
	if got := answers(); got["old"] > 0 || len(got) == 0 {
		t.Errorf("got answers %v, want errors", got)
	}
}

func TestAlarmsDoNotWaitForABuild(t *testing.T) {
	s := scripted.New(handlers{
		"/arm":  func(c *call) (string, error) { return "", c.SetAlarm(time.Hour) },
		"alarm": func(c *call) (string, error) { c.Program.Note("alarm"); return "", nil },
	})
	w := newWorld(t, s)
	w.get("a", "/arm")
	w.host.Expect()
	if got := w.moveOn(2 * time.Hour); len(got) != 1 || s.Notes() != "alarm" {
		t.Errorf("fired %q, and the program noted %q", got, s.Notes())
	}
}
