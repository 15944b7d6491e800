package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// repeatWindow is how long, in real time, further signals count as the first one. Ctrl-C reaches
// the whole process group, and a script runner such as npm or make may pass it on as well.
const repeatWindow = 500 * time.Millisecond

// endingSignals end a command in good order.
func endingSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	for _, s := range terminalSignals {
		if !signal.Ignored(s) { // as under nohup
			signals = append(signals, s)
		}
	}
	return signals
}

// untilSignal returns a context that the first signal ends. Signals within the repeat window are
// part of the first. After the window it calls release, which gives signals back to the system: a
// later one ends the process at once. window starts the window and returns its end.
func untilSignal(
	parent context.Context, signals <-chan os.Signal, window func() <-chan time.Time, release func(),
) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	stopped := make(chan struct{})
	go func() {
		defer release()
		select {
		case <-signals:
			end := window()
			cancel()
			select {
			case <-end:
			case <-stopped:
			}
		case <-stopped:
		}
	}()
	return ctx, func() {
		cancel()
		close(stopped)
	}
}

// interruptible returns a context that a signal to this process ends (see untilSignal).
func interruptible() (ctx context.Context, stop func()) {
	signals := make(chan os.Signal, 1)
	release := func() { signal.Stop(signals) }
	if signal.Ignored(os.Interrupt) { // as in the background of a script
		release = func() {
			signal.Stop(signals)
			exitAtInterrupt()
		}
	}
	signal.Notify(signals, endingSignals()...)
	window := func() <-chan time.Time { return time.After(repeatWindow) }
	return untilSignal(context.Background(), signals, window, release)
}

// exitAtInterrupt ends the process at the next interrupt, which the system would ignore.
func exitAtInterrupt() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	go func() {
		<-signals
		os.Exit(128 + int(syscall.SIGINT))
	}()
}

// outliveReaders makes writes to a pipe without a reader fail, where the system would end the
// process at once. It lasts until stop.
func outliveReaders() (stop func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE) // and not Ignore, which programs that are started inherit
	return func() { signal.Stop(broken) }
}
