package plugin

import (
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// outputDelay bounds how long a process that has ended may keep us waiting
// because a descendant outside its group still holds its output open.
const outputDelay = 2 * time.Second

// group is a running command and the processes it has started, signalled as
// one.
//
// A process id means nothing once its process has been waited for: the system
// may give it to a stranger, and a signal to that number, or to the group of
// that number, would hit the stranger. So a signal is sent to the group only
// while the number is certainly ours. The order that ensures it is in wait:
//
//  1. awaitExit blocks until the leader has ended but leaves it a zombie. A
//     zombie still owns its id, and with it the id of its group.
//  2. What is left of the group is killed, still under the zombie's protection.
//  3. pinned becomes false under mu. signal holds mu while it sends, so no
//     signal to the group is under way now and none can begin.
//  4. Only then is the leader reaped.
//
// Where a system offers no way to do step 1, pinned is false from the start of
// wait on, and signals go to the leader alone through os.Process, which guards
// its id against reuse by itself.
type group struct {
	cmd *exec.Cmd

	mu     sync.Mutex
	pinned bool // the id of the group is certainly ours
}

// startGroup starts cmd as the leader of a new group. The caller must call wait.
func startGroup(cmd *exec.Cmd) (*group, error) {
	ownGroup(cmd)
	cmd.WaitDelay = outputDelay
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &group{cmd: cmd, pinned: true}, nil
}

// signal sends sig to every process of the group. It does nothing once the
// leader has been reaped. A process that can't be signalled any more has ended,
// which is what the callers want of it, so there is no error to report.
func (g *group) signal(sig syscall.Signal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pinned && signalGroup(g.cmd.Process.Pid, sig) == nil {
		return
	}
	_ = g.cmd.Process.Signal(sig)
}

// kill ends the group at once.
func (g *group) kill() { g.signal(syscall.SIGKILL) }

// wait blocks until the leader has ended and its output has been read, and
// returns what [exec.Cmd.Wait] does. Processes of the group that outlive their
// leader are killed. It must be called exactly once.
func (g *group) wait() error {
	if awaitExit(g.cmd.Process.Pid) {
		g.kill()
	}
	g.mu.Lock()
	g.pinned = false
	g.mu.Unlock()
	return g.cmd.Wait()
}
