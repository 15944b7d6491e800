package emulator

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/door"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/program"
	"devtool.internal/emulator/state"
)

// unservedWorld starts an emulator whose first program fails with err.
func unservedWorld(t *testing.T, err error, tune func(*Options)) *testWorld {
	t.Helper()
	w := newEmptyWorld(t, tune)
	w.failBuild(err)
	return w
}

// failBuild makes err the reason why no program serves.
func (w *testWorld) failBuild(err error) {
	w.host.Fail(&door.Unserved{Cause: err, Failure: w.record.changed(err)})
}

var doesNotBuild = &plugin.BuildError{Package: "w", Diagnostics: []plugin.Diagnostic{
	{File: "main.go", Line: 3, Column: 2, Message: "undefined: <x>", Source: "\tx()"},
}}

func TestARequestFailsWithTheErrorOfTheFirstProgram(t *testing.T) {
	for name, test := range map[string]struct {
		err         error
		line, shown string
	}{
		"it does not build": {
			err:   doesNotBuild,
			line:  "the handler program does not build: main.go:3:2: undefined: <x>",
			shown: "x()\n      | ",
		},
		"it crashes": {
			err:   &wire.Error{Message: "it has crashed", Detail: "panic: why\n\ngoroutine 1"},
			line:  "it has crashed",
			shown: "panic: why\n\ngoroutine 1",
		},
		"it is mute": {err: errors.New("it is mute"), line: "it is mute"},
	} {
		t.Run(name, func(t *testing.T) {
			w := unservedWorld(t, test.err, nil)
			status, body := w.get("a", "/who")
			head := "no version of the handler program serves yet: " + test.line + "\nevent: fetch, GET /who\n\n"
			const next = "\n\nIt is built again when a file is saved.\n"
			if status != 500 || !strings.HasPrefix(body, head) ||
				!strings.Contains(body, test.shown) || !strings.HasSuffix(body, next) {
				t.Errorf("got %d %q, want %q, %q and what happens next", status, body, head, test.shown)
			}
			_, page, err := w.send(t.Context(), "a", "/who", http.Header{"Accept": {"text/html"}})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{
				"<h1>no version of the handler program serves yet</h1>",
				escaped(test.line),
				escaped(test.shown),
				"<p>It is built again when a file is saved. The terminal",
			} {
				if !strings.Contains(page, want) {
					t.Errorf("the page has no %q:\n%s", want, page)
				}
			}
		})
	}
}

// escaped returns text as it stands in a page.
func escaped(text string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(text)
}

func TestTheReportSaysThatNothingIsServed(t *testing.T) {
	w := unservedWorld(t, doesNotBuild, nil)
	got := report(t, w).Program
	if got.State != control.ProgramFailing || got.Version != 0 || got.Crashes != "" ||
		got.Unserved() == nil || !strings.Contains(got.Failure.Text, "undefined: <x>") {
		t.Errorf("got %+v, want that requests fail because the program does not build", got)
	}
	if got := w.Unserved(); got == nil || *got != *w.record.Failure {
		t.Errorf("got %+v, want the failure of the report", got)
	}
	page := statusPageOf(t, w, "text/html")
	if !strings.Contains(page, "<h1 class=\"bad\">Nothing is served</h1>") ||
		!strings.Contains(page, "built again when a file is saved") ||
		strings.Contains(page, "the version before") {
		t.Errorf("the page does not say it:\n%s", page)
	}

	w.host.Fail(nil) // the next build begins
	if got := report(t, w).Program; got.State != control.ProgramStarting || got.Unserved() == nil {
		t.Errorf("while the next one is built: got %+v, want that requests wait, and the last failure", got)
	}
	w.record.changed(nil)
	w.record.serves(true)
	w.swapIn(greeter("mended"))
	if got := report(t, w).Program; got.State != control.ProgramServing || got.Failure != nil || got.Unserved() != nil {
		t.Errorf("when it serves: got %+v", got)
	}
	w.failBuild(doesNotBuild) // a later one
	if got := report(t, w).Program; got.State != control.ProgramServing || got.Failure == nil || got.Unserved() != nil {
		t.Errorf("when a later one is wrong: got %+v, want that the previous program serves", got)
	}
	w.want("a", "/who", "mended")
}

