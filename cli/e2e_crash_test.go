package cli_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestACrashIsShownAndTheProgramRunsAgain wants the cause of a crash in the answer, on the page for
// browsers and in the log.
func TestACrashIsShownAndTheProgramRunsAgain(t *testing.T) {
	t.Parallel()
	const crashed = "worker crash failed: the handler program has crashed "
	for _, test := range []struct{ path, want, stack string }{
		{"/panic", "worker crash failed: panic: only this request", "main.newHandler.func1("},
		{
			"/crash",
			crashed + "(exit status 2) while worker crash GET /crash was running: panic: all of the program",
			"created by main.crash",
		},
		{
			"/exit",
			crashed + "(exit status 3) while worker crash GET /exit was running: " +
				"has it called os.Exit or log.Fatal?",
			"",
		},
		{
			"/output",
			crashed + "(exit status 1) while worker crash GET /output was running: " +
				"has it called os.Exit or log.Fatal?",
			"there is no such file",
		},
		{
			"/one/crash",
			crashed + "(exit status 2) while Fragile/one GET /one/crash was running: " +
				"panic: all of the program",
			"created by main.crash",
		},
		{
			"/one/fatal",
			crashed + "(exit status 2) while Fragile/one GET /one/fatal was running: " +
				"fatal error: concurrent map writes",
			"main.race",
		},
		{
			"/one/kill",
			crashed + "(signal: killed) while Fragile/one GET /one/kill was running: " +
				"was the system out of memory?",
			"",
		},
	} {
		t.Run(test.path[1:], func(t *testing.T) {
			t.Parallel()
			s := handlerProject(t, "crash").dev()
			status, body := s.fetch(http.MethodGet, test.path, "")
			begin := test.want + "\nevent: fetch, GET " + test.path + "\n"
			if status != http.StatusInternalServerError || !strings.HasPrefix(body, begin) {
				t.Errorf("got %d %q, want 500 and at the beginning %q", status, body, begin)
			}
			if !strings.Contains(body, test.stack) {
				t.Errorf("got %q, want the program's output in it: %q", body, test.stack)
			}
			s.awaitLog(strings.TrimPrefix(test.want, "worker crash failed: "))
			if test.stack != "" {
				s.awaitLog(test.stack)
			}
			if got, want := s.get("/ok"), "ok"; got != want {
				t.Errorf("request after the crash: got %q, want %q", got, want)
			}
			page := s.request(http.MethodGet, test.path, nil)
			page.Header.Set("Accept", "text/html")
			_, shown, err := s.send(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"<h1>worker crash failed</h1>", test.stack} {
				if !strings.Contains(shown, want) {
					t.Errorf("the page for a browser: got %q, want %q in it", shown, want)
				}
			}
		})
	}
}

func TestAProgramThatKeepsCrashingIsReplacedByTheNextEdit(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "crash")
	s := p.dev()
	for range 4 {
		s.fetch(http.MethodGet, "/output", "")
	}
	s.awaitLog("the handler program keeps crashing: it is started again in ")
	status, body := s.fetch(http.MethodGet, "/", "")
	if status != http.StatusOK && !strings.HasSuffix(body, "there is no such file\n") {
		t.Errorf("meanwhile: got %d %q, want the last output", status, body)
	}
	p.edit("main.go", `log.Fatal("there is no such file")`, `log.Panic("mended")`)
	s.awaitLog("reloaded in ")
	status, body = s.fetch(http.MethodGet, "/output", "")
	if status != http.StatusInternalServerError || !strings.Contains(body, "panic: mended") {
		t.Errorf("got %d %q, want an answer of the new program", status, body)
	}
}

// TestAHandlerThatHangsIsReplacedByTheNextEdit runs handlers that never end. The emulator must
// serve an edit all the same, and must end.
func TestAHandlerThatHangsIsReplacedByTheNextEdit(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/one/loop", "/deadlock"} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			var hanging sync.WaitGroup
			t.Cleanup(hanging.Wait) // after the end of dev
			p := handlerProject(t, "crash")
			grace := "5s"
			var flags []string
			if path == "/one/loop" && !*long { // it takes a processor all the time
				grace, flags = "1s", []string{"--grace", "1s"}
			}
			s := p.dev(flags...)
			hanging.Go(func() {
				status, body := s.fetch(http.MethodGet, path, "")
				const want = "reset because its code was updated"
				if status != http.StatusInternalServerError || !strings.Contains(body, want) {
					t.Errorf("got %d %q, want 500 and %q", status, body, want)
				}
			})
			s.awaitLog("never ends")
			s.get("/ok")
			s.awaitLog("GET /ok")
			p.edit("main.go", `"ok"`, `"edited"`)
			s.awaitLog("stopped 1 event, which did not end within " + grace + " of the reload")
			s.awaitLog("reloaded in ")
			if got, want := s.get("/ok"), "edited"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if log := s.stderr.String(); strings.Contains(log, "has crashed") || strings.Contains(log, "restarted") {
				t.Errorf("the log calls the stopped program a crash:\n%s", log)
			}
		})
	}
}

