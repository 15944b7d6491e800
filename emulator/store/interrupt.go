package store

import (
	"context"
	"time"
)

// Interrupt makes the SQL that runs at this moment fail with SQLITE_INTERRUPT; what runs none is left as it is. Unlike
// everything else it may be called at any time, by any goroutine, also after Close.
//
// While cursors have rows left, the engine goes on refusing all that is asked of it, until they are closed or a Rollback
// ends them. A statement that was writing takes the whole transaction with it, as any failure of the disk does.
func (o *Object) Interrupt() {
	o.interrupting.Lock()
	defer o.interrupting.Unlock()
	if o.db != nil {
		o.db.interrupt()
	}
}

// interruptEvery is how long a statement can run that began just when an Interrupt found none.
const interruptEvery = 5 * time.Millisecond

// InterruptAfter interrupts all SQL that runs once ctx has ended, until stop is called: one Interrupt alone would miss a
// statement that is about to begin. After stop has returned nothing is interrupted any more. If ctx has ended by then, a
// Rollback should follow, for nobody knows what was.
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
