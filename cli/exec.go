package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"devtool.internal/emulator"
	"devtool.internal/emulator/control/client"
	"devtool.internal/internal/leftover"
)

// Exit codes of `devtool exec` besides those of the command that it runs. Shells, env and timeout
// use the same codes.
const (
	exitNotReady  = 125 // the emulator did not start, or did not end well
	exitNotRun    = 126 // the command exists, but can't be run
	exitNotFound  = 127
	exitSignalled = 128 // plus the number of the signal that ended the command
)

type execOptions struct {
	dev     devOptions
	running bool
	verbose bool
	command []string
}

func execCommand() *command {
	o := execOptions{dev: newDevOptions()}
	flags := slices.DeleteFunc(o.dev.flags(), func(f flag) bool {
		taken := []string{"config", "env", "env-file", "var", "strict", "limits", "time", "seed", "log-level"}
		return !slices.Contains(taken, f.name)
	})
	return &command{
		name:    "exec",
		summary: "Run a command beside an emulator of its own, for tests",
		about: `Builds the handler program and serves it on a free port, with no objects and a frozen
clock. DEVTOOL_URL has the emulator's URL and DEVTOOL_TOKEN the token of its control API,
so every devtool that the command calls uses this emulator, from any folder. When the
command ends, devtool removes everything.

The exit code is that of the command, or 128 plus the signal's number if a signal ended
it. 125 means that the emulator did not start, 126 that the command can't be run, and
127 that it was not found. The log is shown only if the command fails.`,
		args: []argument{{name: "DIR", optional: true,
			usage: "folder of the project (default: the one above with a wrangler file)"}},
		rest: &o.command,
		flags: append(flags,
			flag{name: "running", usage: "start with a running clock", target: &o.running},
			flag{name: "verbose", usage: "show the log and the output of handlers as they come", target: &o.verbose},
			flag{name: "json", usage: "print devtool's own errors as JSON", target: &o.dev.json},
		),
		examples: []example{
			{"devtool exec -- ./test.sh", ""},
			{"devtool exec my-app --var UPSTREAM:http://localhost:9000 -- go test ./e2e", ""},
			{"devtool exec -- sh -c 'curl -s $DEVTOOL_URL/orders -d 1 && devtool time next'", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			there := s
			if len(args) > 0 {
				var err error
				if there, err = s.in(args[0], "write the command to run after --"); err != nil {
					return err
				}
			}
			return execute(ctx, s, there, o)
		},
	}
}

// execute runs the command in the folder of s, with an emulator for the project in the folder of
// there.
func execute(ctx context.Context, s, there Streams, o execOptions) error {
	program, err := findProgram(s, o.command[0])
	if err != nil {
		return err
	}
	// While the command runs, signals go to the command, which decides what they mean. Before that,
	// they end devtool.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, endingSignals()...)
	defer signal.Stop(signals)

	defer outliveReaders()() // the command's exit code counts, whether or not somebody reads the log
	outlet := newOutlet(raw(s.Err), noticeAs(o.dev.logFormat, colored(s, s.Err)))
	defer outlet.flush(flushPatience, flushLimit)
	stderr := safeWriter{outlet, colored(s, s.Err)}
	log := &execLog{}
	if o.verbose {
		log.live = stderr
	}
	folder, err := leftover.Make(os.TempDir(), "devtool-exec-")
	if err != nil {
		return notReady(fmt.Errorf("make folder for the state: %w", err))
	}
	e, err := startExecEmulator(ctx, there, o, folder.Path, log, signals)
	if err != nil {
		log.show(stderr, "")
		return notReady(errors.Join(err, removeState(folder)))
	}
	status, err := runCommand(s, e, program, o.command, signals)
	endErr := errors.Join(e.End(), removeState(folder))
	switch {
	case err != nil:
		return errors.Join(err, endErr)
	case status != exitDone:
		log.show(stderr, fmt.Sprintf("%s has failed (exit code %d)", filepath.Base(program), status))
		return exitStatus(status)
	case endErr != nil:
		log.show(stderr, "")
		return notReady(endErr)
	}
	return nil
}

// removeState removes the folder with the state of an emulator.
func removeState(folder *leftover.Folder) error {
	if err := folder.Remove(); err != nil {
		return fmt.Errorf("remove the state: %w", err)
	}
	return nil
}

// findProgram returns the path of the program called name.
func findProgram(s Streams, name string) (string, error) {
	if strings.ContainsRune(filepath.ToSlash(name), '/') {
		name = s.path(name)
	}
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", &problem{fmt.Sprintf("there is no command %s", name), "", exitNotFound}
	}
	return "", &problem{fmt.Sprintf("run command: %v", err), "", exitNotRun}
}

