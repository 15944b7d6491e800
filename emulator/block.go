package emulator

import (
	"sync"
	"time"

	"devtool/clock"
	"devtool/durable/wire"
)

// blockLimit is how long BlockConcurrencyWhile and a constructor may take, on the
// clock. Source: workerd's io-context.h.
const blockLimit = 30 * time.Second

// defaultBlockGrace is how long, in real time, an advance that gets to the limit waits for a
// handler which does not wait for the clock. The clock does not stand still for what the outside
// has caused: a constructor that takes a few ms must not fail because hours were passed meanwhile.
const defaultBlockGrace = 250 * time.Millisecond

var errBlockLimit = &wire.Error{
	Message:    "A call to BlockConcurrencyWhile (or a constructor) waited for more than 30 s. The call was canceled and the object was reset.",
	Overloaded: true,
	Reset:      true,
}

// A blockTimer resets an object, unless it is stopped in time.
type blockTimer struct {
	timer *clock.Timer
	once  sync.Once
	ended chan struct{} // closed by stop
}

// limitBlock resets the object when ev has blocked it for too long.
func (o *object) limitBlock(ev *event) *blockTimer {
	e, b := o.ns.e, &blockTimer{ended: make(chan struct{})}
	reset := func(step *clock.Step) { o.resetIn(step, ev, errBlockLimit) }
	b.timer = e.clock.AtUpkeep(e.clock.Now().Add(blockLimit), func(step *clock.Step) {
		if ev.waits.Load() > 0 || step == nil && !ev.prog.byHand() {
			reset(step)
			return
		}
		step.Add()
		e.background.Go(func() {
			defer step.Done()
			grace := time.NewTimer(e.blockGrace)
			defer grace.Stop()
			select {
			case <-b.ended:
				return
			case <-grace.C:
			}
			if ev.outlastDebugger(b.ended) {
				reset(step)
			}
		})
	})
	return b
}

// stop may be called again and again.
func (b *blockTimer) stop() {
	b.timer.Stop()
	b.once.Do(func() { close(b.ended) })
}
