package program

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/world"
)

// timeout sets a timer, and calls ended when it expires. ended reports whether something that
// waited goes on.
func timeout(c *call, d time.Duration, ended func() bool) *wire.Stream {
	s, err := c.Program.Conn.Open(wire.MethodTimer, &wire.Sleep{Event: c.Event, Duration: int64(d)}, false)
	must(err)
	go func() {
		if _, err := s.Await(context.Background()); err != nil {
			return
		}
		goesOn := []byte{0}
		if ended() {
			goesOn[0] = 1
		}
		s.Write(goesOn)
		s.CloseWrite()
	}()
	return s
}

// sleepAtMost is Sleep with a context that ends after limit, as in the SDK.
func sleepAtMost(c *call, limit, d time.Duration) error {
	ctx, cancel := context.WithCancelCause(c.Context)
	timer := timeout(c, limit, func() bool { cancel(context.DeadlineExceeded); return true })
	defer timer.Withdraw()
	err := c.Program.Conn.Call(ctx, wire.MethodSleep, &wire.Sleep{Event: c.Event, Duration: int64(d)}, &wire.Empty{})
	if ctx.Err() != nil {
		return errors.Join(c.Plain(wire.MethodResume), context.Cause(ctx))
	}
	return err
}

// sinceScheduled returns how much later than the alarm's time it is.
func sinceScheduled(c *call) time.Duration {
	return c.Now().Sub(time.UnixMilli(c.Alarm.Scheduled))
}

func TestAHandlerGoesOnAtTheTimeOfItsTimeout(t *testing.T) {
	s := scripted.Alarms(nil)
	s.Handlers["alarm"] = func(c *call) (string, error) {
		err := sleepAtMost(c, 5*time.Second, time.Hour)
		s.Note("%v at %s", err, sinceScheduled(c))
		for range 100 { // the clock waits for all of this
			if err := c.Store("k", "v"); err != nil {
				return "", err
			}
		}
		s.Note("done at %s", sinceScheduled(c))
		return "", nil
	}
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/a ok"})
	if got, want := s.Notes(), "context deadline exceeded at 5s done at 5s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATimeoutAndASleepOfTheSameInstantComeInTheOrderOfSetting(t *testing.T) {
	s := scripted.Alarms(nil)
	s.Handlers["alarm"] = func(c *call) (string, error) {
		s.Note("%v", sleepAtMost(c, 5*time.Second, 5*time.Second))
		return "", nil
	}
	w := newWorld(t, s)
	for range 20 {
		w.want("a", "/set1s", "")
		w.moveOn(time.Minute)
	}
	if got, want := s.Notes(), strings.Repeat(" context deadline exceeded", 20)[1:]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATimeoutThatNothingWaitsForLetsTheClockGoOn(t *testing.T) {
	s := scripted.Alarms(nil)
	s.Handlers["alarm"] = func(c *call) (string, error) {
		timeout(c, 5*time.Second, func() bool { s.Note("expired"); return false })
		err := c.Sleep(10 * time.Second)
		s.Note("slept for %s", sinceScheduled(c))
		return "", err
	}
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/a ok"})
	if got, want := s.Notes(), "expired slept for 10s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATimeoutThatIsWithdrawnLeavesTheClockAlone(t *testing.T) {
	s := scripted.Alarms(nil)
	s.Handlers["/x"] = func(c *call) (string, error) {
		timeout(c, time.Second, func() bool { s.Note("expired"); return true }).Withdraw()
		return "", nil
	}
	w := newWorld(t, s)
	w.want("a", "/x", "")
	w.moveOn(time.Minute)
	if got := s.Notes(); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestAHandlerThatIsBusyFindsItsTimeoutOver(t *testing.T) {
	s := scripted.New(nil)
	busy, expired := make(chan struct{}), make(chan struct{})
	s.Handlers = handlers{
		"/x": func(c *call) (string, error) {
			timeout(c, time.Second, func() bool { close(expired); return false })
			c.Now() // the answer shows that the timer is set
			close(busy)
			<-expired
			return c.Now().Format(time.StampMilli), nil
		},
	}
	w := newWorld(t, s)
	want := w.world.Clock().Now().Add(time.Second).Format(time.StampMilli)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/x", want) })
	<-busy
	w.moveOn(time.Second)
	wg.Wait()
}

func TestATimeoutEndsARequestToAnotherObjectAndWhatThatOneDoes(t *testing.T) {
	t.Parallel()
	s := scripted.Alarms(nil)
	s.Handlers["/slow"] = func(c *call) (string, error) { // ends with its context
		ctx, cancel := context.WithCancel(c.Context)
		defer cancel()
		go func() {
			<-c.Canceled
			cancel()
		}()
		hour := &wire.Sleep{Event: c.Event, Duration: int64(time.Hour)}
		err := c.Program.Conn.Call(ctx, wire.MethodSleep, hour, &wire.Empty{})
		if err := c.Plain(wire.MethodResume); err != nil {
			return "", err
		}
		s.Note("b:%v@%d", err, c.Now().UnixMilli())
		return "", err
	}
	s.Handlers["alarm"] = func(c *call) (string, error) {
		ctx, cancel := context.WithCancelCause(c.Context)
		timer := timeout(c, 5*time.Second, func() bool { cancel(context.DeadlineExceeded); return true })
		defer timer.Withdraw()
		_, err := c.Program.Fetch(ctx, c.Event, "LAB", "b", "http://lab/slow")
		if e := c.Plain(wire.MethodResume); e != nil {
			return "", e
		}
		s.Note("a:%v@%d", err, c.Now().UnixMilli())
		return "", nil
	}
	// The step waits for the canceled handler, which may be silent for a while on a busy machine.
	w := newEmptyWorld(t, Options{}, world.Options{Waits: world.Waits{Silence: time.Second}})
	w.swapIn(s)
	at := w.world.Clock().Now().Add(6 * time.Second).UnixMilli()
	w.want("a", "/set1s", "")
	wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/a ok"})
	for _, want := range []string{
		fmt.Sprintf("a:context deadline exceeded@%d", at),
		fmt.Sprintf("b:context canceled@%d", at),
	} {
		if !strings.Contains(s.Notes(), want) {
			t.Errorf("got %q, want %q in it", s.Notes(), want)
		}
	}
}

func TestATimeoutOnAClockThatRuns(t *testing.T) {
	s := scripted.New(nil)
	s.Handlers = handlers{
		"/wait": func(c *call) (string, error) {
			if err := sleepAtMost(c, time.Millisecond, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
				return "", fmt.Errorf("got a different error: %w", err)
			}
			return "over", nil
		},
	}
	w := newWorld(t, s)
	if err := w.world.Clock().Resume(); err != nil {
		t.Fatal(err)
	}
	w.want("a", "/wait", "over")
}

func TestATimerOfAnEventThatIsOverFails(t *testing.T) {
	s := scripted.New(nil)
	var over uint64
	s.Handlers = handlers{
		"/x": func(c *call) (string, error) { over = c.Event; return "", nil },
	}
	w := newWorld(t, s)
	w.want("a", "/x", "")
	eventually(t, "the event is over", func() bool {
		_, err := w.host.current.event(over)
		return err != nil
	})
	timer, err := s.Conn.Open(wire.MethodTimer, &wire.Sleep{Event: over, Duration: 1}, false)
	must(err)
	if _, err := timer.Await(t.Context()); err == nil || !strings.Contains(err.Error(), "the event is over") {
		t.Errorf("got %v, want that the event is over", err)
	}
}
