package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// stopSelf stops this process and returns when it goes on. The signal is for this thread, which
// therefore handles it before the call returns. The kernel may give a signal for the process to
// another thread. Then this one would run on, and take the terminal back before the process stops.
func stopSelf() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGSTOP) //nolint:errcheck // it goes on, then
}

// continueChildren continues the children that have not called exec yet, and so still run this
// program. The terminal may have stopped one just when it got a process group of its own, where no
// signal for our group reaches it.
func continueChildren() {
	ours, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return
	}
	for _, program := range programs {
		if theirs, err := os.Readlink(program); err != nil || theirs != ours {
			continue
		}
		folder := filepath.Dir(program)
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err == nil && parentOf(folder) == os.Getpid() {
			syscall.Kill(pid, syscall.SIGCONT) //nolint:errcheck // it has ended
		}
	}
}

// parentOf returns the id of the parent of the process with this folder in /proc, or 0.
func parentOf(folder string) int {
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return 0
	}
	// The second field is a name in parentheses, which may hold anything. State and parent follow.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}
