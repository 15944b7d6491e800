package emulator

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"devtool.internal/clock"
	"devtool.internal/config"
	"devtool.internal/emulator/state"
	"devtool.internal/emulator/world"
)

// Offline administers the objects in a state folder while no emulator runs. It offers what the
// control API offers, and works directly on the files. The folder stays locked until Close.
type Offline struct {
	world.Admin
	world  *world.World
	folder *state.Folder
}

// OpenOffline locks the state folder dir and opens the objects of c's worker in it. It makes no
// folder: a missing one means that nothing has run yet.
//
// Its world has no programs and a frozen clock, so no alarm fires and the saved clock stays as it
// is.
func OpenOffline(c *config.Config, dir string) (_ *Offline, err error) {
	folder, err := state.OpenExisting(dir, state.Owner{PID: os.Getpid(), Started: time.Now()})
	if err != nil {
		return nil, err
	}
	o := &Offline{folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	saved, err := folder.ReadClock()
	if err != nil {
		return nil, err
	}
	// From its first moment on, so that a clock that was frozen is shown exactly where it stood.
	frozen := clock.New(clock.Options{State: saved, Mode: clock.Frozen})
	plan, err := folder.Plan(c)
	if err == nil {
		err = plan.Conflict(false)
	}
	if err != nil {
		frozen.Close()
		return nil, err
	}
	o.world = world.New(world.Options{Worker: c.Name, Clock: frozen, Log: slog.New(slog.DiscardHandler)})
	o.Admin = o.world.Admin()
	if err := o.world.Apply(layoutOf(c, folder, plan)); err != nil {
		return nil, err
	}
	if err := plan.Commit(); err != nil {
		return nil, err
	}
	return o, nil
}

// Close closes all files and unlocks the folder.
func (o *Offline) Close() error {
	if err := o.close(); err != nil {
		return fmt.Errorf("close state folder: %w", err)
	}
	return nil
}

func (o *Offline) close() (err error) {
	if o.world != nil {
		o.world.Clock().Close()
		err = o.world.Close()
	}
	return errors.Join(err, o.folder.Close())
}