func TestARequestWaitsWhileTheNextProgramIsBuilt(t *testing.T) {
	w := unservedWorld(t, doesNotBuild, nil)
	w.host.Fail(nil)
	var waiting sync.WaitGroup
	waiting.Go(func() { w.want("a", "/who", "mended") })
	w.swapIn(greeter("mended"))
	waiting.Wait()
}

func TestAnAlarmWaitsForTheProgramThatServesAtLast(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.want("a", "/set10s", "")
	w.stop()
	w.startEngine()
	w.failBuild(doesNotBuild)
	w.openDoor()
	var ran []string
	var waiting sync.WaitGroup
	waiting.Go(func() { ran = w.moveOn(10 * time.Second) })
	eventually(t, "the alarm is due", func() bool { a, _ := w.alarm("a"); return a.Running })
	const want = "no handler program serves: the handler program does not build: main.go:3:2"
	if got := w.host.Missing(); !strings.HasPrefix(got, want) {
		t.Errorf("what keeps the clock: got %q, want %q", got, want)
	}
	w.failBuild(errors.New("nor does it now"))
	// A trigger fails at once: it does not wait for a program.
	_, err := w.client().Trigger(t.Context(), control.TriggerRequest{Class: "Lab", Name: "a"})
	wantRefusal(t, err, 409, "no version of the handler program serves yet: nor does it now")
	w.swapIn(scripted.Alarms(nil))
	waiting.Wait()
	wantList(t, "runs", ran, []string{"Lab/a ok"})
}

func TestAnAdvanceThatWaitsForAProgramSaysSo(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.want("a", "/set10s", "")
	w.stop()
	w.startEngine()
	w.failBuild(doesNotBuild)
	w.openDoor()
	got := w.move(control.AdvanceRequest{Next: true, MaxStep: "10ms"})
	const want = ": no handler program serves: the handler program does not build: main.go:3:2"
	if !strings.Contains(got.Stopped, want) {
		t.Errorf("got stopped %q, want %q in it", got.Stopped, want)
	}
	w.swapIn(scripted.Alarms(nil))
	eventually(t, "the alarm has run", func() bool { _, pending := w.alarm("a"); return !pending })
}

func TestACronTriggerFailsWhileNothingIsServed(t *testing.T) {
	w := newStoppedWorld(t, nil)
	w.withCrons(midnight, "0 * * * *")
	w.startEngine()
	w.failBuild(doesNotBuild)
	w.openDoor()
	wantList(t, "runs", w.moveOn(time.Hour), []string{"cron 0 * * * * failed"})
	if !w.Crons().Handled {
		t.Error("the log says that the worker has no handler, although no program has said so")
	}
	w.swapIn(cronScript(nil))
	wantList(t, "runs", w.moveOn(time.Hour), []string{"cron 0 * * * * ok"})
}

func TestARestartWithoutAProgramBuildsIt(t *testing.T) {
	w := unservedWorld(t, doesNotBuild, nil)
	for range 2 { // one build is enough
		if p, err := w.client().RestartProgram(t.Context()); err != nil || p.State != control.ProgramFailing {
			t.Errorf("got %+v, %v", p, err)
		}
	}
	if got := len(w.host.BuildWanted); got != 1 {
		t.Errorf("got %d requested builds, want 1", got)
	}
	w.host.Fail(nil)
	_, err := w.client().RestartProgram(t.Context())
	wantRefusal(t, err, 409, "no handler program has been started yet")
}

