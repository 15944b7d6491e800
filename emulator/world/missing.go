package world

import (
	"errors"
	"fmt"

	"devtool.internal/internal/safefile"
)

// Files that somebody deletes, moves or replaces while they are in use. A handler's write would go
// to a file that no path leads to: it would be acknowledged, and lost. No commit can notice that
// for free, so the emulator calls CheckFiles twice a second.

// Lose makes every later commit fail with cause, and with it the event that made it. Files that are
// closed stay closed: what stands at their paths now may be somebody else's.
func (w *World) Lose(cause error) { w.lost.Store(&cause) }

// lostCause returns the cause that Lose was called with, or nil.
func (w *World) lostCause() error {
	if cause := w.lost.Load(); cause != nil {
		return *cause
	}
	return nil
}

// CheckFiles looks whether the paths of all folders and open files still lead to them. If the
// folder of a class is gone, it returns the folder and a safefile.Place's error. It resets each
// object whose file is gone; the object's next event finds what is at the path then. It opens no
// file and waits for nothing.
func (w *World) CheckFiles() (what string, err error) {
	for _, ns := range w.currentNamespaces() {
		if err := ns.checkFolder(); err != nil {
			return fmt.Sprintf("the folder of class %s, %s,", ns.class(), ns.dir), err
		}
		ns.checkIndex()
	}
	for _, o := range w.stores.open() {
		o.checkFile()
	}
	return "", nil
}

// checkIndex keeps what is in the index if its write-ahead log is gone.
func (ns *Namespace) checkIndex() {
	if ns.isRetired() {
		return
	}
	gone, err := ns.index.MergeGoneLog()
	if gone && !ns.indexLogGone {
		ns.w.log.Warn("the write-ahead log (-wal) of the alarm index of "+ns.class()+" was deleted or moved while it "+
			"was open: nothing is lost if `devtool dev` ends in good order", "err", err)
	}
	ns.indexLogGone = gone
}

// checkFolder looks whether the path of the namespace's folder still leads to it. The first call
// only remembers the folder. Nobody misses the folder of a class that a migration takes away.
func (ns *Namespace) checkFolder() (err error) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	switch {
	case ns.retired:
		return nil
	case ns.place == nil:
		ns.place, err = safefile.Hold(ns.dir)
		return err
	}
	return ns.place.Check()
}

// forgetPlace undoes the first checkFolder.
func (ns *Namespace) forgetPlace() {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.place != nil {
		ns.place.Close() //nolint:errcheck // nothing was written
		ns.place = nil
	}
}

// checkFile resets the object if its file is open and gone. If only the write-ahead log is gone, it
// writes what that holds into the file, and the object's next event opens the file again. While the
// file is in use, the next call checks it.
func (o *object) checkFile() {
	if !o.storeMu.TryLock() {
		return
	}
	defer o.storeMu.Unlock()
	if o.store == nil || o.fileLost {
		return
	}
	if !o.store.Moved() {
		o.keepLog()
		return
	}
	o.fileLost = true
	path := o.path()
	o.ns.w.log.Error("the file of "+o.String()+" was deleted, moved or replaced while it was open: "+
		"the object is reset, and what it has stored since is lost; use `devtool objects delete`, or stop "+
		"`devtool dev` before you touch its files", "file", path)
	inst := pinnedObject{o}.live()
	o.abort(nil, inst, errors.New("the object's file "+path+" was deleted, moved or replaced while it was open"),
		byArrival, false)
}

// keepLog writes the log of the open file into the file if the log is gone. An open transaction
// prevents that, and the next call does it. storeMu is held.
func (o *object) keepLog() {
	if !o.store.LogGone() || o.store.MergeLog() != nil || o.logLost {
		return
	}
	o.logLost = true
	o.ns.w.log.Warn("the write-ahead log (-wal) of "+o.String()+" was deleted or moved while it was open; "+
		"what it held is in the object's file now: stop `devtool dev` before you touch its files", "file", o.path())
}

// dropLost closes a file that checkFile has found to be gone, so that the path is opened again. If
// only the log is gone, it waits until closing loses nothing. storeMu is held, and the caller has
// the turn, or no event has.
func (o *object) dropLost() error {
	if o.fileLost || o.logLost && o.transactions == 0 && o.mayClose() {
		return o.closeStore()
	}
	return nil
}

// mayClose reports whether closing the open file loses nothing. storeMu is held.
func (o *object) mayClose() bool {
	return !o.store.Dirty() && o.store.OpenCursors() == 0 && !o.store.Configured()
}
