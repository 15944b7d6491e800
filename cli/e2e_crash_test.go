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

func TestACrashIsShownAndTheProgramRunsAgain(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "crash").dev()
	for _, test := range []struct{ path, want string }{
		{"/panic", "worker crash failed: panic: only this request"},
		{"/crash", "worker crash failed: the handler program has crashed (exit status 2): panic: all of the program"},
		{"/exit", "worker crash failed: the handler program has crashed (exit status 3)"},
	} {
		status, body := s.fetch(http.MethodGet, test.path, "")
		if status != http.StatusInternalServerError || body != test.want+"\nevent: fetch, GET "+test.path+"\n" {
			t.Errorf("%s: got %d %q, want 500 %q", test.path, status, body, test.want)
		}
		if got, want := s.get("/ok"), "ok"; got != want {
			t.Errorf("request after %s: got %q, want %q", test.path, got, want)
		}
	}
	if got, want := s.stderr.String(), "goroutine "; !strings.Contains(got, want) {
		t.Error("the stack of the crash was not printed")
	}
}

func TestACrashLoopSlowsDownAndIsSurvived(t *testing.T) {
	t.Parallel()
	s := handlerProject(t, "crash").dev()
	const reason = "panic: all of the program"
	// At first each request waits for the program; then some are told that it keeps crashing.
	keepsCrashing := false
	eventually(t, "a request is told that the program keeps crashing", func() bool {
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
	// What the first run had committed counts, what it had not does not.
	if got, want := s.get("/"), "2"; got != want {
		t.Errorf("runs: got %s, want %s", got, want)
	}
	if got := p.alarms().Alarms; len(got) != 0 {
		t.Errorf("alarms afterwards: got %+v, want none", got)
	}
}

// What was answered is stored, whichever process is killed at whatever moment.
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
			p.edit("main.go", `"cmp"`, "\"cmp\"\n\t\"fmt\"\n\t\"os\"",
				"*durable.Env) {\n", "*durable.Env) {\n\tif r.URL.Path == \"/pid\" {\n\t\tfmt.Fprint(w, os.Getpid())\n\t\treturn\n\t}\n")
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
							return // this one is allowed to be lost
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
				t.Errorf("items stored: got %d, want from %d answered to %d sent", queue.Queued, answered.Load(), sent.Load())
			}
			if got := len(p.alarms().Alarms); got != 1 {
				t.Errorf("alarms: got %d, want 1", got)
			}
		})
	}
}
