package emulator

import (
	"os"
	"time"

	"devtool.internal/clock"
	"devtool.internal/config"
	"devtool.internal/emulator/state"
)

// owner describes this emulator to processes that find the state folder locked.
func (e *Emulator) owner() state.Owner {
	return state.Owner{PID: os.Getpid(), URL: e.URL(), Started: e.started}
}

// openState makes the emulator own the state folder, and close it at the end.
func (e *Emulator) openState() (err error) {
	if e.options.Temporary {
		e.state, err = state.OpenTemporary(e.options.State)
	} else {
		e.state, err = state.Open(e.options.State, e.owner())
	}
	if err == nil {
		e.release = append(e.release, e.state.Close)
	}
	return err
}

// openClock returns a clock that continues from its saved time, or from start unless that is zero.
// The clock is saved with every step, unless the state is temporary.
func (e *Emulator) openClock(frozen bool, start time.Time, seed uint64) (*clock.Clock, error) {
	saved, err := e.state.ReadClock()
	if err == nil && !start.IsZero() {
		saved, err = e.state.ReadClockAt(start)
		if frozen { // from the first moment, so that the clock is exactly at start
			saved.Mode = clock.Frozen
		}
	}
	if err != nil {
		return nil, err
	}
	save, closeFile := func(clock.State) {}, func() error { return nil }
	if !e.options.Temporary {
		file, err := e.state.OpenClock()
		if err != nil {
			return nil, err
		}
		closeFile = file.Close
		save = func(s clock.State) {
			if err := file.Save(s); err != nil {
				e.log.Error("save clock", "err", err)
			}
		}
	}
	c := clock.New(clock.Options{State: saved, Save: save, Seed: seed})
	e.release = append(e.release, func() error {
		c.Close()
		save(c.State())
		return closeFile()
	})
	if !start.IsZero() { // otherwise an emulator that is killed before the first step forgets start
		save(c.State())
	}
	if frozen {
		err = c.Freeze()
	}
	return c, err
}

// migrateAll applies all pending migrations. No namespace is open yet.
func (e *Emulator) migrateAll(c *config.Config) error {
	p, err := e.state.Plan(c)
	if err != nil {
		return err
	}
	return e.carryOut(p)
}

// carryOut commits a plan of migrations and logs its steps.
func (e *Emulator) carryOut(p *state.Plan) error {
	if err := p.Commit(); err != nil {
		return err
	}
	for _, note := range p.Notes() {
		e.log.Info(note)
	}
	for _, s := range p.Steps() {
		e.log.Info("applied migration " + s.String())
	}
	return nil
}

// settleMigrations commits the configuration's plan. It is called once a program fits the
// configuration: until then the user may still correct a new migration.
func (e *Emulator) settleMigrations() error {
	e.mu.Lock()
	p := e.migrations
	e.migrations = nil
	e.mu.Unlock()
	if p == nil {
		return nil
	}
	return e.carryOut(p)
}

// planQuietly plans the migrations of c while objects may be in use. It refuses a plan that affects
// existing objects.
func (e *Emulator) planQuietly(c *config.Config) (*state.Plan, error) {
	p, err := e.state.Plan(c)
	if err != nil {
		return nil, err
	}
	return p, p.Conflict(e.idle())
}

// idle reports whether no program serves, so that no object is in use.
func (e *Emulator) idle() bool { return e.host != nil && e.host.Serving() == nil }
