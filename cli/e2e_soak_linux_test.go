package cli_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// reloadEdits is small because each edit is a build; `make reload` does fifty.
var reloadEdits = flag.Int("reload.edits", 1, "how often the reload test edits the program under load")

// Bounds of what reloads may leave behind in the emulator.
const (
	// moreMemory is a usual change of the heap. A leaked program would add 10 MB an edit.
	moreMemory = 32 << 20

	// moreGoroutines allows for a timer or a connection that is about to end.
	moreGoroutines = 3
)

// TestEditsUnderLoadLoseNothingAndLeaveNothing edits and breaks a program under load. Its clients
// must notice nothing: each request runs once and is answered, no stream is cut off, and each alarm
// runs. The old versions must leave nothing behind: no more after many edits than after one.
func TestEditsUnderLoadLoseNothingAndLeaveNothing(t *testing.T) {
	t.Parallel()
	fresh := emulatorAfter(t, 1)
	if *reloadEdits == 1 {
		return
	}
	soaked := emulatorAfter(t, *reloadEdits)
	t.Logf("after 1 edit: %v; after %d: %v", fresh, *reloadEdits, soaked)
	if soaked.goroutines > fresh.goroutines+moreGoroutines {
		t.Errorf("goroutines after %d edits: got %d, want about %d as after one; they were\n%s",
			*reloadEdits, soaked.goroutines, fresh.goroutines, soaked.stacks)
	}
	if soaked.memory > fresh.memory+moreMemory {
		t.Errorf("memory after %d edits: got %d KiB, want about %d as after one",
			*reloadEdits, soaked.memory>>10, fresh.memory>>10)
	}
}

// TestAProgramThatNeverIntroducesItselfIsReplacedByTheNextSave starts a program that hangs. Saving
// a good one must end it, and serve the good one.
func TestAProgramThatNeverIntroducesItselfIsReplacedByTheNextSave(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "reload")
	s := p.dev()
	if got, want := s.get("/version"), "v0"; got != want {
		t.Errorf("version: got %q, want %q", got, want)
	}
	good := p.read("version.go")
	p.write("hang.go", "package main\n\nimport \"time\"\n\nfunc init() { time.Sleep(time.Hour) }\n")
	eventually(t, "the hanging program runs", func() bool { return children(t, s.PID) == 2 })
	p.write("hang.go", "package main\n")
	p.write("version.go", strings.Replace(good, "v0", "v1", 1))
	eventually(t, "the next version is served", func() bool { return s.get("/version") == "v1" })
	eventually(t, "the hanging program has ended", func() bool { return children(t, s.PID) == 1 })
}

// A residue is what an idle emulator has in memory.
type residue struct {
	goroutines int
	memory     int64
	stacks     string
}

func (r residue) String() string {
	return fmt.Sprintf("%d goroutines, %d MiB", r.goroutines, r.memory>>20)
}

// children returns how many child processes a process has.
func children(t *testing.T, pid int) (n int) {
	t.Helper()
	processes(t, func(child int) {
		if statusOf(child, "PPid") == strconv.Itoa(pid) {
			n++
		}
	})
	return n
}

