package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"os"

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

// openClock returns a clock that continues from its saved time, or from o.Time. It is saved unless
// the state is temporary. A clock that can't be saved is an error.
func (e *Emulator) openClock(o Options) (*clock.Clock, error) {
	saved, err := e.state.ReadClock()
	if err == nil && !o.Time.IsZero() {
		saved, err = e.state.ReadClockAt(o.Time)
	}
	if err != nil {
		return nil, err
	}
	options := clock.Options{State: saved, Seed: o.Seed}
	switch {
	case o.Frozen:
		options.Mode = clock.Frozen
	case o.Running:
		options.Mode = clock.Running
	}
	if o.Temporary {
		c := clock.New(options)
		e.release = append(e.release, func() error { c.Close(); return nil })
		return c, nil
	}
	file, err := e.state.OpenClock()
	if err != nil {
		return nil, err
	}
	options.Save = e.reportingOutages(file.Save)
	e.clockFile = file
	c := clock.New(options)
	e.release = append(e.release, func() error {
		c.Close()
		err := file.Save(c.State()) // the exact time
		if err == nil {
			_, err = file.Restore()
		}
		if err != nil {
			err = fmt.Errorf("save clock: %w", err)
		}
		return errors.Join(err, file.Close())
	})
	if err := c.Unsaved(); err != nil {
		return nil, fmt.Errorf("save clock: %w (free space, or choose another folder with --persist-to)", err)
	}
	return c, nil
}

// reportingOutages returns save, and logs when it begins to fail, and when it succeeds again.
func (e *Emulator) reportingOutages(save func(clock.State) error) func(clock.State) error {
	failing, began := false, false
	return func(s clock.State) error {
		err := save(s)
		if began && failing != (err != nil) {
			// The clock waits for this function, and must not wait for a reader of the log.
			if err != nil {
				go e.log.Error("the clock can't be saved: free space, or look what is wrong with the folder of the "+
					"state. Until then it can't be moved, and at another rate than 1 it stands still", "err", err)
			} else {
				go e.log.Info("the clock is saved again")
			}
		}
		failing, began = err != nil, true // New reports the first failure
		return err
	}
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
	err := e.carryOut(p)
	if err != nil { // the next program tries it again, unless the configuration has another plan
		e.mu.Lock()
		e.migrations = cmp.Or(e.migrations, p)
		e.mu.Unlock()
	}
	return err
}

// idle reports whether no program serves, so that no object is in use.
func (e *Emulator) idle() bool { return e.host != nil && e.host.Serving() == nil }
