package cli

import (
	"context"
	"os"
	"testing"
	"time"
)

func TestASignalThatIsDeliveredTwiceIsOne(t *testing.T) {
	signals, window := make(chan os.Signal, 2), make(chan time.Time)
	released := make(chan struct{})
	begun := 0
	ctx, stop := untilSignal(t.Context(), signals,
		func() <-chan time.Time { begun++; return window },
		func() { close(released) })
	defer stop()

	signals <- os.Interrupt
	<-ctx.Done()
	signals <- os.Interrupt
	select {
	case <-released:
		t.Fatal("signals are the system's within the window: the second one ends the process")
	default:
	}
	window <- time.Time{}
	<-released
	if begun != 1 {
		t.Errorf("the window began %d times, want once", begun)
	}
}

func TestACommandThatNothingInterruptsGivesSignalsBack(t *testing.T) {
	released := make(chan struct{})
	ctx, stop := untilSignal(context.Background(), nil, nil, func() { close(released) })
	if ctx.Err() != nil {
		t.Fatalf("the context has ended without a signal: %v", ctx.Err())
	}
	stop()
	<-released
}