// descriptors returns how many files and connections a process has open.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// emulatorAfter edits a program under load, and returns what the emulator then has in memory.
func emulatorAfter(t *testing.T, edits int) residue {
	p := handlerProject(t, "reload")
	frequentGC := []string{"GOGC=50"} // garbage would hide leaks
	s := p.startAs(frequentGC, "--port", "0", "--log-level", "info")
	s.awaitReady()
	before := descriptors(t, s.PID)
	l := &ledgers{s: s, end: make(chan struct{})}
	l.start()
	editor{project: p, s: s, load: l}.edit(edits)
	l.stop()
	// The check of the code after each build runs in the background. It has ended with its hint.
	p.write("clock.go", "package main\n\nimport \"time\"\n\nfunc clock() time.Time { return time.Now() }\n")
	s.awaitLog("1 use of the machine's clock in handler code")

	// Only the process of the last version remains.
	var left residue
	eventually(t, "one program is left", func() bool { return children(t, s.PID) == 1 })
	s.client.CloseIdleConnections()
	// Idle objects are evicted, and their files are closed.
	p.advance("1m")
	eventually(t, "no more descriptors are open than at the start", func() bool {
		return descriptors(t, s.PID) <= before
	})
	kilobytes, err := strconv.ParseInt(strings.TrimSuffix(statusOf(s.PID, "VmRSS"), " kB"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	left.memory = kilobytes << 10

	// On SIGABRT, a Go program prints the stacks of its goroutines.
	printed := len(s.stderr.String())
	if err := s.cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	s.await()
	left.stacks = s.stderr.String()[printed:]
	left.goroutines = strings.Count(left.stacks, "\ngoroutine ")
	if left.goroutines == 0 {
		t.Errorf("the emulator printed no stacks: %s", left.stacks)
	}
	return left
}

// An editor edits a program.
type editor struct {
	project
	s    *server
	load *ledgers
}

// someLoad is how many requests are answered between two edits.
const someLoad = 40

// edit makes edits. Each second one is broken, in one of three ways, and the last one is good.
func (e editor) edit(edits int) {
	e.t.Helper()
	const file = "version.go"
	wrong := []struct{ program, log string }{
		{"package main\n\nconst version = \n", "the handler program does not build"},
		{
			"package main\n\nconst version = \"wrong\"\n\nfunc init() { panic(\"in the beginning\") }\n",
			"panic: in the beginning",
		},
		{
			"package main\n\nimport (\n\t\"os\"\n)\n\nconst version = \"wrong\"\n\nfunc init() { os.Exit(0) }\n",
			"before it introduced itself",
		},
	}
	const refused = "the version before is still being served"
	refusals := func() int { return strings.Count(e.s.stderr.String(), refused) }
	good := e.read(file)
	for i := 1; i <= edits; i++ {
		before := e.load.count()
		eventually(e.t, "the load goes on", func() bool { return e.load.count() >= before+someLoad })
		if i%2 == 0 && i < edits {
			bad := wrong[i/2%len(wrong)]
			earlier := refusals()
			e.write(file, bad.program)
			eventually(e.t, "the emulator refuses the edit, "+bad.log, func() bool { return refusals() > earlier })
			if !strings.Contains(e.s.stderr.String(), bad.log) {
				e.t.Errorf("edit %d: the log does not contain %q", i, bad.log)
			}
			continue
		}
		version := fmt.Sprintf("v%d", i)
		e.write(file, strings.Replace(good, `"v0"`, strconv.Quote(version), 1))
		eventually(e.t, "edit "+version+" is served", func() bool { return e.s.get("/version") == version })
	}
}

// ledgers are clients that record their requests, and compare them with the books of the program's
// objects.
type ledgers struct {
	s       *server
	end     chan struct{}
	clients sync.WaitGroup
	number  atomic.Int64

	mu       sync.Mutex
	answered map[string][]string // numbers by object
	failed   []string
}

// start starts clients that add, stream and set alarms, each at loadPace.
func (l *ledgers) start() {
	l.answered = make(map[string][]string)
	for _, do := range []string{"add", "add", "stream", "slow", "arm", "arm"} {
		object := fmt.Sprint(do, l.number.Add(1))
		l.clients.Go(func() {
			ticker := time.NewTicker(loadPace)
			defer ticker.Stop()
			for {
				select {
				case <-l.end:
					return
				case <-ticker.C:
					l.ask(object, do)
				}
			}
		})
	}
}

func (l *ledgers) ask(object, do string) {
	number := fmt.Sprint(l.number.Add(1))
	wantsWhole := do == "stream"
	if do == "slow" {
		do, wantsWhole = "stream", true
		number += "&pace=100ms" // longer than a build takes
	}
	status, body, err := l.s.send(l.s.request(http.MethodPost, "/"+object+"/"+do+"?n="+number, nil))
	wrong := err != nil || status != http.StatusOK
	wrong = wrong || wantsWhole && !isWhole(body)
	number, _, _ = strings.Cut(number, "&")
	l.mu.Lock()
	defer l.mu.Unlock()
	if wrong {
		l.failed = append(l.failed, fmt.Sprintf("%s %s: %d %q, %v", do, number, status, body, err))
		return
	}
	l.answered[object] = append(l.answered[object], number)
}

// count returns how many requests were answered or failed.
func (l *ledgers) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.failed)
	for _, numbers := range l.answered {
		n += len(numbers)
	}
	return n
}

// isWhole reports whether a stream was complete, and all from one version.
func isWhole(body string) bool {
	lines := strings.Split(strings.TrimSpace(body), "\n")
	last := len(lines) - 1
	for i, line := range lines[:last] {
		_, version, _ := strings.Cut(lines[0], " ")
		if line != fmt.Sprint(i, " ", version) {
			return false
		}
	}
	return lines[last] == "end"
}

// stop ends the load, and compares the books.
func (l *ledgers) stop() {
	t := l.s.t
	t.Helper()
	close(l.end)
	l.clients.Wait()
	if len(l.failed) > 0 {
		t.Errorf("%d requests failed, the first one was %s", len(l.failed), l.failed[0])
	}
	sum := 0
	for object, numbers := range l.answered {
		var book map[string]int
		missing := func() []string {
			book = nil
			if err := json.Unmarshal([]byte(l.s.get("/"+object+"/book")), &book); err != nil {
				t.Fatal(err)
			}
			return slices.DeleteFunc(slices.Clone(numbers), func(n string) bool { return book[n] > 0 })
		}
		if strings.HasPrefix(object, "arm") { // the last alarm is still to come
			eventually(t, "all alarms of "+object+" have run", func() bool { return len(missing()) == 0 })
		} else if lost := missing(); len(lost) > 0 {
			t.Errorf("%s: %d of %d answered requests left no trace, such as %s",
				object, len(lost), len(numbers), lost[0])
		}
		for number, times := range book {
			if times != 1 || !slices.Contains(numbers, number) && len(l.failed) == 0 {
				t.Errorf("%s: request %s was executed %d times, or without an answer", object, number, times)
			}
		}
		sum += len(numbers)
	}
	t.Logf("%d requests, streams and alarms", sum)
}
