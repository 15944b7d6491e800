package world

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
)

// TestWhatRunsWhenAnAdvanceBeginsIsPartOfItsFirstStep lets an alarm or a cron trigger begin on a
// running clock, and moves the clock by hours while it works.
func TestWhatRunsWhenAnAdvanceBeginsIsPartOfItsFirstStep(t *testing.T) {
	for _, tt := range []struct {
		name string
		// work is what the handler does. It calls busy where it works, which returns once the
		// advance has begun.
		work  func(c *call, busy func()) error
		moves time.Duration // how long it sleeps after that
	}{
		{"it works", func(_ *call, busy func()) error { busy(); return nil }, 0},
		{"an object that it calls works", func(c *call, _ func()) error {
			_, err := c.fetch("b", "/busy")
			return err
		}, 0},
		{"an object works that it calls by way of another", func(c *call, _ func()) error {
			_, err := c.fetch("b", "/on")
			return err
		}, 0},
		{"it sleeps after that", func(c *call, busy func()) error {
			busy()
			return c.sleep(time.Minute)
		}, time.Minute},
		{"in a block", func(c *call, busy func()) error {
			if err := c.plain(wire.MethodBlock); err != nil {
				return err
			}
			busy()
			return errors.Join(c.sleep(20*time.Second), c.plain(wire.MethodUnblock))
		}, 20 * time.Second},
	} {
		for _, move := range []control.AdvanceRequest{{Duration: "3h"}, {Duration: "3h", Jump: true}} {
			for _, kind := range []string{"alarm", "scheduled"} {
				t.Run(tt.name+"/"+kind, func(t *testing.T) {
					s := newScript(nil)
					begun, release := make(chan struct{}), make(chan struct{})
					var first sync.Once
					var before time.Time // of the advance, set before release is closed
					busy := func() { first.Do(func() { close(begun) }); <-release }
					s.handlers = map[string]func(*call) (string, error){
						"/busy": func(*call) (string, error) { busy(); return "", nil },
						"/on":   func(c *call) (string, error) { return c.fetch("c", "/busy") },
						"/set":  func(c *call) (string, error) { return "", c.setAlarm(0) },
						"/work": func(c *call) (string, error) {
							err := tt.work(c, busy)
							s.note("ended after %s", c.now().Sub(before))
							return "", err
						},
					}
					s.handlers["alarm"] = s.handlers["/work"]
					s.handlers["scheduled"] = func(c *call) (string, error) { return c.fetch("a", "/work") }
					w := newWorld(t, s)
					w.waits.BlockGrace = time.Millisecond // it must not need any
					if err := w.clock.Resume(); err != nil {
						t.Fatal(err)
					}
					if kind == "alarm" {
						w.want("a", "/set", "")
					} else {
						w.Go(func() { w.RunCron("* * * * *", w.clock.Now()) }) //nolint:errcheck // the report has it
					}
					<-begun
					if err := w.clock.Freeze(); err != nil { // so that no time passes between
						t.Fatal(err)
					}
					before = w.clock.Now()
					var got control.Advanced
					var moved sync.WaitGroup
					moved.Go(func() { got = w.move(move) })
					eventually(t, "the handler is part of the advance", func() bool {
						events, _, _ := w.underWay.all()
						return slices.ContainsFunc(events, func(ev *Event) bool { return ev.currentStep() != nil })
					})
					spin()
					if now := w.clock.Now(); !now.Equal(before) {
						t.Errorf("the clock moved by %s while the handler worked", now.Sub(before))
					}
					close(release)
					moved.Wait()
					if got.Stopped != "" || got.To.Sub(before) != 3*time.Hour {
						t.Errorf("got %+v, want an advance by 3 hours", got)
					}
					took := tt.moves
					if move.Jump && took > 0 {
						took = 3 * time.Hour
					}
					if got, want := s.notes(), "ended after "+took.String(); got != want {
						t.Errorf("got %q, want one run: %q", got, want)
					}
					if len(got.Fired) != 1 || got.Fired[0].Outcome != control.OutcomeOK {
						t.Errorf("got the runs %+v, want one, which is ok", got.Fired)
					}
				})
			}
		}
	}
}

// An advance takes up to the alarms that wait for the first program, and those that the clock has
// just begun.
func TestAnAdvanceWaitsForAlarmsThatAreOnTheirWay(t *testing.T) {
	s := labScript()
	w := newWorld(t, s)
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		w.want(name, "/alarm", "")
	}
	w.tune = func(o *setup) { o.Frozen, o.Time = false, w.saved.At.Add(time.Hour) }
	var fired []string
	slow := newScript(map[string]func(*call) (string, error){
		"alarm": func(c *call) (string, error) {
			spin()
			c.run.note("%s", c.object)
			return "", nil
		},
	})
	w.restart(slow)
	began := w.clock.Now()
	got := w.move(control.AdvanceRequest{Duration: "5h"})
	for _, f := range got.Fired {
		fired = append(fired, f.Name)
		if late := f.At.Sub(began); late > time.Minute {
			t.Errorf("%s ran %s after the advance began, want before it moved", f.Name, late)
		}
	}
	eventually(t, "all have run", func() bool { return slow.notes() == "a b c d" })
	slices.Sort(fired)
	if !slices.Equal(fired, names[len(names)-len(fired):]) {
		t.Errorf("got the runs %q, want those that had not ended before", fired)
	}
}

func TestARequestFromOutsideIsNoPartOfTheFirstStep(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, newScript(map[string]func(*call) (string, error){
		"/busy": func(*call) (string, error) { close(begun); <-release; return "", nil },
	}))
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/busy", "") })
	<-begun
	w.moveOn(time.Hour)
	close(release)
	wg.Wait()
}
