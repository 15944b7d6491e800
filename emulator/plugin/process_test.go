package plugin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/plugin"
)

// handler builds the fixture program once and returns a copy for this test.
func handler(t *testing.T) string {
	t.Helper()
	built, err := buildHandler()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "handler")
	if err := plugin.CopyProgram(built, path); err != nil {
		t.Fatal(err)
	}
	return path
}

var buildHandler = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "handler")
	if err != nil {
		return "", err
	}
	cleanUp = append(cleanUp, func() { _ = os.RemoveAll(dir) })
	b := plugin.Builder{Dir: "testdata/handler", Package: ".", Output: filepath.Join(dir, "handler")}
	_, err = b.Build(context.Background(), nil)
	return b.Output, err
})

// launch starts the fixture in a mode and kills it when the test ends.
func launch(t *testing.T, mode string, o plugin.LaunchOptions) *plugin.Process {
	t.Helper()
	if o.Binary == "" {
		o.Binary = handler(t)
	}
	o.Env = append(o.Env, "MODE="+mode)
	p, err := plugin.Launch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// echoes fails the test unless the program returns the text.
func echoes(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text+"\n"); err != nil {
		t.Fatal(err)
	}
	if got := readUntil(t, conn, "\n"); got != text+"\n" {
		t.Errorf("program returns %q, want %q", got, text)
	}
}

func TestTheProgramHasItsConnection(t *testing.T) {
	p := launch(t, "echo", plugin.LaunchOptions{})
	echoes(t, p.Conn(), "over the inherited descriptor")
	if p.Err() != nil {
		t.Errorf("Err of a running program = %v, want nil", p.Err())
	}
	if p.PID() <= 0 {
		t.Errorf("PID = %d", p.PID())
	}
}

func TestTheProgramCanDial(t *testing.T) {
	var o plugin.LaunchOptions
	o.UseSocket()
	p := launch(t, "echo", o)
	echoes(t, p.Conn(), "over the socket")
	p.Stop()
	if p.Err() != nil && p.Err().Error() != "signal: terminated" {
		t.Errorf("Err = %v", p.Err())
	}
}

func TestAProgramThatDoesNotDialIsAnError(t *testing.T) {
	for _, test := range []struct{ mode, want string }{
		{"exit:3", "it ended before it connected: exit status 3: leaving"},
		{"nothing", "it ended before it connected: exit status 0"},
	} {
		o := plugin.LaunchOptions{Binary: handler(t), Env: []string{"MODE=" + test.mode}}
		o.UseSocket()
		_, err := plugin.Launch(t.Context(), o)
		if got, want := fmt.Sprint(err), "connect to program "+o.Binary+": "+test.want; got != want {
			t.Errorf("Launch gives %q, want %q", got, want)
		}
		alone(t, o.Binary)
	}
}

func TestCancelEndsTheWaitForAProgramThatDoesNotDial(t *testing.T) {
	w := newWitnesses(t)
	o := plugin.LaunchOptions{Binary: handler(t), Env: []string{"MODE=stubborn", "WITNESS=" + w.path}}
	o.UseSocket()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := plugin.Launch(ctx, o)
		ended <- err
	}()
	process := w.alive(t)
	cancel()
	if err := await(t, "Launch", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Launch gives %v, want %v", err, context.Canceled)
	}
	gone(t, process)
}

func TestTheProgramsEnvironment(t *testing.T) {
	t.Setenv(plugin.EnvSocket, "of the emulator itself")
	t.Setenv(plugin.EnvFD, "77")
	t.Setenv("INHERITED", "yes")
	t.Setenv("DEVTOOL_TOKEN", "of another emulator")
	for _, test := range []struct {
		name      string
		env       []string
		inherited bool
	}{
		{"the environment of this process", nil, true},
		{"an environment of its own", []string{"MODE=about", "DEVTOOL_FD=78", "OWN=1", "DEVTOOL_TOKEN=secret"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("MODE", "about")
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			p, err := plugin.Launch(t.Context(), plugin.LaunchOptions{Binary: handler(t), Dir: dir, Env: test.env})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Kill)
			about, err := io.ReadAll(p.Conn())
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(about)), "\n")
			if !strings.HasPrefix(lines[0], "handler-") {
				t.Errorf("program runs as %q, want a private link handler-<n>", lines[0])
			}
			if lines[1] != dir {
				t.Errorf("program runs in %q, want %q", lines[1], dir)
			}
			if got := slices.Contains(lines, "INHERITED=yes"); got != test.inherited {
				t.Errorf("inherits the environment: %v, want %v", got, test.inherited)
			}
			var endpoints []string
			for _, l := range lines[2:] {
				if strings.HasPrefix(l, "DEVTOOL_") {
					endpoints = append(endpoints, l)
				}
			}
			if want := []string{"DEVTOOL_FD=3"}; !slices.Equal(endpoints, want) {
				t.Errorf("variables of the connection = %q, want %q", endpoints, want)
			}
		})
	}
}

