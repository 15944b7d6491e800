package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// Owner is who has the state folder, for the message to whoever comes second. The lock
// itself is on another file, so that the message can be read on every system.
type Owner struct {
	PID     int       `json:"pid"`
	URL     string    `json:"url"` // empty for a command that works on the files
	Started time.Time `json:"started"`
}

// How long, in real time, a lock is waited for, and how often it is tried. A process that was killed while it started
// another one lives on in that for a moment, with its lock.
const (
	lockPatience = time.Second
	lockPoll     = 10 * time.Millisecond
)

// lock takes the state folder into possession until the emulator closes. Two emulators
// on the same folder would run each object twice.
func (e *Emulator) lock() error {
	if err := os.MkdirAll(e.state, 0o700); err != nil {
		return fmt.Errorf("make state folder: %w (choose another with --persist-to)", err)
	}
	lock := flock.New(filepath.Join(e.state, "lock"), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	locked, err := lock.TryLockContext(ctx, lockPoll)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("lock state folder %s: %w (choose another with --persist-to)", e.state, err)
	}
	file := filepath.Join(e.state, "owner.json")
	if !locked {
		return &InUseError{State: filepath.Dir(e.state), Owner: readOwner(file)}
	}
	e.release = append(e.release, lock.Unlock)
	b, err := json.Marshal(Owner{PID: os.Getpid(), URL: e.URL(), Started: e.started})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write to state folder: %w (choose another with --persist-to)", err)
	}
	return nil
}

// readOwner returns who has the state, as far as that can be told. What file says of somebody who was killed is not
// asked for: nobody holds the lock then.
func readOwner(file string) Owner {
	var o Owner
	if b, err := os.ReadFile(file); err == nil {
		json.Unmarshal(b, &o) //nolint:errcheck // it is empty, then
	}
	return o
}

// An InUseError says that somebody else has the state folder.
type InUseError struct {
	State string
	Owner
}

func (e *InUseError) Error() string {
	who := "another devtool"
	switch {
	case e.PID == 0: // it is about to say so, or could not
	case e.URL == "":
		who = fmt.Sprintf("another devtool (process %d, since %s)", e.PID, control.Since(e.Started, time.Now()))
	default:
		who = fmt.Sprintf("another devtool (process %d, %s, since %s)", e.PID, e.URL, control.Since(e.Started, time.Now()))
	}
	return fmt.Sprintf("the state in %s is in use by %s", e.State, who)
}

// clockRecord is the size of the saved clock. It never changes, so that a write in place
// leaves either the old state or the new, whenever the process is killed.
const clockRecord = 256

func (e *Emulator) clockFile() string { return filepath.Join(e.state, "clock.json") }

// readClock returns where the clock stood.
func (e *Emulator) readClock() (state clock.State, err error) {
	b, err := os.ReadFile(e.clockFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return state, fmt.Errorf("read clock: %w", err)
	}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &state); err != nil {
			return state, fmt.Errorf("read clock: %s is damaged (%w): delete it to go on at the real time", e.clockFile(), err)
		}
	}
	return state, nil
}

// startClockAt moves a clock that was saved as state on to start. One that has not run yet may
// start at any time.
func (e *Emulator) startClockAt(state clock.State, start time.Time) (clock.State, error) {
	if state != (clock.State{}) {
		saved := clock.New(clock.Options{State: state})
		stands := saved.Now()
		saved.Close()
		if start.Before(stands) {
			return state, fmt.Errorf("the clock of the state in %s stands at %s and can't go back to %s: choose a later time, or another folder with --persist-to",
				e.state, stands.Format(time.RFC3339Nano), start.Format(time.RFC3339Nano))
		}
	}
	state.At, state.Offset = start, time.Until(start)
	return state, nil
}

// openClock makes the clock go on from where it stood, or from start if that is given. It
// is saved with every step.
func (e *Emulator) openClock(frozen bool, start time.Time, seed uint64) error {
	state, err := e.readClock()
	if err != nil {
		return err
	}
	if !start.IsZero() {
		if state, err = e.startClockAt(state, start); err != nil {
			return err
		}
		if frozen { // not a moment later
			state.Mode = clock.Frozen
		}
	}
	f, err := os.OpenFile(e.clockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("write clock: %w", err)
	}
	save := func(s clock.State) {
		b, err := json.Marshal(s)
		if err == nil {
			b = append(b, bytes.Repeat([]byte{' '}, clockRecord-1-len(b))...)
			_, err = f.WriteAt(append(b, '\n'), 0)
		}
		if err != nil {
			e.log.Error("save clock", "err", err)
		}
	}
	e.clock = clock.New(clock.Options{State: state, Save: save, Seed: seed})
	e.release = append(e.release, func() error {
		save(e.clock.State())
		return f.Close()
	})
	if frozen {
		return e.clock.Freeze()
	}
	return nil
}
