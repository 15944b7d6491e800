package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"devtool.internal/emulator/control"
)

// defaultSettle is how long, in real time, Settle waits for handlers that do not come to rest.
const defaultSettle = 10 * time.Second

// How often Settle looks, in real time: soon at first, because most handlers are at rest or nearly
// so, and then less often.
const (
	firstLook = 50 * time.Microsecond
	lastLook  = 5 * time.Millisecond
)

// Settle returns when the world is at rest: no advance is under way, and each event's handler waits
// or has ended. It fails after limit of real time, or defaultSettle if limit is 0, with a
// *control.Error that names the handlers that do not rest. What a running clock starts meanwhile is
// not waited for.
//
// A handler rests as package world sees it: it waits for the clock, for another event, for its
// turn, or for the outside. A handler with several goroutines, or with a body under way, must also
// be silent for a while (see rest.go).
func (w *World) Settle(ctx context.Context, limit time.Duration) error {
	if limit == 0 {
		limit = defaultSettle
	}
	s := settling{w: w, quiet: make(map[*Event]silence)}
	began := time.Now()
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		if s.settled() {
			return nil
		}
		if time.Since(began) > limit {
			if p := w.programs.Running(); p == nil || !p.Spared(max(limit, recovery)) {
				return s.failure(limit)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// SettleLimit returns the limit of a request to settle. The error is a *control.Error.
func SettleLimit(q control.SettleRequest) (time.Duration, error) {
	if q.Limit == "" {
		return defaultSettle, nil
	}
	limit, err := time.ParseDuration(q.Limit)
	switch {
	case err != nil:
		return 0, badDuration(q.Limit)
	case limit <= 0:
		return 0, badRequest("the limit must be positive")
	}
	return limit, nil
}

// settling is one call of Settle.
type settling struct {
	w     *World
	quiet map[*Event]silence // quiet and fresh handlers
}

// A silence is how long a handler has made no progress.
type silence struct {
	progress int64
	since    time.Time
}

// A look is what is under way at one moment.
type look struct {
	moving  bool     // an advance is under way
	entries int      // deliveries that are not in a program yet
	begun   uint64   // how many deliveries there were
	events  []*Event // events under way
	rests   []rest
	at      []int64 // the progress of each
}

func (w *World) look() look {
	l := look{moving: w.advancing.Load()}
	l.events, l.entries, l.begun = w.underWay.all()
	for _, ev := range l.events {
		r, progress := ev.rest()
		l.rests, l.at = append(l.rests, r), append(l.at, progress)
	}
	return l
}

// same reports whether l and m saw the same. An event whose progress is the same has rested from
// one look to the other, so all events have rested together.
func (l look) same(m look) bool {
	return !m.moving && l.begun == m.begun && l.entries == m.entries &&
		slices.Equal(l.events, m.events) && slices.Equal(l.rests, m.rests) && slices.Equal(l.at, m.at)
}

// signsOfLife is how often the world asks the program before it believes that a handler rests. An
// answer says that everything which the program had asked for has arrived. The others give
// goroutines time that the handler has just started, or that an answer has just woken.
const signsOfLife = 3

// respondsOften reports whether the program answers signsOfLife times.
func respondsOften(p Program) bool {
	for range signsOfLife {
		if !p.Responds() {
			return false
		}
	}
	return true
}

// settled reports whether everything is at rest.
func (s *settling) settled() bool {
	l := s.w.look()
	if l.moving || l.entries > 0 {
		return false
	}
	silent := true
	var timers []*Event
	for i, ev := range l.events {
		switch l.rests[i] {
		case busy:
			return false
		case quiet:
			silent = s.isSilent(ev, l.at[i], s.w.waits.Silence) && silent
		case fresh:
			silent = s.isSilent(ev, l.at[i], s.w.waits.Silence/10) && silent
		case timed:
			timers = append(timers, ev)
		}
	}
	if !silent {
		return false
	}
	if len(l.events) == 0 {
		return true
	}
	if !respond(slices.Values(l.events)) {
		return false
	}
	for _, ev := range timers {
		if !blocked(ev.prog.Stack(ev)) {
			return false
		}
	}
	if !l.same(s.w.look()) {
		return false
	}
	for i, ev := range l.events {
		if l.rests[i] == quiet || l.rests[i] == fresh {
			ev.foundSilent(l.at[i])
		}
	}
	return true
}

// isSilent reports whether a handler has made no progress for d of real time.
func (s *settling) isSilent(ev *Event, progress int64, d time.Duration) bool {
	q, ok := s.quiet[ev]
	if !ok || q.progress != progress {
		q = silence{progress, time.Now()}
		s.quiet[ev] = q
	}
	return time.Since(q.since) >= d
}

// failure returns an error that names what does not rest.
func (s *settling) failure(limit time.Duration) error {
	l := s.w.look()
	var lines []string
	for i, ev := range l.events {
		switch l.rests[i] {
		case resting, fresh:
			continue
		case quiet:
			if s.isSilent(ev, l.at[i], s.w.waits.Silence) {
				continue
			}
		}
		line := ev.Title() + " still runs: it waits for nothing that the emulator knows of"
		if stack := strings.TrimRight(ev.prog.Stack(ev), "\n"); stack != "" {
			line += "\n" + stack
		}
		lines = append(lines, line)
	}
	switch {
	case l.entries > 0:
		line := fmt.Sprintf("%d events wait for a program", l.entries)
		if l.entries == 1 {
			line = "1 event waits for a program"
		}
		if why := s.w.programs.Missing(); why != "" {
			line += ": " + why
		}
		lines = append(lines, line)
	case l.moving:
		lines = append(lines, "an advance is under way")
	case len(lines) == 0:
		lines = append(lines, "handlers go on again and again")
	}
	return control.Errorf(control.CodeNotSettled, "handlers did not come to rest within %s of real time: %s",
		limit, strings.Join(lines, "\n"))
}

// settleFirst settles the world before an advance. If it ends with an error, the advance ends.
func (w *World) settleFirst(ctx context.Context) error {
	err := w.Settle(ctx, 0)
	if refusal := (*control.Error)(nil); err == nil || errors.As(err, &refusal) {
		return err
	}
	return control.Errorf(control.CodeNoAnswer, "the advance was stopped before it began")
}

// Waiting returns what waits for the clock, in the order of the times at which it goes on.
func (w *World) Waiting() control.Waiting {
	answer := control.Waiting{Now: w.clock.Now(), Mode: string(w.clock.Mode()), Waiting: []control.Waiter{}}
	events, _, _ := w.underWay.all()
	for _, ev := range events {
		if ev.root() != ev {
			continue
		}
		for _, sleeper := range ev.waitsForClock() {
			answer.Waiting = append(answer.Waiting, ev.describeWait(sleeper))
		}
	}
	slices.SortStableFunc(answer.Waiting, func(a, b control.Waiter) int { return a.Until.Compare(b.Until) })
	return answer
}

// describeWait describes ev, which waits for the clock because sleeper does.
func (ev *Event) describeWait(sleeper *Event) control.Waiter {
	waiter := control.Waiter{Event: ev.number, Until: sleeper.until()}
	waiter.Kind, waiter.About = ev.about()
	if ev.request != nil {
		waiter.About = requestLine(ev.request)
	}
	if sleeper.obj != nil {
		waiter.Object = sleeper.obj.which()
	}
	return waiter
}
