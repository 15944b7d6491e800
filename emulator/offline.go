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

// Offline is the objects in a state folder that no emulator runs on. It does with them what the
// control API does, in the same way, straight on the files. The folder is locked until Close.
type Offline struct {
	world.Admin
	world  *world.World
	folder *state.Folder
}

// OpenOffline takes the objects of c's worker in the state folder dir into possession. It makes no
// folder: where there is none, nothing has run yet.
//
// It is a world without programs and with a clock that stands still, so that no alarm fires and the
// saved clock stays as it is.
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
	stood, err := folder.ReadClock()
	if err != nil {
		return nil, err
	}
	frozen := clock.New(clock.Options{State: stood})
	if err := frozen.Freeze(); err != nil {
		return nil, err
	}
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

// Close closes all files and gives the folder back.
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