func TestErrReportsHowTheProgramEnded(t *testing.T) {
	for _, test := range []struct{ mode, want string }{
		{"exit:0", "<nil>"},
		{"exit:2", "exit status 2"},
		{"panic:oh no", "exit status 2"},
	} {
		p := launch(t, test.mode, plugin.LaunchOptions{})
		await(t, "the program's end", p.Done())
		if got := fmt.Sprint(p.Err()); got != test.want {
			t.Errorf("%s: Err = %s, want %s", test.mode, got, test.want)
		}
		if _, err := p.Conn().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: reading on gives %v, want %v", test.mode, err, io.EOF)
		}
	}
}

func TestTailHasThePanic(t *testing.T) {
	stderr := newBuffer()
	p := launch(t, "panic:oh no", plugin.LaunchOptions{Stderr: stderr})
	await(t, "the program's end", p.Done())
	for _, want := range []string{"panic: oh no", "goroutine 1 [running]:", "main.main()"} {
		if !strings.Contains(p.Tail(), want) {
			t.Errorf("tail is %q, want %q in it", p.Tail(), want)
		}
	}
	if stderr.String() != p.Tail() {
		t.Errorf("Stderr got %q, want the tail %q", stderr.String(), p.Tail())
	}
}

func TestAKilledProgramIsNoticed(t *testing.T) {
	p := launch(t, "echo", plugin.LaunchOptions{})
	echoes(t, p.Conn(), "alive")
	process, err := os.FindProcess(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "the program's end", p.Done())
	if got, want := fmt.Sprint(p.Err()), "signal: killed"; got != want {
		t.Errorf("Err = %s, want %s", got, want)
	}
}

func TestClosingTheConnectionEndsTheProgram(t *testing.T) {
	p := launch(t, "echo", plugin.LaunchOptions{})
	echoes(t, p.Conn(), "alive")
	if err := p.Conn().Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "the program's end", p.Done())
	if p.Err() != nil {
		t.Errorf("Err = %v, want nil", p.Err())
	}
}

func TestOutputArrives(t *testing.T) {
	var stdout, both bytes.Buffer // not locked: the race detector would see two writers at once
	p := launch(t, "lines", plugin.LaunchOptions{Stdout: &stdout})
	await(t, "the program's end", p.Done())
	if got, want := stdout.String(), "out 1\nout 2\nout without end"; got != want {
		t.Errorf("Stdout got %q, want %q", got, want)
	}
	if got, want := p.Tail(), "err 1\nerr 2\n"; got != want {
		t.Errorf("tail = %q, want %q", got, want)
	}
	p = launch(t, "lines", plugin.LaunchOptions{Stdout: &both, Stderr: &both})
	await(t, "the program's end", p.Done())
	for _, want := range []string{"out 1\nout 2\n", "err 1\nerr 2\n", "out without end"} {
		if !strings.Contains(both.String(), want) {
			t.Errorf("output is %q, want %q in it", both.String(), want)
		}
	}
}

func TestAPromptIsPassedOn(t *testing.T) {
	stdout := newBuffer()
	launch(t, "prompt", plugin.LaunchOptions{Stdout: stdout})
	stdout.contains(t, "ready? ")
}

func TestStopKillsTheGrandchildrenToo(t *testing.T) {
	for name, stop := range map[string]func(*plugin.Process){
		"Stop": (*plugin.Process).Stop,
		"Kill": (*plugin.Process).Kill,
	} {
		w := newWitnesses(t)
		p := launch(t, "family", plugin.LaunchOptions{Env: []string{"WITNESS=" + w.path}})
		grandchild := w.alive(t)
		echoes(t, p.Conn(), "alive")
		stop(p)
		gone(t, grandchild)
		select {
		case <-p.Done():
		default:
			t.Errorf("%s returned before the program ended", name)
		}
	}
}

func TestStopKillsAProgramThatWillNotEnd(t *testing.T) {
	w := newWitnesses(t)
	p := launch(t, "stubborn", plugin.LaunchOptions{Env: []string{"WITNESS=" + w.path}, Grace: time.Millisecond})
	process := w.alive(t)
	p.Stop()
	gone(t, process)
	if got, want := fmt.Sprint(p.Err()), "signal: killed"; got != want {
		t.Errorf("Err = %s, want %s", got, want)
	}
}

func TestGrandchildrenDoNotOutliveTheProgram(t *testing.T) {
	w := newWitnesses(t)
	p := launch(t, "orphan", plugin.LaunchOptions{Env: []string{"WITNESS=" + w.path}})
	grandchild := w.alive(t)
	if _, err := io.WriteString(p.Conn(), "go\n"); err != nil {
		t.Fatal(err)
	}
	await(t, "the program's end", p.Done())
	gone(t, grandchild)
}

