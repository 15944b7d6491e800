//go:build darwin || freebsd || linux

package cli

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// A process that is killed, or that panics in some goroutine, does not restore the terminal. So
// while keys arrive one by one, a second process of this program, the keeper, waits at the other
// end of a pipe. The line allWell makes it end. Anything else makes it restore the terminal: the
// end of the pipe, or the first line of a crash, which the Go runtime also writes there. So the
// keeper is done before the shell looks at the terminal again.

// keeperVariable makes a process of this program a keeper.
const keeperVariable = "DEVTOOL_TERMINAL_KEEPER"

// keptMode is a line of the pipe. The keeper replaces Ours by Before, and leaves any other mode
// alone.
type keptMode struct {
	Before, Ours terminalMode
}

// allWell is the line that makes a keeper end and change nothing.
const allWell = "ok"

// keeper is the keeper's process, in the process that started it. A nil keeper does nothing.
type keeper struct {
	cmd  *exec.Cmd
	pipe *os.File
}

// startKeeper starts a keeper, or returns nil if that fails: the keyboard then works without one,
// except after a crash.
func startKeeper(terminal *os.File) *keeper {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer theirs.Close()
	cmd := exec.Command(program)
	cmd.Args = []string{"devtool: keeps the terminal"} // what a list of processes shows
	cmd.Env = []string{keeperVariable + "=1", "GOMAXPROCS=1"}
	cmd.Stdin = terminal
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil
	}
	debug.SetCrashOutput(ours, debug.CrashOptions{}) //nolint:errcheck // the end of the pipe tells, too
	return &keeper{cmd, ours}
}

func (k *keeper) remember(before, ours terminalMode) {
	if k == nil {
		return
	}
	if b, err := json.Marshal(keptMode{before, ours}); err == nil {
		k.pipe.Write(append(b, '\n')) //nolint:errcheck // nobody is there, then
	}
}

// end ends the keeper. The terminal must have been restored before.
func (k *keeper) end() {
	if k == nil {
		return
	}
	debug.SetCrashOutput(nil, debug.CrashOptions{}) //nolint:errcheck // as above
	io.WriteString(k.pipe, allWell+"\n")            //nolint:errcheck // as above
	k.pipe.Close()
	k.cmd.Wait() //nolint:errcheck // as above
}

// keepTerminal runs the keeper, if this process was started as one.
func keepTerminal(env func(string) string) (code int, asked bool) {
	if env(keeperVariable) == "" {
		return 0, false
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP,
		syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	const terminal, pipe = 0, 3
	var kept *keptMode
	lines := bufio.NewReader(os.NewFile(pipe, "pipe"))
	for {
		line, err := lines.ReadBytes('\n')
		if string(line) == allWell+"\n" {
			return 0, true
		}
		var next keptMode
		if err == nil && json.Unmarshal(line, &next) == nil {
			kept = &next
			continue
		}
		break
	}
	if kept != nil {
		if now, err := modeOf(terminal); err == nil && now == kept.Ours {
			setModeOf(terminal, kept.Before) //nolint:errcheck // it has gone
		}
	}
	io.Copy(io.Discard, lines) //nolint:errcheck // so that the runtime can write all of the crash
	return 0, true
}
