package cli_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"devtool.internal/emulator/control"
)

const (
	legendLong = "[b] open browser  [a] fire next alarm  [t] advance time  [f] freeze/resume  " +
		"[r] restart program  [c] clear  [x] exit  [?] help"
	legendShort = "b browser  a alarm  t time  f freeze  r restart  c clear  x exit  ? help"
	legendBare  = "b a t f r c x ?"
)

func TestTheLegendFitsTheWindowAndStaysBelowTheLog(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	x := p.newTTY(140)
	s := x.dev(p, "--frozen")
	x.awaitLast(legendLong)
	start := strings.Join(x.screen.Lines(), "\n")
	for _, want := range []string{
		"devtool " + s.Version + ", worker basic\n──────",
		"env.BASIC (Basic)",
		"state  .devtool/state\n",
	} {
		if !strings.Contains(start, want) {
			t.Errorf("start screen: got\n%s\nwant in it %q", start, want)
		}
	}
	for _, test := range []struct {
		columns int
		want    string
	}{
		{100, legendShort},
		{len(legendShort) + 1, legendShort},
		{len(legendShort), legendBare},
		{10, "?"},
		{140, legendLong},
	} {
		x.size(test.columns)
		x.awaitLast(test.want)
	}
	s.post("/", "")
	x.await("POST / 200 OK (")
	x.await(", by Basic/one)")
	x.awaitLast(legendLong)
	for _, line := range x.screen.Lines() {
		if strings.Contains(line, "POST") && strings.Contains(line, "browser") {
			t.Errorf("the legend is in a line of the log: %q", line)
		}
	}
	x.typed("\x03")
	x.await("exit code 0.")
	x.awaitMode(modeOfShell)
	if screen := strings.Join(x.screen.Lines(), "\n"); strings.Contains(screen, "open browser") {
		t.Errorf("the legend is still there:\n%s", screen)
	}
}

func TestHotkeysDoWhatCommandsDo(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.write("open", "#!/bin/sh\necho \"$1\" >opened.tmp && mv opened.tmp opened\n")
	if err := os.Chmod(p.path("open"), 0o755); err != nil {
		t.Fatal(err)
	}
	x := p.newTTY(140, "BROWSER=./open")
	s := x.dev(p, "--frozen")

	x.typed("a")
	x.await("fire next alarm: ")
	s.post("/", "")
	x.typed("a")
	x.await("fired the alarm of Basic/one: ok; it has no alarm now")

	s.post("/", "")
	x.typed("t")
	x.awaitLast("advance the clock by (10s, 1h30m, 2d; Esc cancels):")
	s.post("/", "") // logs a line while the prompt is open
	x.await("POST / 200 OK")
	x.typed("1x")
	x.awaitLast("advance the clock by (10s, 1h30m, 2d; Esc cancels): 1x")
	x.typed("\x7fh\r")
	x.await("advanced by 1h to ")
	x.await(": 1 run; next: no alarm is set")
	x.awaitLast(legendLong)
	x.typed("tsoon\r")
	x.await(`advance time: "soon" is not a duration`)
	x.typed("t10s")
	x.awaitLast("advance the clock by (10s, 1h30m, 2d; Esc cancels): 10s")
	x.typed("\x1b")
	x.awaitLast(legendLong)
	x.typed("\x1b[A\x1bOB") // arrow keys do nothing

	now := p.time()
	x.typed("f")
	x.await("the clock is running again, at ")
	x.typed("F")
	x.await("the clock is frozen, at ")
	if then := p.time(); then.Mode != control.Frozen || then.Now.Before(now.Now) {
		t.Errorf("got %+v, want a clock that is frozen, not before %s", then, now.Now)
	}

	pid := s.handlerPID("/pid")
	x.typed("r")
	x.await("restarted the handler program, as asked")
	if again := s.handlerPID("/pid"); again == pid {
		t.Errorf("after a restart the program is still process %v", again)
	}
	x.typed("b")
	eventually(t, "the browser is opened", func() bool {
		b, err := os.ReadFile(p.path("opened"))
		return err == nil && string(b) == s.URL+"\n"
	})
	x.typed("?")
	x.await("run the alarm that is due first, now (`devtool alarms trigger`)")
	x.typed("c")
	eventually(t, "only the legend is left", func() bool {
		return strings.Join(x.screen.Lines(), "\n") == legendLong
	})
	x.typed("q")
	x.await("exit code 0.")
	x.awaitMode(modeOfShell)
}

func TestHotkeysWorkBeforeTheFirstVersion(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	mend := p.breakProgram()
	x := p.newTTY(140)
	listen := func() {
		t.Helper()
		x.devtool("dev --port 0")
		x.awaitMatch(`Listening on http://\S+, with nothing to serve yet \(Ctrl-C ends\)`)
		x.await("the handler program does not build: main.go:21:2: undefined: undefined")
		x.await(waitsForSave)
		x.awaitMode(modeOfHotkeys)
		x.awaitLast(legendLong)
	}
	listen()
	x.typed("\x03")
	x.await("exit code 0.")
	x.awaitMode(modeOfShell)

	listen()
	x.typed("r") // builds again
	x.await("the handler program does not build: ")
	x.await(waitsForSave)
	x.typed("f")
	x.await("the clock is frozen, at ")
	mend()
	x.await("ready on http://")
	x.awaitLast(legendLong)
	x.typed("r")
	x.await("restarted the handler program, as asked")
	x.typed("x")
	x.await("exit code 0.")
	x.awaitMode(modeOfShell)
}

func TestAStoppedDevLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	x := p.newTTY(140)
	s := x.dev(p)
	x.awaitLast(legendLong)

	x.typed("\x1a") // Ctrl-Z
	x.await("Stopped")
	x.awaitMode(modeOfShell)
	x.typed("echo \"hello $((40+2)).\"\n")
	x.await("hello 42.")

	x.typed("fg\n")
	x.awaitMode(modeOfHotkeys)
	x.awaitLast(legendLong)
	s.post("/", "")
	x.await("POST / 200 OK")

	// In the background, dev serves and leaves the terminal to the shell.
	x.typed("\x1a")
	x.await("Stopped")
	x.typed("bg\n")
	s.post("/", "")
	x.await("POST / 200 OK")
	if got := x.mode(); got != modeOfShell {
		t.Errorf("in the background: got mode %s, want %s", got, modeOfShell)
	}
	x.typed("echo \"hello $((40+3)).\"\n")
	x.await("hello 43.")
	x.typed("fg\n")
	x.awaitMode(modeOfHotkeys)
	x.awaitLast(legendLong)
	x.typed("x")
	x.awaitMode(modeOfShell)
}

func TestTheTerminalIsRestoredHoweverDevEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		signal syscall.Signal
		want   string // part of the output
	}{
		{syscall.SIGTERM, "exit code 0."},
		{syscall.SIGQUIT, "exit code 0."},
		{syscall.SIGABRT, "exit code 2."}, // Go's runtime ends as after a panic
		{syscall.SIGKILL, "exit code 137."},
	} {
		t.Run(fmt.Sprint(test.signal), func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			x := p.newTTY(140)
			s := x.dev(p)
			x.awaitLast(legendLong)
			if err := syscall.Kill(s.PID, test.signal); err != nil {
				t.Fatal(err)
			}
			x.await(test.want)
			x.awaitMode(modeOfShell)
			x.typed("echo \"hello $((40+2)).\"\n")
			x.await("hello 42.")
		})
	}
}

func TestACrashOfTheHandlerProgramLeavesTheHotkeys(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	x := p.newTTY(140)
	s := x.dev(p)
	x.awaitLast(legendLong)
	killProcess(t, s.handlerPID("/pid"))
	x.await("restarted the handler program")
	x.awaitLast(legendLong)
	if got := x.mode(); got != modeOfHotkeys {
		t.Errorf("got mode %s", got)
	}
	s.post("/", "")
	x.typed("x")
	x.await("exit code 0.")
	x.awaitMode(modeOfShell)
}

// servesIn returns a terminal in which dev, with that variable, has answered a request.
func servesIn(t *testing.T, variable string) *tty {
	t.Helper()
	p := handlerProject(t, "basic")
	x := p.newTTY(140, variable)
	x.devtool("dev --port 0")
	s := x.ready(p)
	s.post("/", "")
	x.await("POST / 200 OK")
	return x
}

func TestAPlainTerminalGetsPlainLines(t *testing.T) {
	t.Parallel()
	x := servesIn(t, "TERM=dumb")
	if got := x.mode(); got != modeOfShell {
		t.Errorf("got mode %s", got)
	}
	x.typed("\x03")
	x.await("exit code 0.")
	if raw := x.raw.String(); strings.Contains(raw, "\x1b") || strings.Contains(raw, "open browser") {
		t.Errorf("got escape sequences or a legend, want plain lines: %q", raw)
	}
}

func TestNoColorLeavesTheHotkeys(t *testing.T) {
	t.Parallel()
	x := servesIn(t, "NO_COLOR=1")
	x.awaitLast(legendLong)
	x.typed("x")
	x.await("exit code 0.")
	if raw := x.raw.String(); strings.Contains(raw, "m[b] open") || strings.Contains(raw, "\x1b[0m") {
		t.Errorf("got colors: %q", raw)
	}
}

func TestAFollowingDevDetaches(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	x := p.newTTY(140)
	x.devtool("dev --attach")
	x.await("Ready on " + s.URL + " (Ctrl-C detaches, and it goes on)")
	x.awaitMode(modeOfHotkeys)
	x.awaitLast(strings.Replace(legendLong, "exit", "detach", 1))
	s.post("/", "")
	x.await("POST / 200 OK")
	x.typed("t1h\r")
	x.await("advanced by 1h to ")
	x.typed("x")
	x.await("exit code 0.")
	x.awaitMode(modeOfShell)
	if status, _ := s.fetch(http.MethodPost, "/", ""); status != http.StatusOK {
		t.Errorf("a request after the detach: got %d, want 200", status)
	}
}
