package durabletest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"devtool.internal/durable"
)

// How long Run waits for the object's turn. It counts ticks of real time, because ticks do not come
// while a debugger has stopped the test.
const (
	turnTick  = 100 * time.Millisecond
	turnTicks = 100
)

// Run calls f with the live instance of an object. It takes the object's turn, so no handler of the
// object runs meanwhile, and constructs the object if it is not in memory. ctx is the context of an
// event of the object, for calls of package durable. What f writes is committed when f returns,
// even if f ends the test.
//
// T is the type that the class's constructor returns.
//
//	durabletest.Run(t, srv.Object("Counter", "home"),
//		func(ctx context.Context, c *Counter, s *durable.State) {
//			…
//		})
//
// f runs on the test's own goroutine. So it may use t as the test does. It must not wait for a
// request to the same object, nor call State.Abort, which ends the goroutine; use Object.Abort
// instead.
func Run[T any](
	t testing.TB, o Object, f func(ctx context.Context, instance T, state *durable.State),
) {
	t.Helper()
	defer o.emulator.traffic.use()()
	type visit struct {
		ctx      context.Context
		instance T
		state    *durable.State
	}
	arrived, left := make(chan visit), make(chan struct{})
	over := make(chan error, 1)
	waiting, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	go func() {
		visited := func(ctx context.Context, object, state any) error {
			instance, ok := object.(T)
			if !ok {
				return fmt.Errorf("its objects are of type %T, not %T", object, *new(T))
			}
			select {
			case arrived <- visit{ctx, instance, state.(*durable.State)}:
				<-left
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		over <- o.emulator.program.Visit(waiting, o.class, o.object, visited)
	}()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("durabletest: run inside %s: %v", o, o.emulator.explain(err))
		}
	}
	tick := time.NewTicker(turnTick)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case v := <-arrived:
			returned := false
			defer func() {
				if !returned { // f has panicked or ended the test
					close(left)
					<-over
				}
			}()
			f(v.ctx, v.instance, v.state)
			returned = true
			close(left)
			check(<-over)
			return
		case err := <-over:
			check(err)
			return
		case <-tick.C:
			if n == turnTicks {
				giveUp()
				check(errors.Join(errTurn, ignoreCanceled(<-over)))
			}
		}
	}
}

var errTurn = fmt.Errorf("the object is busy: its turn did not come within %s", turnTick*turnTicks)

// ignoreCanceled returns err, or nil if err only says that Run has given up.
func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