// notReady returns the error for an emulator that did not start or did not end well. A misuse stays
// one.
func notReady(err error) error {
	if exitCode(err) == exitMisuse {
		return err
	}
	message, hint := explain(err)
	return &problem{message, hint, exitNotReady}
}

// startExecEmulator starts an emulator that keeps its state in folder, and returns when it is
// ready. All its output goes to log.
func startExecEmulator(
	ctx context.Context, s Streams, o execOptions, folder string, log *execLog, signals <-chan os.Signal,
) (*emulator.Temporary, error) {
	o.dev.frozen = onOffOf(!o.running)
	p, err := openProject(s, o.dev, log, log)
	if err != nil {
		return nil, err
	}
	collectLess(s)
	starting, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(nil)
	started := make(chan struct{})
	var e *emulator.Temporary
	go func() {
		defer close(started)
		e, err = emulator.StartTemporary(starting, folder, p.options())
	}()
	interrupted := errors.New("interrupted")
	select {
	case <-started:
	case <-ctx.Done():
		interrupt(interrupted)
	case <-signals:
		interrupt(interrupted)
	}
	<-started
	if err == nil && (ctx.Err() != nil || starting.Err() != nil) { // it was ready just before
		err = errors.Join(interrupted, e.End())
	}
	return e, s.explainDev(log, err)
}

// outputDelay bounds the wait for output after the command has ended, if a process that it started
// still holds its output open. There is no wait if the command writes to a file or a terminal
// itself.
const outputDelay = 2 * time.Second

// runCommand runs the command to its end and returns its exit code. e is its emulator.
func runCommand(
	s Streams, e *emulator.Temporary, program string, line []string, signals <-chan os.Signal,
) (int, error) {
	cmd := exec.Command(program)
	cmd.Args = line
	cmd.Dir = s.Dir
	cmd.Env = append(cmd.Environ(), "DEVTOOL_URL="+e.URL, client.EnvToken+"="+e.Token)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, raw(s.Out), raw(s.Err)
	cmd.WaitDelay = outputDelay
	if err := cmd.Start(); err != nil {
		hint := ""
		if errors.Is(err, syscall.ENOEXEC) {
			hint = "begin the script with a line like #!/bin/sh"
		}
		return 0, &problem{fmt.Sprintf("run command: %v", err), hint, exitNotRun}
	}
	// The command is in devtool's process group. So it can read from the terminal, and a typed
	// Ctrl-C or Ctrl-\ reaches it directly.
	typed := s.IsTerminal(s.In) || s.IsTerminal(s.Out) || s.IsTerminal(s.Err)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			if !typed || sig != os.Interrupt && sig != syscall.SIGQUIT {
				cmd.Process.Signal(sig) //nolint:errcheck // it may have ended
			}
		case err := <-done:
			if cmd.ProcessState == nil {
				return 0, fmt.Errorf("run command: %w", err)
			}
			return statusOf(cmd.ProcessState), nil
		}
	}
}

// statusOf returns the exit code of a command as a shell shows it.
func statusOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalled + int(status.Signal())
	}
	return state.ExitCode()
}
