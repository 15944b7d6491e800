package store

import (
	"context"
	"time"
)

// Interrupt makes the SQL that runs at this moment fail with SQLITE_INTERRUPT. It has no effect if
// none is running. Unlike all other methods it may be called at any time, by any goroutine, even
// after Close.
//
// While cursors have rows left, the engine goes on refusing everything, until they are closed or a
// Rollback ends them. Interrupting a statement that writes ends the whole transaction, as a failure
// of the disk does.
func (o *Object) Interrupt() {
	o.interruptMu.Lock()
	defer o.interruptMu.Unlock()
	if o.db != nil {
		o.db.interrupt()
	}
}

// interruptEvery bounds how long a statement can run that began just after an Interrupt.
const interruptEvery = 5 * time.Millisecond

// InterruptAfter interrupts all SQL from the moment ctx ends until stop is called. It repeats
// Interrupt, since one alone would miss a statement that is about to begin. After stop has
// returned, nothing is interrupted any more. If ctx has ended by then, the caller should roll back,
// because it can't know what was interrupted.
func (o *Object) InterruptAfter(ctx context.Context) (stop func()) {
	stopped, idle := make(chan struct{}), make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(idle)
		tick := time.NewTicker(interruptEvery)
		defer tick.Stop()
		for {
			o.Interrupt()
			select {
			case <-tick.C:
			case <-stopped:
				return
			}
		}
	})
	return func() {
		if !unhook() {
			close(stopped)
			<-idle
		}
	}
}
