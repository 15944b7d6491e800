package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"devtool.internal/emulator"
)

// Exit codes of `devtool exec` besides those of the command that it runs. They are the shell's, and
// those of other programs that run a program.
const (
	exitNotReady  = 125 // the emulator could not be started, or not be ended in good order
	exitNotRun    = 126 // the command is there, and can't be run
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
		about: `Builds the handler program and serves it on a free port, with no objects, and with
a clock that stands still until the command moves it. The command finds it in
DEVTOOL_URL, and so does every devtool that the command calls, from any folder and
whatever else runs for the project. When the command ends all of it is gone.

The exit code is the command's, 128 and the signal's number if a signal ended it.
125 says that the emulator did not start, 126 that the command can't be run, 127
that it was not found. The log is shown only if the command failed.`,
		args: []argument{{name: "DIR", optional: true,
			usage: "folder of the project (default: the one above with a wrangler file)"}},
		rest: &o.command,
		flags: append(flags,
			flag{name: "running", usage: "start with a clock that runs", target: &o.running},
			flag{name: "verbose", usage: "show the log, and what handlers print, as it comes", target: &o.verbose},
			flag{name: "json", usage: "print devtool's own errors as JSON", target: &o.dev.json},
		),
		examples: []example{
			{"devtool exec -- ./test.sh", ""},
			{"devtool exec my-app --var UPSTREAM:http://localhost:9000 -- go test ./e2e", ""},
			{"devtool exec -- sh -c 'curl -s $DEVTOOL_URL/orders -d 1 && devtool time advance 10s'", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			there := s
			if len(args) > 0 {
				var err error
				if there, err = s.in(args[0]); err != nil {
					return misuse("the command to run stands after --", "%s is not a folder", args[0])
				}
			}
			return execute(ctx, s, there, o)
		},
	}
}

// execute runs the command in the folder of s beside an emulator of the project that there
// is in.
func execute(ctx context.Context, s, there Streams, o execOptions) error {
	program, err := findProgram(s, o.command[0])
	if err != nil {
		return err
	}
	// The command, and not what it needs, is to decide what a signal means. Until it runs a
	// signal ends this one by way of ctx, but for a lost terminal, which Main does not mind.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	log := &execLog{}
	if o.verbose {
		log.live = s.Err
	}
	b, err := startBeside(ctx, there, o, log, signals)
	if err != nil {
		log.show(s.Err, "")
		return notReady(err)
	}
	status, err := b.runCommand(s, program, o.command, signals)
	endErr := b.end()
	switch {
	case err != nil:
		return errors.Join(err, endErr)
	case status != exitDone:
		log.show(s.Err, fmt.Sprintf("%s has failed (exit code %d)", filepath.Base(program), status))
		return exitStatus(status)
	case endErr != nil:
		log.show(s.Err, "")
		return notReady(endErr)
	}
	return nil
}

// findProgram is the path of the program that is called name.
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

// notReady is the error for an emulator that did not serve the command.
func notReady(err error) error {
	if exitCode(err) == exitMisuse {
		return err
	}
	message, hint := explain(err)
	return &problem{message, hint, exitNotReady}
}

// beside is an emulator that serves one command.
type beside struct {
	url    string
	folder string // its state and the built program, and nothing else
	stop   context.CancelFunc
	ended  chan error // has the outcome, once
}

// startBeside returns when the emulator is ready. Everything that it says goes to log.
func startBeside(
	ctx context.Context, s Streams, o execOptions, log *execLog, signals <-chan os.Signal,
) (_ *beside, err error) {
	o.dev.frozen = !o.running
	p, err := openProject(s, o.dev, log, log)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "devtool-exec-")
	if err != nil {
		return nil, fmt.Errorf("make folder for the state: %w", err)
	}
	// A signal meant for the command must not take the emulator away from it.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	b := &beside{folder: folder, stop: stop, ended: make(chan error, 1)}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		b.ended <- nil
		return nil, errors.Join(fmt.Errorf("listen: %w", err), b.end())
	}
	// By number, because another server may listen on [::1], and "localhost" may lead there.
	b.url = "http://" + listener.Addr().String()

	options := p.options()
	options.Listener = listener
	options.State = filepath.Join(folder, "state")
	options.Build = filepath.Join(folder, "build")
	options.Apart = true
	e, err := emulator.New(options)
	if err != nil {
		listener.Close()
		b.ended <- nil
		return nil, errors.Join(err, b.end())
	}
	ready := make(chan struct{})
	go func() { b.ended <- e.Run(running, func() { close(ready) }) }()
	interrupted := errors.New("interrupted")
	select {
	case <-ready:
		if ctx.Err() == nil {
			return b, nil
		}
		err = interrupted
	case err = <-b.ended:
		b.ended <- nil
		err = s.explainDev(log, err)
	case <-ctx.Done():
		err = interrupted
	case <-signals:
		err = interrupted
	}
	return nil, errors.Join(err, b.end())
}

// end stops the emulator and removes what it has left.
func (b *beside) end() error {
	b.stop()
	err := <-b.ended
	if removeErr := os.RemoveAll(b.folder); removeErr != nil {
		err = errors.Join(err, fmt.Errorf("remove the state: %w", removeErr))
	}
	return err
}

// outputDelay is how long a command that has ended may keep us waiting because something that it
// has started still holds its output open. It plays no part where the command writes into a file or
// a terminal itself.
const outputDelay = 2 * time.Second

// runCommand runs the command to its end and returns its exit code.
func (b *beside) runCommand(s Streams, program string, line []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(program)
	cmd.Args = line
	cmd.Dir = s.Dir
	cmd.Env = append(cmd.Environ(), "DEVTOOL_URL="+b.url)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	cmd.WaitDelay = outputDelay
	if err := cmd.Start(); err != nil {
		hint := ""
		if errors.Is(err, syscall.ENOEXEC) {
			hint = "a script has to begin with a line like #!/bin/sh"
		}
		return 0, &problem{fmt.Sprintf("run command: %v", err), hint, exitNotRun}
	}
	// The command is in our process group. So Ctrl-C reaches it by itself when it is typed, and it
	// can read from the terminal.
	typed := s.IsTerminal(s.In) || s.IsTerminal(s.Out) || s.IsTerminal(s.Err)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			if sig != os.Interrupt || !typed {
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

// statusOf is the exit code that a shell would show for a command.
func statusOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalled + int(status.Signal())
	}
	return state.ExitCode()
}
