package world

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"devtool.internal/clock"
)

// The log says at once which requests, alarms and cron triggers wait for a clock that is frozen,
// because nothing else would. An advance is about to let them go on: it names what still waits at
// its end.

// Freeze stops the clock, and names what waits for it.
func (w *World) Freeze() error {
	if err := w.clock.Freeze(); err != nil {
		return err
	}
	w.slowed(w.clock.Rate())
	w.nameAllFrozen()
	return nil
}

// SetRate makes the clock run at rate times real time.
func (w *World) SetRate(rate float64) error {
	before := w.clock.Rate()
	if err := w.clock.SetRate(rate); err != nil {
		return err
	}
	w.slowed(before)
	return nil
}

// slowed gives idle objects their usual time again, after a clock that may have run at a rate at
// which they had more.
func (w *World) slowed(from float64) {
	if from > 1 {
		w.rearmIdle()
	}
}

// standsStill reports whether only a command can make the clock go on.
func (w *World) standsStill() bool { return !w.advancing.Load() && w.clock.Mode() == clock.Frozen }

// nameFrozen names the events that wait because ev waits for the clock. One of them has led to ev.
// The others have led to events that wait in a queue behind ev. It does nothing if ev is nil.
func (w *World) nameFrozen(ev *Event) {
	if ev == nil || !w.standsStill() {
		return
	}
	ev.root().nameOnce()
	for ; ev != nil; ev = ev.callerEvent() {
		for _, behind := range ev.heldUp() {
			behind.root().nameOnce()
		}
	}
}

// nameAllFrozen names everything that waits for the clock, if that stands still.
func (w *World) nameAllFrozen() {
	if !w.standsStill() {
		return
	}
	events, _, _ := w.underWay.all()
	for _, ev := range events {
		if ev.root() == ev && len(ev.waitsForClock()) > 0 {
			ev.nameOnce()
		}
	}
}

// heldUp returns the events that wait for the turn which ev keeps.
func (ev *Event) heldUp() (behind []*Event) {
	if ev.obj == nil {
		return nil
	}
	ev.obj.mu.Lock()
	defer ev.obj.mu.Unlock()
	if ev.obj.turn != &ev.ticket {
		return nil
	}
	for _, w := range ev.obj.queue {
		if w.ticket.ev != nil {
			behind = append(behind, w.ticket.ev)
		}
	}
	return behind
}

// nameOnce logs that the event waits for the clock, unless that was logged before.
func (ev *Event) nameOnce() {
	if !ev.named.Swap(true) {
		ev.w.log.Info(ev.what() + " waits for the clock, which is frozen")
	}
}

// what names the event as the log names its outcome: "GET /sleep", "alarm Lab/a", "cron * * * * *".
// It escapes what a client has sent, because the line is for a terminal.
func (ev *Event) what() string {
	if ev.request == nil {
		kind, about := ev.about()
		return kind + " " + about
	}
	if u, err := url.Parse(ev.request.URL); err == nil {
		return ev.request.Method + " " + cmp.Or(u.EscapedPath(), "/")
	}
	return ev.request.Method + " " + strconv.Quote(ev.request.URL)
}

// about returns the kind of an event that is no request, and what it is about: the expression of a
// cron trigger, an object, or the worker.
func (ev *Event) about() (kind, about string) {
	kind, about, _ = strings.Cut(ev.kind, " ") // a cron trigger's kind has its expression
	switch {
	case about != "":
	case ev.obj != nil:
		about = ev.obj.String()
	default:
		about = "worker " + ev.w.name
	}
	return kind, about
}
