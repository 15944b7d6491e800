package world

import (
	"context"
	"testing"
)

func TestAMoveOfTheClockWaitsForWhatAResetHasEnded(t *testing.T) {
	w := newWorld(t, newScript(nil))
	ns := w.namespaces["Lab"]
	o := ns.pin(ns.Named("a"))
	defer ns.unpin(o)
	ev := w.newEvent(context.Background(), w.programs.serving(), o, "alarm")
	w.aftermath.add(ev)
	w.aftermath.add(ev) // as at a second reset
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		w.aftermath.await(deadline)
	}()
	eventually(t, "the move waits", func() bool {
		w.aftermath.mu.Lock()
		defer w.aftermath.mu.Unlock()
		return w.aftermath.settled != nil
	})
	select {
	case <-waited:
		t.Fatal("the move did not wait for the event")
	default:
	}
	ev.retire()
	<-waited
	w.aftermath.add(ev) // it is over
	w.aftermath.await(deadline)
	if w.aftermath.events != 0 {
		t.Errorf("got %d events, want none", w.aftermath.events)
	}
}

func TestAMoveOfTheClockDoesNotWaitForAnEventWhoseCallerNeedsIt(t *testing.T) {
	w := newWorld(t, newScript(nil))
	ns := w.namespaces["Lab"]
	o := ns.pin(ns.Named("a"))
	defer ns.unpin(o)
	caller := w.newEvent(context.Background(), w.programs.serving(), nil, "fetch")
	ev := w.newEvent(context.Background(), w.programs.serving(), o, "fetch")
	defer caller.retire()
	defer ev.retire()
	defer ev.callFor(caller)()
	w.aftermath.add(ev)
	w.aftermath.await(deadline) // returns at once
	if w.aftermath.events != 0 {
		t.Errorf("got %d events, want none", w.aftermath.events)
	}
}
