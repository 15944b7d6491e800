package world

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// The random worlds of laws_test.go: what their handlers do, and what happens from outside.

// A universe is a random world. Times are in milliseconds.
type universe struct {
	Every  int64      // minutes between the runs of a cron trigger, or 0 for no trigger
	Cron   []deed     // of the cron trigger
	Alarms [][][]deed // run k of object n's alarm does Alarms[n][k % len]
	Course []move
}

// A deed is one action of a handler. If it fails, it ends the handler.
type deed struct {
	What   string
	After  int64  // for set and later: from now; for sleep: how long
	Object int    // to call
	Do     []deed // of the called object
}

// What handlers do.
const (
	doSet    = "set"    // the alarm
	doDelete = "delete" // the alarm
	doUndone = "undone" // sets the alarm in a transaction that is rolled back
	doSync   = "sync"
	doFail   = "fail"
	doAbort  = "abort"
	doDrop   = "drop"      // abort, and drop the alarm that is running
	doCall   = "call"      // another object
	doLater  = "waitUntil" // sets the alarm in work that outlives the handler
	doSleep  = "sleep"
)

// A move is one action on the world from outside.
type move struct {
	What   string
	After  int64 // by how much to move the clock, or the alarm's time from now
	Object int
	Do     []deed
}

// What is done from outside.
const (
	moveOn      = "advance"
	moveNext    = "next" // advance to what is due next
	moveJump    = "jump"
	moveRequest = "request"
	moveTrigger = "trigger" // the alarm, by the control API
	moveDelete  = "delete"  // the same
	moveSet     = "set"     // the same
)

// mostAlarms limits how often the objects of a universe set alarms, because alarms could set each
// other for ever.
const mostAlarms = 40

// delays draws delays with which alarms often meet each other, retries, cron triggers and
// evictions.
func delays() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Map(rapid.Int64Range(-1, 4), func(s int64) int64 { return s * 1000 }),
		rapid.Map(rapid.Int64Range(0, 7), func(s int64) int64 { return s * 10_000 }),
		rapid.Int64Range(0, 70_000),
	)
}

// deeds draws what a handler of object self does, or the worker if self is -1.
func deeds(objects, self int, whats []string) *rapid.Generator[[]deed] {
	return rapid.Custom(func(t *rapid.T) []deed {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
			d := deed{What: rapid.SampledFrom(whats).Draw(t, "what")}
			switch d.What {
			case doSet, doUndone, doLater:
				d.After = delays().Draw(t, "after")
			case doSleep:
				d.After = max(0, delays().Draw(t, "for"))
			case doCall:
				d.Object = rapid.IntRange(0, objects-1).Draw(t, "object")
				d.Do = deeds(objects, d.Object, calledDeeds(whats, d.Object == self)).Draw(t, "do")
			}
			return d
		}), 0, 4).Draw(t, "deeds")
		// Work that outlives a handler runs beside what follows, in any order. So nothing follows.
		if i := slices.IndexFunc(list, func(d deed) bool { return d.What == doLater }); i >= 0 {
			list = list[:i+1]
		}
		return list
	})
}

// calledDeeds returns the deeds that a called object may do. It calls no further object, so that
// drawing ends, and it does not abort its caller.
func calledDeeds(whats []string, itself bool) []string {
	return slices.DeleteFunc(slices.Clone(whats), func(what string) bool {
		return what == doCall || what == doLater || itself && (what == doAbort || what == doDrop)
	})
}

var (
	requestDeeds = []string{doSet, doSet, doSet, doDelete, doUndone, doSync, doFail, doAbort, doDrop, doCall}
	alarmDeeds   = append([]string{doLater}, requestDeeds...)
	sleepyDeeds  = append([]string{doSleep, doSleep, doSleep}, alarmDeeds...)
)

// universes draws a universe. If its handlers may sleep, no move waits for a run.
func universes(sleeps bool) *rapid.Generator[universe] {
	return rapid.Custom(func(t *rapid.T) universe {
		u := universe{Every: rapid.SampledFrom([]int64{0, 0, 1, 2}).Draw(t, "cron")}
		objects := rapid.IntRange(1, 4).Draw(t, "objects")
		whats := alarmDeeds
		if sleeps {
			whats = sleepyDeeds
		}
		if u.Every > 0 {
			u.Cron = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
				n := rapid.IntRange(0, objects-1).Draw(t, "object")
				return deed{What: doCall, Object: n, Do: deeds(objects, n, calledDeeds(whats, false)).Draw(t, "do")}
			}), 0, 2).Draw(t, "cron deeds")
		}
		for n := range objects {
			u.Alarms = append(u.Alarms, rapid.SliceOfN(deeds(objects, n, whats), 1, 3).Draw(t, "alarm"))
			first := deed{What: doSet, After: delays().Draw(t, "first")}
			u.Course = append(u.Course, move{What: moveRequest, Object: n, Do: []deed{first}})
		}
		u.Course = append(u.Course, rapid.SliceOfN(moves(objects, sleeps), 1, 8).Draw(t, "course")...)
		return u
	})
}

