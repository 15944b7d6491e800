//go:build unix

package cli_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCtrlCDeliveredTwiceEndsInGoodOrder does what a script runner does: the terminal has sent
// Ctrl-C to the whole group, and the runner passes it on.
func TestCtrlCDeliveredTwiceEndsInGoodOrder(t *testing.T) {
	for _, second := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(second.String(), func(t *testing.T) {
			s := handlerProject(t, "basic").dev()
			s.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // await sees that it runs on
			s.cmd.Process.Signal(second)       //nolint:errcheck // it may have ended in good order
			if code := s.await(); code != 0 {
				t.Errorf("exit code %d (%s), want 0", code, s.cmd.ProcessState)
			}
			if !strings.Contains(s.stderr.String(), "shutting down") {
				t.Errorf("the log does not say that dev shuts down:\n%s", s.stderr.String())
			}
		})
	}
}

func TestEachEndingSignalEndsInGoodOrder(t *testing.T) {
	for _, first := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(first.String(), func(t *testing.T) {
			s := handlerProject(t, "basic").dev()
			s.cmd.Process.Signal(first) //nolint:errcheck // await sees that it runs on
			if code := s.await(); code != 0 {
				t.Errorf("exit code %d (%s), want 0", code, s.cmd.ProcessState)
			}
		})
	}
}

// TestALaterCtrlCEndsAtOnce has a handler that does not end. A shell starts the programs in the
// background of a script with Ctrl-C ignored.
func TestALaterCtrlCEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{`exec "$0" "$@"`, `trap "" INT; exec "$0" "$@"`} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			p.edit("main.go", `	if r.Method != http.MethodPost {`, `	if r.URL.Path == "/sleep" {
		println("the handler sleeps")
		time.Sleep(time.Hour)
	}
	if r.Method != http.MethodPost {`)
			cmd := command(t, p.dir, "dev", "--json", "--port", "0", "--grace", "1h")
			cmd.Args = append([]string{"sh", "-c", shell, cmd.Path}, cmd.Args[1:]...)
			cmd.Path = "/bin/sh"
			s := p.startCommand(cmd, io.Discard)
			s.awaitReady()
			go s.client.Get(s.URL + "/sleep") //nolint:errcheck,bodyclose // it is cut off
			s.awaitLog("the handler sleeps")
			eventually(t, "dev has ended", func() bool {
				s.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
				select {
				case <-s.ended:
					return true
				default:
					return false
				}
			})
		})
	}
}

// TestDevEndsInGoodOrderWithTheReaderOfItsLog does what a Ctrl-C does to dev with `2>&1 | tee log`:
// tee ends first.
func TestDevEndsInGoodOrderWithTheReaderOfItsLog(t *testing.T) {
	p := handlerProject(t, "moving")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s := p.startInto(w, "--port", "0")
	w.Close() //nolint:errcheck // nothing was written
	s.awaitReady()
	p.succeed(nil, "time", "speed", "3600")
	r.Close()           //nolint:errcheck // nothing was written
	s.get("/clock/now") // whose line in the log finds no reader
	if code := s.await(); code != 0 {
		t.Errorf("exit code %d (%s), want 0", code, s.cmd.ProcessState)
	}
	if left := leftIn(t, filepath.Join(p.dir, ".devtool", "run")); len(left) != 0 {
		t.Errorf("left in .devtool/run: %q", left)
	}
}

// TestExecFinishesItsCommandWithoutAReaderOfItsLog is about `exec --verbose … | head`.
func TestExecFinishesItsCommandWithoutAReaderOfItsLog(t *testing.T) {
	p := handlerProject(t, "basic")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close() //nolint:errcheck // nothing was written
	defer w.Close()
	temp := t.TempDir()
	cmd := command(t, p.dir, "exec", "--verbose", "--", "sh", "-c", "exit 7")
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	cmd.Stderr = w
	cmd.Run() //nolint:errcheck // ProcessState has the outcome
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d (%s), want that of the command, 7", code, cmd.ProcessState)
	}
	if left := leftIn(t, temp); len(left) != 0 {
		t.Errorf("left in the temporary folder: %q", left)
	}
}

// leftIn returns the names in a folder.
func leftIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
