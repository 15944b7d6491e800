//go:build darwin || freebsd || linux

package cli

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

func TestAProcessThatIsBeingStartedIsNotLeftStopped(t *testing.T) {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	syscall.ForkLock.Lock() // as while a process is being started
	between := make(chan struct{})
	go func() {
		betweenForks()()
		close(between)
	}()
	<-continued
	select {
	case <-between:
		t.Error("it did not wait for the process")
	default:
	}
	syscall.ForkLock.Unlock()
	<-between
}
