package cli_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"devtool.internal/emulator/control"
)

// execCall returns a call of `devtool exec`, and the folder for its temporary files.
func (p project) execCall(args ...string) (cmd *exec.Cmd, temporary string) {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	temporary = p.t.TempDir()
	cmd = command(p.t, p.dir, append([]string{"exec"}, args...)...)
	cmd.Env = append(cmd.Env,
		"TMPDIR="+temporary,
		"PATH="+filepath.Dir(path)+string(os.PathListSeparator)+os.Getenv("PATH"),
	)
	return cmd, temporary
}

func checkEmpty(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s was left behind", entry.Name())
	}
}

// TestTheScriptOfTheREADMETestsTheBatcher runs the test.sh that `devtool init` writes and the
// README shows.
func TestTheScriptOfTheREADMETestsTheBatcher(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init")
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```sh\n"+p.read("test.sh")+"```\n") {
		t.Error("the README does not show the test.sh of the batcher")
	}

	cmd, temporary := p.execCall("--", "sh", "test.sh")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	checkEmpty(t, temporary)

	// The script fails if the batcher is broken.
	p.edit("batcher.go", "delay   = 10 * time.Second", "delay   = 11 * time.Second")
	cmd, temporary = p.execCall("--", "sh", "test.sh")
	out, err := cmd.CombinedOutput()
	if got, want := cmd.ProcessState.ExitCode(), 1; got != want {
		t.Errorf("exit code for a broken batcher: got %d (%v), want %d\n%s", got, err, want, out)
	}
	if want := "--- sh has failed (exit code 1): the log of its emulator ---\n"; !strings.Contains(string(out), want) {
		t.Errorf("got\n%s\nwant %q in it", out, want)
	}
	checkEmpty(t, temporary)
}

// TestCommandsDoNotMeet runs several commands at once, in a project that `devtool dev` serves.
func TestCommandsDoNotMeet(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	const script = `curl -fsS -d x "$DEVTOOL_URL" && devtool time advance $0 &&
		curl -fsS -d x "$DEVTOOL_URL" && devtool alarms list --json`
	var running sync.WaitGroup
	outputs := make([]bytes.Buffer, 3)
	for i := range outputs {
		cmd, _ := p.execCall("--", "sh", "-c", script, fmt.Sprintf("%ds", i+1))
		cmd.Stdout = &outputs[i]
		running.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Errorf("command %d: %v", i, err)
			}
		})
	}
	running.Wait()
	urls := map[string]bool{}
	for i := range outputs {
		if got := strings.Count(outputs[i].String(), `"class": "Basic"`); got != 1 {
			t.Errorf("alarms of command %d: got %d, want 1 in\n%s", i, got, outputs[i].String())
		}
		urls[outputs[i].String()] = true
	}
	if len(urls) != len(outputs) {
		t.Error("two commands got the same alarms")
	}
	// The project's emulator noticed nothing, and commands still find it.
	if got := p.alarms().Alarms; len(got) != 0 {
		t.Errorf("alarms of the project: got %v, want none", got)
	}
	if got, want := p.time().Mode, control.Frozen; got != want {
		t.Errorf("clock of the project: got %s, want %s", got, want)
	}
	if got := s.get("/var"); got != "hello" {
		t.Errorf("the project's emulator answers %q", got)
	}
}

// TestSignalsGoToTheCommand sends signals to `devtool exec` while its command runs.
func TestSignalsGoToTheCommand(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	for _, test := range []struct {
		name   string
		script string
		signal os.Signal
		code   int
	}{
		{
			"caught",
			`trap 'curl -fsS "$DEVTOOL_URL/var"; exit 7' TERM; echo ready; while :; do sleep 0.01; done`,
			syscall.SIGTERM, 7,
		},
		{
			"an interrupt, caught",
			`trap 'curl -fsS "$DEVTOOL_URL/var"; exit 8' INT; echo ready; while :; do sleep 0.01; done`,
			os.Interrupt, 8,
		},
		{"not caught", `printf 'ready\nhello\n'; exec sleep 1000`, syscall.SIGTERM, 128 + 15},
		{"a lost terminal", `printf 'ready\nhello\n'; exec sleep 1000`, syscall.SIGHUP, 128 + 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd, temporary := p.execCall("--log-level", "none", "--", "sh", "-c", test.script)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			if !lines.Scan() || lines.Text() != "ready" {
				t.Errorf("got %q, want ready", lines.Text())
			}
			cmd.Process.Signal(test.signal) //nolint:errcheck // the exit code shows it
			// While it ends, the command still has its emulator.
			if !lines.Scan() || lines.Text() != "hello" {
				t.Errorf("got %q, want hello", lines.Text())
			}
			for lines.Scan() {
				t.Errorf("got %q, want no more", lines.Text())
			}
			cmd.Wait() //nolint:errcheck // the exit code shows it
			if got := cmd.ProcessState.ExitCode(); got != test.code {
				t.Errorf("exit code: got %d, want %d", got, test.code)
			}
			checkEmpty(t, temporary)
		})
	}
}

// TestASignalBeforeTheCommandRunsEndsTheBuild puts a fake go command on PATH, which never ends.
func TestASignalBeforeTheCommandRunsEndsTheBuild(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			slow := emptyProject(t)
			slow.write("go", "#!/bin/sh\n>\"$SLOW/started\"\nexec sleep 1000\n")
			if err := os.Chmod(slow.path("go"), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd, temporary := p.execCall("--", "echo", "never")
			cmd.Env = append(cmd.Env,
				"SLOW="+slow.dir,
				"PATH="+slow.dir+string(os.PathListSeparator)+os.Getenv("PATH"),
			)
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the build has begun", func() bool {
				_, err := os.Stat(slow.path("started"))
				return err == nil
			})
			cmd.Process.Signal(signal) //nolint:errcheck // the exit code shows it
			cmd.Wait()                 //nolint:errcheck // as above
			if got, want := cmd.ProcessState.ExitCode(), 125; got != want {
				t.Errorf("exit code: got %d, want %d", got, want)
			}
			if got, want := errs.String(), "devtool: interrupted\n"; out.Len() != 0 || !strings.HasSuffix(got, want) {
				t.Errorf("got %q and %q, want %q", out.String(), got, want)
			}
			checkEmpty(t, temporary)
		})
	}
}