func TestACrashLoopSlowsDownAndIsSurvived(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "crash").dev()
	const reason = "panic: all of the program"
	// The first requests wait for the program. Later ones are refused because it keeps crashing.
	keepsCrashing := false
	eventually(t, "a request is refused because the program keeps crashing", func() bool {
		status, body := s.fetch(http.MethodGet, "/crash", "")
		if status != http.StatusInternalServerError || !strings.Contains(body, reason) {
			t.Fatalf("got %d %q, want 500 with %q", status, body, reason)
		}
		keepsCrashing = strings.Contains(body, "the handler program keeps crashing")
		return keepsCrashing
	})
	eventually(t, "requests are served again", func() bool {
		status, body := s.fetch(http.MethodGet, "/ok", "")
		return status == http.StatusOK && body == "ok"
	})
}

func TestAnAlarmThatCrashesTheProgramRunsAgain(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "crash")
	s := p.dev("--frozen")
	s.post("/", "")
	advanced := p.advance("10s")
	if got, want := outcomes(advanced), []string{"Fragile/one retry", "Fragile/one ok"}; !slices.Equal(got, want) {
		t.Fatalf("fired: got %q, want %q", got, want)
	}
	if got, want := advanced.Fired[0].Error, "panic: the alarm"; !strings.Contains(got, want) {
		t.Errorf("error of the first run: got %q, want %q in it", got, want)
	}
	// The first run's committed writes count, and the others do not.
	if got, want := s.get("/"), "2"; got != want {
		t.Errorf("runs: got %s, want %s", got, want)
	}
	if got := p.alarms().Alarms; len(got) != 0 {
		t.Errorf("alarms afterwards: got %+v, want none", got)
	}
}

// TestNoAnsweredWriteIsLostInAKill kills a process under load. Each answered write must be stored.
func TestNoAnsweredWriteIsLostInAKill(t *testing.T) {
	t.Parallel()
	const clients = 4
	for name, kill := range map[string]func(project, *server) *server{
		"emulator": func(p project, s *server) *server {
			s.kill()
			return p.dev()
		},
		"handler": func(p project, s *server) *server {
			killProcess(t, s.handlerPID("/pid"))
			s.awaitLog("restarted the handler program")
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := emptyProject(t)
			p.succeed(nil, "init", "--name", "batcher")
			const answersPID = "\tif r.URL.Path == \"/pid\" {\n\t\tfmt.Fprint(w, os.Getpid())\n\t\treturn\n\t}\n"
			p.edit("main.go",
				`"cmp"`, "\"cmp\"\n\t\"fmt\"\n\t\"os\"",
				"*http.Request) {\n", "*http.Request) {\n"+answersPID)
			s := p.dev("--frozen")

			var sent, answered atomic.Int64
			var enough atomic.Bool
			var posting sync.WaitGroup
			for range clients {
				posting.Go(func() {
					for !enough.Load() {
						sent.Add(1)
						status, _, err := s.send(s.request(http.MethodPost, "/", strings.NewReader("x")))
						if err != nil || status != http.StatusOK {
							return // the kill may lose this one
						}
						answered.Add(1)
					}
				})
			}
			eventually(t, "a hundred requests are answered", func() bool { return answered.Load() >= 100 })
			after := kill(p, s)
			enough.Store(true)
			posting.Wait()

			var queue struct{ Queued int64 }
			if err := json.Unmarshal([]byte(after.get("/")), &queue); err != nil {
				t.Fatal(err)
			}
			if queue.Queued < answered.Load() || queue.Queued > sent.Load() {
				t.Errorf("items stored: got %d, want from %d answered to %d sent",
					queue.Queued, answered.Load(), sent.Load())
			}
			if got := len(p.alarms().Alarms); got != 1 {
				t.Errorf("alarms: got %d, want 1", got)
			}
		})
	}
}
