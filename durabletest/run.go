package durabletest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"devtool.internal/durable"
)

// How long Run waits for the object's turn: so many ticks of real time, which do not come while a debugger has stopped
// the test.
const (
	turnTick  = 100 * time.Millisecond
	turnTicks = 100
)

// Run calls f with a live instance of an object: its turn is taken, it is constructed if it is not in memory, and nothing
// else of it runs meanwhile. ctx is that of an event of the object, which calls of package durable take. What f writes is
// committed when it returns, also where it ends the test. The object is named by its class, or a binding of that, and by
// its name or id; T is the type that the class's constructor returns.
//
//	durabletest.Run(t, srv, "Counter", "home", func(ctx context.Context, c *Counter, s *durable.State) {
//		…
//	})
//
// f runs on the test's own goroutine. So it may use t as the test does, and must not wait for a request to the same
// object, nor call State.Abort, which ends its goroutine: that is what Objects.Abort is for.
func Run[T any](t testing.TB, s *Server, class, object string, f func(ctx context.Context, instance T, state *durable.State)) {
	t.Helper()
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
		over <- s.emulator.program.Visit(waiting, class, object, func(ctx context.Context, object, state any) error {
			instance, ok := object.(T)
			if !ok {
				return fmt.Errorf("its objects are of type %T, and not of %T", object, *new(T))
			}
			select {
			case arrived <- visit{ctx, instance, state.(*durable.State)}:
				<-left
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	failed := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("durabletest: look into %s/%s: %v", class, object, s.emulator.explain(err))
		}
	}
	tick := time.NewTicker(turnTick)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case v := <-arrived:
			returned := false
			defer func() {
				if !returned { // f panics, or has ended the test
					close(left)
					<-over
				}
			}()
			f(v.ctx, v.instance, v.state)
			returned = true
			close(left)
			failed(<-over)
			return
		case err := <-over:
			failed(err)
			return
		case <-tick.C:
			if n == turnTicks {
				giveUp()
				failed(errors.Join(errTurn, ignoreCanceled(<-over)))
			}
		}
	}
}

var errTurn = fmt.Errorf("it is running, and its turn did not come within %s", turnTick*turnTicks)

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