func moves(objects int, sleeps bool) *rapid.Generator[move] {
	return rapid.Custom(func(t *rapid.T) move {
		whats := []string{
			moveOn, moveOn, moveOn, moveNext, moveJump,
			moveRequest, moveRequest, moveSet, moveDelete,
			moveTrigger,
		}
		if sleeps {
			whats = whats[:len(whats)-1] // a trigger waits for the run that it starts
		}
		m := move{What: rapid.SampledFrom(whats).Draw(t, "what")}
		switch m.What {
		case moveOn, moveJump:
			m.After = max(0, delays().Draw(t, "by"))
		case moveNext:
		default:
			m.Object = rapid.IntRange(0, objects-1).Draw(t, "object")
			switch m.What {
			case moveRequest:
				m.Do = deeds(objects, m.Object, requestDeeds).Draw(t, "do")
			case moveSet:
				m.After = max(0, delays().Draw(t, "after"))
			}
		}
		return m
	})
}

// epoch is the time at which all universes begin. It lets cron triggers meet alarms.
var epoch = time.Date(2031, 2, 3, 4, 0, 50, 0, time.UTC)

func sinceEpoch(at time.Time) int64 { return at.Sub(epoch).Milliseconds() }

// A course is what happens in a universe, as seen from outside.
type course struct {
	notes []string // of handlers, and of the results of moves
	fired []string // the reports of the control API
	waits []int64  // the times of retries, in the order in which they were scheduled
	ended int64    // the clock's time at the end
}

// A playing plays a universe in a world. It continues when the world is started again.
type playing struct {
	universe
	*world
	script *script

	reports []control.Fired

	mu   sync.Mutex // guards what follows
	runs map[string]int
	sets int
}

func objectName(n int) string { return string(rune('a' + n)) }

func objectNumber(name string) int { return int(name[0] - 'a') }

func beginPlaying(t *testing.T, u universe, seed uint64) *playing {
	t.Helper()
	p := &playing{universe: u, script: newScript(nil), runs: map[string]int{}}
	p.script.handlers = map[string]func(*call) (string, error){
		"alarm": func(c *call) (string, error) { return "", p.runAlarm(c) },
	}
	if u.Every > 0 {
		p.script.handlers["scheduled"] = func(c *call) (string, error) {
			if err := p.note(c, "cron for %d", sinceEpoch(time.UnixMilli(c.cron.Time))); err != nil {
				return "", err
			}
			return "", p.perform(c, u.Cron)
		}
	}
	p.serveLists(u.Cron)
	for _, alarm := range u.Alarms {
		for _, list := range alarm {
			p.serveLists(list)
		}
	}
	for _, m := range u.Course {
		p.serveList(m.Do)
		p.serveLists(m.Do)
	}
	p.world = &world{t: t, dir: t.TempDir(), date: "2026-10-01"}
	p.tune = func(o *setup) {
		if u.Every > 0 {
			o.Crons = []string{fmt.Sprintf("*/%d * * * *", u.Every)}
		}
		o.Seed, o.Time, o.Log = seed, epoch, slog.New(slog.DiscardHandler)
	}
	p.start(p.script)
	tune := p.tune
	p.tune = func(o *setup) { tune(o); o.Time = time.Time{} } // a restart continues at the clock's time
	return p
}

// serveLists adds a handler for each call in list. serveList adds one for a list of deeds: its path
// follows from the list.
func (p *playing) serveLists(list []deed) {
	for _, d := range list {
		if d.What == doCall {
			p.serveList(d.Do)
		}
	}
}

func (p *playing) serveList(list []deed) {
	p.script.handlers[pathOf(list)] = func(c *call) (string, error) {
		if err := p.note(c, "%s called", c.object); err != nil {
			return "", err
		}
		return "", p.perform(c, list)
	}
}

// pathOf returns the path of the handler for list.
func pathOf(list []deed) string {
	h := fnv.New64a()
	fmt.Fprint(h, list)
	return fmt.Sprintf("/%x", h.Sum64())
}

// note adds a note of a handler, unless the handler's event is over.
func (p *playing) note(c *call, format string, args ...any) error {
	now, err := c.nowOrError()
	if err == nil {
		p.script.note("%d: %s", sinceEpoch(now), fmt.Sprintf(format, args...))
	}
	return err
}

func (p *playing) runAlarm(c *call) error {
	p.mu.Lock()
	run := p.runs[c.object]
	p.runs[c.object]++
	p.mu.Unlock()
	scheduled := sinceEpoch(time.UnixMilli(c.alarm.Scheduled))
	if err := p.note(c, "%s run %d for %d retry %d", c.object, run, scheduled, c.alarm.RetryCount); err != nil {
		return err
	}
	programs := p.Alarms[objectNumber(c.object)]
	return p.perform(c, programs[run%len(programs)])
}

