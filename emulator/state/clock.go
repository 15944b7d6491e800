package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"devtool.internal/clock"
	"devtool.internal/internal/safefile"
)

// clockRecord is the size of the saved clock in bytes. It never changes, so that a write in place
// leaves either the old state or the new one, whenever the process is killed. From the first save
// on, which is that of the clock's start, the file needs no more space: most full disks still take
// a move of the clock.
//
// The first save makes the file, with its record, in one step. So a file without a record has lost
// it, and is damaged like any other: the clock would go back to real time without a word.
//
// No save waits for the disk. A process that is killed loses nothing by that, because the system
// has the bytes. A power cut may lose them, as it may lose what objects have stored.
const clockRecord = 256

// ReadClock returns the saved state of the clock. It is zero if there is no file, because the clock
// has not run yet or somebody wants to continue at the real time.
func (f *Folder) ReadClock() (saved clock.State, err error) {
	path := f.files.path(clockFile)
	b, err := safefile.Read(path, maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return saved, nil
	}
	if err != nil {
		return saved, fmt.Errorf("read clock: %w (delete it to continue at the real time)", err)
	}
	if err = json.Unmarshal(b, &saved); len(b) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return saved, fmt.Errorf("read clock: %s is damaged (%w): delete it to continue at the real time", path, err)
	}
	return saved, nil
}

// ReadClockAt is ReadClock for a clock that starts at start, which must not lie before the saved
// time.
func (f *Folder) ReadClockAt(start time.Time) (clock.State, error) {
	saved, err := f.ReadClock()
	if err != nil {
		return saved, err
	}
	if saved != (clock.State{}) {
		former := clock.New(clock.Options{State: saved, Mode: clock.Frozen}) // no time passes until it is read
		now := former.Now()
		former.Close()
		if start.Before(now) {
			return saved, fmt.Errorf("the clock of the state in %s stands at %s and can't go back to %s: "+
				"choose a later time, or another folder with --persist-to",
				f.files.path(), now.Format(time.RFC3339Nano), start.Format(time.RFC3339Nano))
		}
	}
	mode := cmp.Or(saved.Kept, saved.Mode, clock.Running)
	// As if the clock had stood there, so that it starts at exactly that time.
	return clock.State{Mode: clock.Frozen, Kept: mode, At: start, Rate: saved.Rate}, nil
}

// A ClockFile is the open file of the saved clock.
type ClockFile struct {
	folder *Folder
	path   string

	// mu guards what follows.
	mu    sync.Mutex
	f     *os.File // nil before the first save
	saved []byte   // the last record
}

// OpenClock opens the file of the saved clock. If it does not exist, the first save makes it.
func (f *Folder) OpenClock() (*ClockFile, error) {
	path := f.files.path(clockFile)
	file, err := safefile.Open(path, os.O_RDWR)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("write clock: %w", err)
	}
	return &ClockFile{folder: f, path: path, f: file}, nil
}

// Save writes the state of the clock over the one before.
func (c *ClockFile) Save(s clock.State) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	b = append(b, bytes.Repeat([]byte{' '}, clockRecord-1-len(b))...)
	b = append(b, '\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.f == nil {
		err = c.createLocked(b)
	} else {
		_, err = c.f.WriteAt(b, 0)
	}
	if err != nil {
		return err // with the file's name
	}
	c.saved = b
	return nil
}

// createLocked makes the file with this record, and opens it.
func (c *ClockFile) createLocked(record []byte) error {
	if err := safefile.Replace(c.path, c.path+".new", record); err != nil {
		return err
	}
	f, err := safefile.Open(c.path, os.O_RDWR)
	if err != nil {
		return err
	}
	if c.f != nil {
		err = c.f.Close()
	}
	c.f = f
	return err
}

// Restore writes the file again if somebody has deleted, moved or replaced it: without it, the
// clock would go back to real time at the next start. It reports whether it did so. It does nothing
// if the whole state is gone, which Folder.Check reports.
func (c *ClockFile) Restore() (restored bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.saved == nil {
		return false, nil
	}
	ours, err := c.f.Stat()
	if err != nil {
		return false, err
	}
	now, err := os.Lstat(c.path)
	if err == nil && os.SameFile(ours, now) || c.folder.Check() != nil {
		return false, nil
	}
	err = c.createLocked(c.saved)
	return err == nil, err
}

// Close closes the file.
func (c *ClockFile) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.f == nil {
		return nil
	}
	return c.f.Close()
}
