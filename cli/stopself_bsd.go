//go:build darwin || freebsd

package cli

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopDelay is how long it may take from the signal until the process stands still.
const stopDelay = time.Second

// stopSelf stops this process and returns when it goes on.
func stopSelf() {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	syscall.Kill(syscall.Getpid(), syscall.SIGSTOP) //nolint:errcheck // it goes on, then
	timer := time.NewTimer(stopDelay)
	defer timer.Stop()
	select {
	case <-continued:
	case <-timer.C: // it was not stopped, as the first process of a container is not
	}
}

// continueChildren does nothing: these systems have no list of a process's children in files.
func continueChildren() {}
