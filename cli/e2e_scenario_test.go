package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/control"
)

// TestBatchesFromInitToInterrupt plays the life of a project from an empty folder on: init,
// requests, an alarm, edits, crashes and the end.
func TestBatchesFromInitToInterrupt(t *testing.T) {
	for _, config := range []string{"wrangler.jsonc", "wrangler.toml"} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			upstream := newUpstream(t)
			p := emptyProject(t)
			p.succeed(nil, "init", "--name", "batcher")
			if config == "wrangler.toml" {
				p.useTOML()
			}
			run := []string{"--var", "UPSTREAM:" + upstream.url}
			s := p.dev(append(run, "--frozen")...)
			if got, want := s.Config, p.path(config); got != want {
				t.Errorf("configuration: got %s, want %s", got, want)
			}

			// Three requests make one alarm.
			for i := range 3 {
				got, want := s.post("/", fmt.Sprintf(`{"n":%d}`, i)), fmt.Sprintf("{\"queued\":%d}\n", i+1)
				if got != want {
					t.Errorf("request %d: got %q, want %q", i, got, want)
				}
			}
			pending := p.alarms()
			if len(pending.Alarms) != 1 || pending.Alarms[0].String() != "Batcher/default" {
				t.Fatalf("pending alarms: got %+v, want that of Batcher/default", pending.Alarms)
			}
			due := pending.Alarms[0].Due
			if got, want := due.Sub(pending.Now).String(), "10s"; got != want {
				t.Errorf("alarm due in: got %s, want %s", got, want)
			}

			// The alarm fires once, at its own time, and sends everything in order.
			advanced := p.advance("10s")
			if got, want := outcomes(advanced), []string{"Batcher/default ok"}; !slices.Equal(got, want) {
				t.Errorf("fired: got %q, want %q", got, want)
			}
			if at := advanced.Fired[0].At; !at.Equal(due) || !advanced.To.Equal(due) {
				t.Errorf("fired at %s, clock at %s, want %s for both", at, advanced.To, due)
			}
			upstream.check(t, `[{"n":0},{"n":1},{"n":2}]`)
			if got := outcomes(p.advance("1h")); len(got) != 0 {
				t.Errorf("fired later: got %q, want none", got)
			}

			// The count starts again.
			if got, want := s.post("/", "again"), "{\"queued\":1}\n"; got != want {
				t.Errorf("first request after the batch: got %q, want %q", got, want)
			}

			if config == "wrangler.toml" && !*long {
				if got := s.interrupt(); got != 0 {
					t.Errorf("exit code after an interrupt: got %d, want 0", got)
				}
				return
			}

			// A save under load is served soon, and no request fails.
			load := startLoad(s, "/version")
			load.awaitAnswer("queued") // from the object named version
			p.edit("main.go", `"cmp"`, "\"cmp\"\n\t\"fmt\"\n\t\"os\"",
				"*http.Request) {\n", "*http.Request) {\n"+
					"\tif r.URL.Path == \"/version\" {\n\t\tfmt.Fprintf(w, \"one %d\", os.Getpid())\n\t\treturn\n\t}\n")
			load.awaitAnswer("one ")
			load.stop()

			// A handler program that is killed is replaced.
			first := s.handlerPID("/version")
			killProcess(t, first)
			s.awaitLog("the handler program has crashed (signal: killed)")
			if second := s.handlerPID("/version"); second == first {
				t.Errorf("process %d still answers after it was killed", first)
			}
			if got, want := s.post("/", "more"), "{\"queued\":2}\n"; got != want {
				t.Errorf("request after the crash: got %q, want %q", got, want)
			}

			// A killed emulator loses nothing of the state.
			wantTime, wantAlarms := p.time(), p.alarms()
			s.kill()
			s = p.dev(append(run, "--frozen")...)
			if got := p.time(); got.Mode != control.Frozen || !got.Now.Equal(wantTime.Now) {
				t.Errorf("clock after the restart: got %s at %s, want frozen at %s", got.Mode, got.Now, wantTime.Now)
			}
			if got := p.alarms(); !slices.Equal(got.Alarms, wantAlarms.Alarms) {
				t.Errorf("alarms after the restart: got %+v, want %+v", got.Alarms, wantAlarms.Alarms)
			}
			if got, want := s.get("/"), `"queued":2`; !strings.Contains(got, want) {
				t.Errorf("queue after the restart: got %s, want %s", got, want)
			}
			if got, want := outcomes(p.advance("10s")), []string{"Batcher/default ok"}; !slices.Equal(got, want) {
				t.Errorf("fired after the restart: got %q, want %q", got, want)
			}
			upstream.check(t, `[{"n":0},{"n":1},{"n":2}]`, `["again","more"]`)

			// The log reports an edit that does not compile, and the version before goes on.
			good := p.read("main.go")
			p.write("main.go", good+"\nfunc broken() { return 1 }\n")
			s.awaitLog("the version before is still being served")
			where := fmt.Sprintf(`main\.go:%d:\d+`, strings.Count(good, "\n")+2)
			if !regexp.MustCompile(where).MatchString(s.stderr.String()) {
				t.Errorf("stderr does not point at %s", where)
			}
			if got := s.get("/version"); !strings.HasPrefix(got, "one ") {
				t.Errorf("answer with a broken program on disk: got %q, want one", got)
			}
			p.write("main.go", strings.Replace(good, `"one %d"`, `"two %d"`, 1))
			eventually(t, "the repaired version is served", func() bool {
				return strings.HasPrefix(s.get("/version"), "two ")
			})

			if got := s.interrupt(); got != 0 {
				t.Errorf("exit code after an interrupt: got %d, want 0", got)
			}
			after := p.devtool("time", "now")
			if want := "no emulator runs for "; after.code != 1 || !strings.Contains(after.err, want) {
				t.Errorf("after the end: got exit code %d and %q, want 1 and %q", after.code, after.err, want)
			}
		})
	}
}