// No built program can replace the attached one here.
func TestAnAttachedProgramServesWhileNoneIsBuilt(t *testing.T) {
	w := unservedWorld(t, doesNotBuild, func(o *Options) { o.Attach = AttachToo })
	end := w.attachScript(greeter("attached"))
	w.awaitServing("attached")
	w.failBuild(doesNotBuild) // changes nothing
	w.want("a", "/who", "attached")
	end()
	<-w.host.BuildWanted
	if w.host.Serving() != nil || w.program().State != control.ProgramStarting {
		t.Errorf("got %+v, want that it is starting", w.program())
	}
	w.failBuild(doesNotBuild)
	if status, _ := w.get("a", "/who"); status != 500 {
		t.Errorf("got %d, want 500", status)
	}
	w.swapIn(greeter("built"))
	w.want("a", "/who", "built")
}

func TestRequestsWaitOnlyIfAnEditCanHelp(t *testing.T) {
	missing := &fs.PathError{Op: "mkdir", Path: "build", Err: fs.ErrPermission}
	for _, test := range []struct {
		err   error
		stale bool
		want  bool
	}{
		{nil, false, true},
		{doesNotBuild, false, true},
		{&program.MissingClassError{Missing: []string{"Lab"}}, false, true},
		{&wire.Error{Message: "it has crashed"}, false, true},
		{&plugin.BuildError{NoGo: true}, false, false},
		{fmt.Errorf("create output folder: %w", missing), false, false},
		{fmt.Errorf("keep program: %w", &os.LinkError{Op: "link", Err: fs.ErrPermission}), false, false},
		{fmt.Errorf("read configuration: %w", missing), true, true},
	} {
		if got := (&reloader{stale: test.stale}).mendable(test.err); got != test.want {
			t.Errorf("%v: got %v, want %v", test.err, got, test.want)
		}
	}
}

// While nothing is served, a class that was declared by mistake can be replaced, unless it has
// objects.
func TestADeclaredClassCanBeReplacedWhileNothingIsServed(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*testWorld)
		refused bool
	}{
		"nothing is stored": {func(*testWorld) {}, false},
		"something is stored": {func(w *testWorld) {
			if _, err := w.client().PutEntry(t.Context(), lab("a"), "k", put("1")); err != nil {
				t.Fatal(err)
			}
		}, true},
		"a program serves": {func(w *testWorld) { w.swapIn(greeter("served")) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := unservedWorld(t, doesNotBuild, nil)
			test.prepare(w)
			c, err := w.options.Load()
			if err != nil {
				t.Fatal(err)
			}
			c.DurableObjects[0].ClassName = "Lob"
			c.Migrations[0].NewSQLiteClasses = []string{"Lob", "Mute"}
			postponed, err := w.configure(c)
			if test.refused {
				if err == nil && !postponed {
					t.Error("got no error, want that the migration is refused, or waits for the next program")
				}
				return
			}
			if err == nil {
				err = w.settleMigrations()
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.world.NamespaceOf("Lab"); err == nil {
				t.Error("the replaced class is still there")
			}
			m, err := state.ReadMigrations(c, w.options.State)
			if err != nil || len(m.Pending()) != 0 {
				t.Errorf("got %+v, %v, want that every migration is applied", m, err)
			}
		})
	}
}

func TestARequestWhoseBodyIsBrokenIsCanceled(t *testing.T) {
	s := scripted.New(nil)
	s.Handlers = scripted.Handlers{
		"/wait": func(c *call) (string, error) { s.Note("waits"); <-c.Canceled; s.Note("canceled"); return "", nil },
	}
	w := newWorld(t, s)
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /wait HTTP/1.1\r\nHost: x\r\nObject: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	eventually(t, "the handler runs", func() bool { return s.Notes() == "waits" })
	fmt.Fprint(conn, "this is no chunk\r\n")
	eventually(t, "the handler is canceled", func() bool { return s.Notes() == "waits canceled" })
}
