package emulator

import (
	"errors"
	"fmt"

	"devtool.internal/clock"
	"devtool.internal/config"
	"devtool.internal/emulator/state"
)

// Offline is the objects in a state folder that no emulator runs on. It does with them
// what the control API does, in the same way, straight on the files. The folder is
// locked until Close.
type Offline struct{ administration }

// OpenOffline takes the objects of c's worker in the state folder dir into possession. It
// makes no folder: where there is none, nothing has run yet.
//
// What it is made of is an emulator without a program and with a clock of its own that
// stands still, so that no alarm fires and the saved clock stays as it is.
func OpenOffline(c *config.Config, dir string) (_ *Offline, err error) {
	e := newEmulator(c)
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	folder, err := state.OpenExisting(dir, e.owner())
	if err != nil {
		return nil, err
	}
	e.take(folder)
	stood, err := e.state.ReadClock()
	if err != nil {
		return nil, err
	}
	e.clock = clock.New(clock.Options{State: stood})
	if err := e.clock.Freeze(); err != nil {
		return nil, err
	}
	if err := e.configure(c); err != nil {
		return nil, err
	}
	if err := e.settleMigrations(); err != nil {
		return nil, err
	}
	return &Offline{administration{e}}, nil
}

// Close closes all files and gives the folder back.
func (o *Offline) Close() error {
	if err := o.e.close(); err != nil {
		return fmt.Errorf("close state folder: %w", err)
	}
	return nil
}