// A daemon that the program has started is out of reach. It holds the program's output open, and
// must not be taken for the program.
func TestAnEscapedGrandchildDoesNotHoldUpTheEnd(t *testing.T) {
	w := newWitnesses(t)
	p := launch(t, "escaped", plugin.LaunchOptions{Env: []string{"WITNESS=" + w.path}})
	w.alive(t) // it ends with the test
	if _, err := io.WriteString(p.Conn(), "go\n"); err != nil {
		t.Fatal(err)
	}
	await(t, "the program's end", p.Done())
	if p.Err() != nil {
		t.Errorf("Err = %v, want nil", p.Err())
	}
}

func TestTheEndOfTheContextStopsTheProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := plugin.LaunchOptions{Binary: handler(t), Env: []string{"MODE=echo"}}
	p, err := plugin.Launch(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	await(t, "the program's end", p.Done())
	if _, err := plugin.Launch(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Launch after the end of its context gives %v, want %v", err, context.Canceled)
	}
}

// Stopping, killing and ending at the same time ends the program once, and no signal goes to an id
// that is no longer the program's. The methods return, and may be called again.
func TestSeveralGoroutinesMayEndTheProgramAtOnce(t *testing.T) {
	binary := handler(t)
	for range 20 {
		p := launch(t, "echo", plugin.LaunchOptions{Binary: binary})
		var all sync.WaitGroup
		all.Go(p.Stop)
		all.Go(p.Kill)
		all.Go(func() { _ = p.Conn().Close() })
		all.Wait()
		p.Stop()
		p.Kill()
	}
	alone(t, binary)
}

func TestLaunchErrorsSayWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"text": "no program"})
	for _, test := range []struct{ binary, want string }{
		{"absent", "find program " + filepath.Join(dir, "absent") + ": file does not exist; build it first"},
		{"text", "start program " + filepath.Join(dir, "text") + ": fork/exec "},
	} {
		_, err := plugin.Launch(t.Context(), plugin.LaunchOptions{Binary: filepath.Join(dir, test.binary)})
		if got := fmt.Sprint(err); !strings.HasPrefix(got, test.want) {
			t.Errorf("Launch gives %q, want %q", got, test.want)
		}
	}
	alone(t, filepath.Join(dir, "text"))
}

// alone fails the test if a private link of binary is left.
func alone(t *testing.T, binary string) {
	t.Helper()
	left, err := filepath.Glob(binary + "-*")
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

func TestABuildDoesNotDisturbTheRunningProgram(t *testing.T) {
	b := newBuilder(t)
	echo := func(version string) map[string]string {
		return map[string]string{"main.go": `package main

import ("net"; "os"; "io")

func main() {
	conn, err := net.FileConn(os.NewFile(3, ""))
	if err != nil { panic(err) }
	io.WriteString(conn, "version ` + version + `\n")
	io.Copy(conn, conn)
}
`}
	}
	run := func(version string) *plugin.Process {
		write(t, b.Dir, echo(version))
		if r := build(t, b); !r.Changed {
			t.Errorf("build of version %s = %+v, want a change", version, r)
		}
		p := launch(t, "", plugin.LaunchOptions{Binary: b.Output})
		if got, want := readUntil(t, p.Conn(), "\n"), "version "+version+"\n"; got != want {
			t.Errorf("program says %q, want %q", got, want)
		}
		return p
	}
	first := run("1")
	second := run("2")
	echoes(t, first.Conn(), "the first runs on")
	first.Stop()
	echoes(t, second.Conn(), "the second too")
	second.Stop()
	alone(t, b.Output)
}

func TestPrivateLinkReusesNamesOfAnEarlierRun(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"handler": "new", "handler.exe": "new"})
	name, err := plugin.PrivateLink(filepath.Join(dir, "handler"))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscanf(filepath.Base(name), "handler-%d", &n); err != nil {
		t.Fatalf("link is %s: %v", name, err)
	}
	left := fmt.Sprintf("handler-%d", n+1)
	write(t, dir, map[string]string{left: "old"})
	name, err = plugin.PrivateLink(filepath.Join(dir, "handler"))
	if err != nil || filepath.Base(name) != left {
		t.Fatalf("link is %s (%v), want %s", name, err, left)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "new" {
		t.Errorf("link holds %q (%v), want the program", got, err)
	}
	name, err = plugin.PrivateLink(filepath.Join(dir, "handler.exe"))
	if want := fmt.Sprintf("handler-%d.exe", n+2); err != nil || filepath.Base(name) != want {
		t.Errorf("link is %s (%v), want %s", name, err, want)
	}
}
