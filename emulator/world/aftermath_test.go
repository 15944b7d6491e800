package world

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
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

// sleepers returns a script whose alarms sleep for an hour, except that of the object "crashes",
// which calls crash. The alarms of the next script note how long after the beginning they run.
func sleepers(crash func(next *script)) (s, next *script) {
	var begin time.Time
	next = newScript(nil)
	next.handlers = map[string]func(*call) (string, error){
		"alarm": func(c *call) (string, error) {
			next.note("%s@%s", c.object, c.now().Sub(begin).Truncate(time.Second))
			return "", nil
		},
	}
	s = newScript(map[string]func(*call) (string, error){
		"/begin": func(c *call) (string, error) { begin = c.now(); return "", nil },
		"/set1s": func(c *call) (string, error) { return "", c.setAlarm(time.Second) },
		"/set5s": func(c *call) (string, error) { return "", c.setAlarm(5 * time.Second) },
		"/block": func(c *call) (string, error) {
			return "", errors.Join(c.plain(wire.MethodBlock), c.sleep(20*time.Second))
		},
		"alarm": func(c *call) (string, error) {
			if c.object == "crashes" {
				crash(next)
				return "", nil
			}
			return "", c.sleep(time.Hour)
		},
	})
	return s, next
}

// moving begins an advance by a minute, and returns what yields its runs.
func (w *world) moving() (fired func() []string) {
	done := make(chan *control.Advanced, 1)
	go func() {
		advanced, err := w.advanceBy(context.Background(), time.Minute)
		if err != nil {
			w.t.Error(err)
		}
		done <- advanced
	}()
	return func() []string { return outcomes((<-done).Fired) }
}

// An alarm that sleeps holds no step. Its retry counts from the time of the crash nevertheless.
func TestAMoveOfTheClockWaitsForAlarmsThatACrashHasEnded(t *testing.T) {
	s, next := sleepers(nil)
	gate := make(chan struct{})
	s.failing = func(*call) { <-gate }
	fail := sync.OnceFunc(func() { close(gate) })
	w := newWorld(t, s)
	w.waits.Aftermath = deadline // on a busy machine, too
	defer fail()
	w.want("a", "/begin", "")
	w.want("a", "/set1s", "")
	w.moveOn(time.Second)
	w.crash(next)
	fired := w.moving()
	eventually(t, "the move waits", func() bool {
		w.aftermath.mu.Lock()
		defer w.aftermath.mu.Unlock()
		return w.aftermath.settled != nil
	})
	fail()
	wantList(t, "fired", fired(), []string{"Lab/a ok"})
	if got, want := next.notes(), "a@3s"; got != want {
		t.Errorf("got runs %q, want %q", got, want)
	}
}

// One alarm crashes the program during its step. Others have left their steps: one sleeps, and one
// waits for the turn of a request that sleeps. The crash ends all at the same time of the clock.
func TestAlarmsThatACrashHasEndedCountTheirRetryFromItsTime(t *testing.T) {
	var w *world
	var crashed sync.WaitGroup
	over := make(chan struct{})
	defer crashed.Wait()
	defer close(over)
	s, next := sleepers(func(next *script) {
		crashed.Go(func() { w.crash(next) })
		<-over // the handler of a lost program never returns
	})
	gate := make(chan struct{})
	s.failing = func(c *call) {
		if c.object != "crashes" {
			<-gate
		}
	}
	fail := sync.OnceFunc(func() { close(gate) })
	defer fail()
	w = newWorld(t, s)
	w.want("sleeps", "/begin", "")
	w.want("sleeps", "/set1s", "")
	w.want("waits", "/set1s", "")
	w.want("crashes", "/set5s", "")
	blocked := make(chan struct{})
	go func() {
		defer close(blocked)
		w.getContext(context.Background(), "waits", "/block") //nolint:errcheck // its program dies
	}()
	w.awaitSleepers(1)
	fired := w.moving()
	eventually(t, "the crash has ended its alarm", func() bool {
		a, ok := w.alarm("crashes")
		return ok && !a.Running && a.Due.After(a.Scheduled)
	})
	fail()
	<-blocked
	runs := fired()
	slices.Sort(runs)
	wantList(t, "fired", runs, []string{
		"Lab/crashes ok", "Lab/crashes retry", "Lab/sleeps ok", "Lab/sleeps retry",
		"Lab/waits ok", "Lab/waits retry",
	})
	notes := strings.Fields(next.notes())
	slices.Sort(notes)
	wantList(t, "runs", notes, []string{"crashes@7s", "sleeps@7s", "waits@7s"})
}
