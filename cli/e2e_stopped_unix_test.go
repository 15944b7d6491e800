//go:build unix

package cli_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestCommandsSayThatDevDoesNotAnswer has a `devtool dev` that is stopped, as by Ctrl-Z, while
// commands in another terminal ask it. They say so, once, and complete when it goes on.
func TestCommandsSayThatDevDoesNotAnswer(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	s.post("/", "")
	pid := s.cmd.Process.Pid
	stop(t, pid)
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) }) //nolint:errcheck // it may have ended
	of := fmt.Sprintf("devtool dev (process %d)", pid)
	type asked struct {
		cmd       *exec.Cmd
		args      []string
		out       bytes.Buffer
		err       output
		who, want string
	}
	commands := []*asked{
		{args: []string{"time", "now"}, who: of, want: "now"},
		{args: []string{"alarms", "list"}, who: of, want: "Basic/one"},
		{args: []string{"objects", "list"}, who: of, want: "Basic/one"},
		{args: []string{"time", "advance", "1s"}, who: of, want: "1s on"},
		{args: []string{"status", "--json"}, who: `{"notice":"` + of, want: `"worker"`},
		{args: []string{"time", "now", "--url", s.URL}, who: "the emulator at " + s.URL, want: "now"},
	}
	for _, a := range commands {
		a.cmd = command(t, p.dir, a.args...)
		a.cmd.Stdout, a.cmd.Stderr = &a.out, &a.err
		if err := a.cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range commands {
		eventually(t, strings.Join(a.args, " ")+" says that dev does not answer", func() bool {
			return strings.Contains(a.err.String(), a.who+" does not answer") && strings.HasSuffix(a.err.String(), "\n")
		})
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, a := range commands {
		err := a.cmd.Wait()
		out, errs := a.out.String(), a.err.String()
		if err != nil || !strings.Contains(out, a.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: got %v with\n%s%s\nwant %q after one line on standard error", a.args, err, out, errs, a.want)
		}
	}
}

// stop stops a child process, and returns when it has stopped. Some of its threads may run on until
// the first one has taken the signal.
func stop(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
	for err == syscall.EINTR {
		_, err = syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
	}
	if err != nil || !status.Stopped() {
		t.Fatalf("process %d has not stopped: %v, %v", pid, status, err)
	}
}