func (p *playing) perform(c *call, list []deed) error {
	for _, d := range list {
		if err := p.do(c, d); err != nil {
			return errors.New(err.Error()) // an error of the handler, not of the platform
		}
	}
	return nil
}

func (p *playing) do(c *call, d deed) error {
	switch d.What {
	case doSet:
		return p.set(c, d.After)
	case doUndone:
		return c.undone(func() error { return c.setAlarm(time.Duration(d.After) * time.Millisecond) })
	case doLater:
		return c.background(func(c *call) error { return p.set(c, d.After) })
	case doDelete:
		return c.plain(wire.MethodDeleteAlarm)
	case doSync:
		return c.plain(wire.MethodSync)
	case doFail:
		return errNoLuck
	case doAbort, doDrop:
		return errors.Join(c.abort(d.What == doDrop), errNoLuck)
	case doSleep:
		return p.sleep(c, d.After)
	}
	_, err := c.fetch(objectName(d.Object), pathOf(d.Do))
	if err != nil {
		return err
	}
	return p.note(c, "%s was called", objectName(d.Object))
}

func (p *playing) set(c *call, after int64) error {
	p.mu.Lock()
	p.sets++
	enough := p.sets > mostAlarms
	p.mu.Unlock()
	if enough {
		return nil
	}
	return c.setAlarm(time.Duration(after) * time.Millisecond)
}

func (p *playing) sleep(c *call, after int64) error {
	before := c.now()
	if err := c.sleep(time.Duration(after) * time.Millisecond); err != nil {
		return err
	}
	return p.note(c, "%s slept %d from %d", c.object, after, sinceEpoch(before))
}

// make carries out a move.
func (p *playing) make(m move) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	o, after := control.Object{Class: "Lab", Name: objectName(m.Object)}, time.Duration(m.After)*time.Millisecond
	switch m.What {
	case moveOn, moveJump:
		p.advance(control.AdvanceRequest{Duration: after.String(), Jump: m.What == moveJump})
	case moveNext:
		// Only the move knows what is due: it first waits for runs that the move before has ended.
		advanced, err := p.client().Advance(ctx, control.AdvanceRequest{Next: true}, nil)
		var refused *control.Error
		if err != nil && (!errors.As(err, &refused) || refused.Code != control.CodeNothingDue) {
			p.t.Fatal(err)
		}
		p.reports = append(p.reports, advanced.Fired...)
	case moveRequest:
		status, _, err := p.getContext(ctx, o.Name, pathOf(m.Do))
		if err != nil {
			p.t.Fatal(err)
		}
		p.script.note("%d: request %t", sinceEpoch(p.clock.Now()), status == 200)
	case moveSet:
		if _, err := p.client().SetAlarm(ctx, o, control.SetAlarmRequest{In: after.String()}); err != nil {
			p.t.Fatal(err)
		}
	case moveDelete:
		_, err := p.client().DeleteAlarm(ctx, o)
		p.unlessNone(err)
	case moveTrigger:
		got, err := p.client().Trigger(ctx, control.TriggerRequest{Class: "Lab", Name: o.Name})
		if p.unlessNone(err) {
			p.reports = append(p.reports, got.Fired)
			if object := p.object(o.Class, o.Name); object != nil {
				eventually(p.t, "the work that outlives the handler is done", func() bool {
					return object.pendingEvents() == 0
				})
			}
		}
	}
}

// unlessNone reports whether there was an alarm.
func (p *playing) unlessNone(err error) bool {
	var c *control.Error
	if err != nil && (!errors.As(err, &c) || c.Code.Status() != 404) {
		p.t.Fatal(err)
	}
	return err == nil
}

func (p *playing) advance(q control.AdvanceRequest) control.Advanced {
	p.t.Helper()
	advanced := p.move(q)
	p.reports = append(p.reports, advanced.Fired...)
	return advanced
}

// end stops the world and returns its course.
func (p *playing) end() course {
	p.t.Helper()
	c := course{ended: sinceEpoch(p.clock.Now())}
	p.stop()
	c.notes = slices.Clone(p.script.log)
	for _, f := range p.reports {
		c.fired = append(c.fired, firedLine(f))
		if f.RetryAt != nil {
			c.waits = append(c.waits, sinceEpoch(*f.RetryAt))
		}
	}
	return c
}

func firedLine(f control.Fired) string {
	what := f.Name
	if f.Kind == control.KindCron {
		what = f.Kind
	}
	return fmt.Sprintf("%d: %s for %d retry %d %s", sinceEpoch(f.At), what, sinceEpoch(f.Scheduled), f.Retry, f.Outcome)
}

// played returns the course of u with the given seed.
func played(t *testing.T, u universe, seed uint64) course {
	t.Helper()
	p := beginPlaying(t, u, seed)
	defer p.stop()
	for _, m := range u.Course {
		p.make(m)
	}
	return p.end()
}