// useTOML replaces the project's configuration with the same one in TOML.
func (p project) useTOML() {
	p.t.Helper()
	b, err := os.ReadFile("../testdata/config/batcher/wrangler.toml")
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("wrangler.toml", string(b))
	if err := os.Remove(p.path("wrangler.jsonc")); err != nil {
		p.t.Fatal(err)
	}
}

// outcomes returns the runs of an advance as "OBJECT OUTCOME".
func outcomes(advanced control.Advanced) []string {
	var list []string
	for _, f := range advanced.Fired {
		list = append(list, f.String()+" "+f.Outcome)
	}
	return list
}

// handlerPID returns the program's process id, which must be the last word of its answer on path.
func (s *server) handlerPID(path string) int {
	s.t.Helper()
	words := strings.Fields(s.get(path))
	pid, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		s.t.Fatalf("no process id in %q", words)
	}
	return pid
}

func killProcess(t *testing.T, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// upstream is the server to which the batcher sends batches.
type upstream struct {
	url string

	mu     sync.Mutex
	bodies []string
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read batch: %v", err)
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.bodies = append(u.bodies, string(b))
	}))
	t.Cleanup(s.Close)
	u.url = s.URL
	return u
}

// check compares all batches that have arrived.
func (u *upstream) check(t *testing.T, want ...string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if !slices.Equal(u.bodies, want) {
		t.Errorf("batches: got %q, want %q", u.bodies, want)
	}
}

// loadPace is the least time between two requests of a client. Without it, the clients would take
// the processors from the build that the test waits for.
const loadPace = 3 * time.Millisecond

// load is several clients, each of which sends one request after the other.
type load struct {
	s       *server
	end     chan struct{}
	clients sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int
	failed  []string
}

func startLoad(s *server, path string) *load {
	s.t.Helper()
	l := &load{s: s, end: make(chan struct{}), answers: make(map[string]int)}
	for range 4 {
		request := s.request(http.MethodGet, path, nil)
		l.clients.Go(func() {
			ticker := time.NewTicker(loadPace)
			defer ticker.Stop()
			for {
				select {
				case <-l.end:
					return
				case <-ticker.C:
					l.note(s.send(request))
				}
			}
		})
	}
	return l
}

func (l *load) note(status int, body string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || status != http.StatusOK {
		l.failed = append(l.failed, fmt.Sprintf("%d %s %v", status, body, err))
		return
	}
	l.answers[body]++
}

// awaitAnswer waits until an answer that contains text has come, or a request has failed.
func (l *load) awaitAnswer(text string) {
	l.s.t.Helper()
	eventually(l.s.t, "a client under load gets the answer "+text, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for answer := range l.answers {
			if strings.Contains(answer, text) {
				return true
			}
		}
		return len(l.failed) > 0
	})
}

// stop ends the load. Each request must have got a 200.
func (l *load) stop() {
	l.s.t.Helper()
	close(l.end)
	l.clients.Wait()
	if len(l.failed) > 0 {
		l.s.t.Errorf("%d requests failed, the first one with %s", len(l.failed), l.failed[0])
	}
}
