package program

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/emulator/internal/scripted"
)

func TestTheCauseOfACrashIsFoundInTheOutput(t *testing.T) {
	const traced = "panic: oh no\n\ngoroutine 7 [running]:\nmain.f()\n\tmain.go:3 +0x1\n"
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprint("line ", i)
	}
	for _, tt := range []struct{ name, output, how, cause, shown string }{
		{name: "nothing", how: "signal: terminated"},
		{
			name:   "a panic after other output",
			output: "hello\n" + traced,
			how:    "exit status 2",
			cause:  "panic: oh no",
			shown:  strings.TrimRight(traced, "\n"),
		},
		{
			name:   "a line that looks like one before it",
			output: "panic: in a text\nhello\n" + traced,
			how:    "exit status 2",
			cause:  "panic: oh no",
			shown:  strings.TrimRight(traced, "\n"),
		},
		{
			name:   "a panic in a panic",
			output: "panic: one\n\tpanic: two\n",
			how:    "exit status 2",
			cause:  "panic: one",
			shown:  "panic: one\n\tpanic: two",
		},
		{
			name:   "a fatal error",
			output: "fatal error: stack overflow\n",
			how:    "exit status 2",
			cause:  "fatal error: stack overflow",
			shown:  "fatal error: stack overflow",
		},
		{
			name:   "an exit",
			output: "no such file\n",
			how:    "exit status 1",
			cause:  "has it called os.Exit or log.Fatal?",
			shown:  "no such file",
		},
		{
			name:   "a kill",
			output: "busy\n",
			how:    "signal: killed",
			cause:  "was the system out of memory?",
			shown:  "busy",
		},
		{
			name:   "much output",
			output: strings.Join(many, "\n") + "\n",
			how:    "exit status 1",
			cause:  "has it called os.Exit or log.Fatal?",
			shown:  strings.Join(many[10:], "\n"),
		},
	} {
		cause, shown := crashCause(tt.output, tt.how)
		if cause != tt.cause || shown != tt.shown {
			t.Errorf("%s: got %q and %q, want %q and %q", tt.name, cause, shown, tt.cause, tt.shown)
		}
	}
}

func TestTheEventIsFoundInTheGoroutineThatCrashed(t *testing.T) {
	const guarded = "devtool.internal/durable.mark.guard({0xc0001, 0x1f, 0x2}, 0xc0002)\n\tstack.go:30 +0x1\n"
	for _, tt := range []struct {
		stack string
		want  uint64
	}{
		{"", 0},
		{"fatal error: concurrent map writes\n\ngoroutine 7 [running]:\nmain.f()\n\tmain.go:3\n" + guarded, 31},
		{"panic: x\n\ngoroutine 7 [running]:\nmain.f()\n\tmain.go:3\n\ngoroutine 8 [select]:\n" + guarded, 0},
		{"panic: x\n\ngoroutine 7 [running]:\ndurable.mark.guard({0x1, 0xfffffffffffffffffff, 0x1})\n", 0},
	} {
		if got := eventOf(tt.stack); got != tt.want {
			t.Errorf("%q: got event %d, want %d", tt.stack, got, tt.want)
		}
	}
}

func FuzzLastWords(f *testing.F) {
	f.Add("panic: \n\ngoroutine ", "exit status 2")
	f.Add("\ngoroutine 1\n\n", "")
	f.Fuzz(func(t *testing.T, output, how string) {
		_, shown := crashCause(output, how)
		if !strings.Contains(output, shown) {
			t.Errorf("%q is not from %q", shown, output)
		}
		if !strings.HasPrefix(shown, FirstGoroutine(shown)) {
			t.Errorf("the first goroutine is not the beginning of %q", shown)
		}
		eventOf(shown)
	})
}

// The error names the events that were running when the program was lost. It does not name events
// that were only waiting for the clock or for another event.
func TestACrashNamesTheEventsThatWereRunning(t *testing.T) {
	for _, tt := range []struct {
		requests []string // "object path"
		want     string
	}{
		{[]string{"a /call"}, "while Lab/b GET /hang was running"},
		{[]string{"a /putsleep"}, "while worker w GET /putsleep and Lab/a GET /putsleep were waiting"},
		{[]string{"a /putsleep", "b /hang"}, "while Lab/b GET /hang was running"},
		{[]string{"a /hang", "b /hang", "c /hang", "d /hang", "e /hang"}, " and 2 more were running"},
	} {
		s := scripted.Memory()
		var hanging atomic.Int32
		s.Handlers["/hang"] = func(c *call) (string, error) { hanging.Add(1); <-c.Context.Done(); return "", nil }
		s.Handlers["/call"] = func(c *call) (string, error) { return c.Fetch("b", "/hang") }
		w := newWorld(t, s)
		var wg sync.WaitGroup
		sleepers := 0
		for _, request := range tt.requests {
			name, path, _ := strings.Cut(request, " ")
			if path == "/putsleep" {
				sleepers++
			}
			wg.Go(func() {
				status, body := w.get(name, path)
				if status != http.StatusInternalServerError || !strings.Contains(body, tt.want) {
					t.Errorf("%s: got %d %q, want it to end with %q", request, status, body, tt.want)
				}
			})
		}
		eventually(t, "all are under way", func() bool {
			running, waiting := w.host.Serving().underWay()
			asleep := 0
			for _, ev := range waiting {
				if ev.Object() != nil && strings.HasSuffix(ev.Title(), "/putsleep") {
					asleep++
				}
			}
			n := len(tt.requests) - sleepers
			return asleep == sleepers && len(running) == n && hanging.Load() == int32(n)
		})
		w.crash(scripted.Memory())
		wg.Wait()
	}
}

// A reload that stops a program is no crash: nothing may replace the program's successor.
func TestAProgramThatIsStoppedByAReloadIsNotStartedAgain(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/hang"] = func(c *call) (string, error) { <-c.Context.Done(); return "", nil }
	w := newWorld(t, s)
	w.host.drainLimit = time.Millisecond
	var wg sync.WaitGroup
	wg.Go(func() { w.wantReplaced("a", "/hang") })
	old := w.host.Serving()
	eventually(t, "the handler runs", func() bool {
		running, _ := old.underWay()
		return len(running) == 1 && running[0].Object() != nil
	})
	w.swapIn(scripted.Memory())
	wg.Wait()
	next := w.host.Serving()
	w.host.restart(old, errReplaced) // as after a crash that was noticed too late
	w.want("a", "/count", "1")
	if w.host.Serving() != next || w.host.crashes != 0 {
		t.Errorf("got %d crashes, want none, and the new program serving", w.host.crashes)
	}
}
