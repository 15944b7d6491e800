package plugin

import (
	"os/exec"
	"sync"
	"syscall"
)

// group is a running command and the processes it has started, signalled as one.
//
// A process id means nothing once its process has been waited for. The system may give the id to a
// stranger, and a signal to that id or that group would hit the stranger. So a signal goes to the
// group only while the id is certainly ours. The order in wait ensures it:
//
//  1. awaitExit blocks until the leader has ended but leaves it a zombie. A zombie still owns its
//     id, and with it the id of its group.
//  2. wait kills the rest of the group, still under the zombie's protection.
//  3. wait sets pinned to false under mu. signal holds mu while it sends, so no signal to the
//     group is under way at that point and none can begin.
//  4. Only then does wait reap the leader.
//
// Where a system can't do step 1, pinned is false from the start of wait on. Signals then go to the
// leader alone through os.Process, which itself guards the id against reuse.
type group struct {
	cmd *exec.Cmd

	mu     sync.Mutex
	pinned bool // the id of the group is certainly ours
}

// startGroup starts cmd as the leader of a new group. The caller must call wait.
func startGroup(cmd *exec.Cmd) (*group, error) {
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &group{cmd: cmd, pinned: true}, nil
}

// signal sends sig to every process of the group. It does nothing once the leader has been reaped.
// It returns no error: a process that can't be signalled has ended, as the callers want.
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

// wait blocks until the leader has ended, and returns the error of [exec.Cmd.Wait]. It kills
// processes of the group that outlive their leader. It must be called exactly once.
func (g *group) wait() error {
	if awaitExit(g.cmd.Process.Pid) {
		g.kill()
	}
	g.mu.Lock()
	g.pinned = false
	g.mu.Unlock()
	return g.cmd.Wait()
}
