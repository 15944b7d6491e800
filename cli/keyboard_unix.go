//go:build darwin || freebsd || linux

package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// A keyboard passes the keys of a terminal to the hotkeys while this job has the terminal. It
// restores the terminal while the job is stopped (Ctrl-Z) or in the background, and at the end,
// even after a crash (keeper_unix.go).
type keyboard struct {
	file *os.File
	keys *hotkeys
	keep *keeper

	// mu guards what follows. changed is signalled when active or ended changes.
	mu      sync.Mutex
	changed *sync.Cond
	active  bool // keys arrive one by one, and the footer is shown
	ended   bool
	before  terminalMode // to be put back
	ours    terminalMode
}

// useKeyboard turns the keys on until ctx ends or release is called. The caller must call release.
// If stream is not a terminal, useKeyboard does nothing.
func useKeyboard(ctx context.Context, stream any, keys *hotkeys) (release func()) {
	file, ok := stream.(*os.File)
	if !ok {
		return func() {}
	}
	k := &keyboard{file: file, keys: keys, keep: startKeeper(file)}
	k.changed = sync.NewCond(&k.mu)
	// A job that reads or changes a terminal from the background is stopped, unless it ignores
	// these signals. Then a read fails.
	signal.Ignore(syscall.SIGTTIN, syscall.SIGTTOU)
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGCONT, syscall.SIGWINCH)
	if !signal.Ignored(syscall.SIGTSTP) {
		signal.Notify(signals, syscall.SIGTSTP)
	}
	k.take()
	ended := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.follow(ctx, signals, ended)
	}()
	go k.read(ctx)
	return sync.OnceFunc(func() {
		close(ended)
		<-done
		signal.Stop(signals)
		k.keep.end()
	})
}

// follow handles signals, and gives the terminal back at the end.
func (k *keyboard) follow(ctx context.Context, signals chan os.Signal, ended <-chan struct{}) {
	defer k.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			return
		case sig := <-signals:
			switch sig {
			case syscall.SIGTSTP:
				if !ofShell() {
					continue
				}
				k.give()
				stop()
				k.take()
			case syscall.SIGCONT: // from the background, maybe
				k.take()
			case syscall.SIGWINCH:
				k.keys.display.redraw()
			}
		}
	}
}

// stop stops this process, as an uncaught Ctrl-Z does, and returns when it goes on. It sends
// SIGSTOP, because the Go runtime keeps SIGTSTP to itself once a program has asked for it.
func stop() {
	release := betweenForks()
	defer release()
	stopSelf()
}

// forkPatience is how many milliseconds a process may take to start before it counts as stopped.
const forkPatience = 20

// betweenForks waits until no process is being started, and prevents new ones until release is
// called. A thread that starts a process can't be stopped until the child has called exec. The
// terminal may have stopped the child before that, so it is continued: otherwise both would wait
// for ever.
func betweenForks() (release func()) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 1; !syscall.ForkLock.TryLock(); n++ {
		if n%forkPatience == 0 {
			syscall.Kill(0, syscall.SIGCONT) //nolint:errcheck // a group has at least this process
			continueChildren()
		}
		<-tick.C
	}
	return syscall.ForkLock.Unlock
}

// take makes the terminal pass on each key at once, if this job has the terminal.
func (k *keyboard) take() {
	k.mu.Lock()
	defer k.mu.Unlock()
	fd := int(k.file.Fd())
	if k.ended || !inForeground(fd) {
		return
	}
	now, err := modeOf(fd)
	if err != nil {
		return
	}
	if !k.active || now != k.ours { // else nobody has changed it meanwhile
		k.before = now
	}
	if setModeOf(fd, byKeys(k.before)) != nil {
		return
	}
	if k.ours, err = modeOf(fd); err != nil {
		return
	}
	k.keep.remember(k.before, k.ours)
	k.active = true
	k.changed.Broadcast()
	k.keys.show()
}

// give restores the terminal's mode.
func (k *keyboard) give() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.giveLocked()
}

func (k *keyboard) giveLocked() {
	if !k.active {
		return
	}
	k.active = false
	k.keys.display.show(nil)
	k.keys.display.flush()
	if fd := int(k.file.Fd()); inForeground(fd) {
		setModeOf(fd, k.before) //nolint:errcheck // it has gone
	}
}

func (k *keyboard) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.giveLocked()
	k.ended = true
	k.changed.Broadcast()
}

// read passes on the keys. It ends with the process, because a read of a terminal can't be
// canceled.
func (k *keyboard) read(ctx context.Context) {
	typed := make([]byte, 256)
	for {
		n, err := k.file.Read(typed)
		if !k.await() {
			return
		}
		switch {
		case n > 0:
			k.keys.feed(ctx, typed[:n])
		case !errors.Is(err, syscall.EIO): // which says that the job was in the background
			return
		}
	}
}

// await waits until this job has the terminal. It returns false if the keyboard has ended.
func (k *keyboard) await() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for !k.active && !k.ended {
		k.changed.Wait()
	}
	return !k.ended
}
