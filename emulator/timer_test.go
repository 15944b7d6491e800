package emulator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// timeout sets a timer and calls ended when its time has come. ended returns whether something
// that waited goes on.
func (c *call) timeout(d time.Duration, ended func() bool) *wire.Stream {
	s, err := c.s.conn.Open(wire.MethodTimer, &wire.Sleep{Event: c.event, Duration: int64(d)}, false)
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

// sleepAtMost is Sleep with a context that ends after limit, as the SDK does it.
func (c *call) sleepAtMost(limit, d time.Duration) error {
	ctx, cancel := context.WithCancelCause(c.ctx)
	timer := c.timeout(limit, func() bool { cancel(context.DeadlineExceeded); return true })
	defer timer.Withdraw()
	err := c.s.conn.Call(ctx, wire.MethodSleep, &wire.Sleep{Event: c.event, Duration: int64(d)}, &wire.Empty{})
	if ctx.Err() != nil {
		return errors.Join(c.plain(wire.MethodResume), context.Cause(ctx))
	}
	return err
}

// sinceScheduled is how much later than the alarm's time it is.
func (c *call) sinceScheduled() time.Duration {
	return c.now().Sub(time.UnixMilli(c.alarm.Scheduled))
}

func TestAHandlerGoesOnAtTheTimeOfItsTimeout(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["alarm"] = func(c *call) (string, error) {
		err := c.sleepAtMost(5*time.Second, time.Hour)
		s.note("%v at %s", err, c.sinceScheduled())
		for range 100 { // the clock waits for all of it
			if err := c.store("k", "v"); err != nil {
				return "", err
			}
		}
		s.note("done at %s", c.sinceScheduled())
		return "", nil
	}
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	wantList(t, "fired", w.moveOn(time.Hour), []string{"Lab/a ok"})
	if got, want := s.notes(), "context deadline exceeded at 5s done at 5s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATimeoutAndASleepOfTheSameInstantComeInTheOrderOfSetting(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["alarm"] = func(c *call) (string, error) {
		s.note("%v", c.sleepAtMost(5*time.Second, 5*time.Second))
		return "", nil
	}
	w := newWorld(t, s)
	for range 20 {
		w.want("a", "/set1s", "")
		w.moveOn(time.Minute)
	}
	if got, want := s.notes(), strings.Repeat(" context deadline exceeded", 20)[1:]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATimeoutOfNobodyLetsTheClockGoOn(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["alarm"] = func(c *call) (string, error) {
		c.timeout(5*time.Second, func() bool { s.note("expired"); return false })
		err := c.sleep(10 * time.Second)
		s.note("slept for %s", c.sinceScheduled())
		return "", err
	}
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/a ok"})
	if got, want := s.notes(), "expired slept for 10s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATimeoutThatIsWithdrawnLeavesTheClockAlone(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["/x"] = func(c *call) (string, error) {
		c.timeout(time.Second, func() bool { s.note("expired"); return true }).Withdraw()
		return "", nil
	}
	w := newWorld(t, s)
	w.want("a", "/x", "")
	w.moveOn(time.Minute)
	if got := s.notes(); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}

func TestAHandlerThatIsBusyFindsItsTimeoutOver(t *testing.T) {
	s := newScript(nil)
	busy, expired := make(chan struct{}), make(chan struct{})
	s.handlers = map[string]func(*call) (string, error){
		"/x": func(c *call) (string, error) {
			c.timeout(time.Second, func() bool { close(expired); return false })
			c.now() // when this is answered, the timer is set
			close(busy)
			<-expired
			return c.now().Format(time.StampMilli), nil
		},
	}
	w := newWorld(t, s)
	want := w.clock.Now().Add(time.Second).Format(time.StampMilli)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/x", want) })
	<-busy
	w.moveOn(time.Second)
	wg.Wait()
}

func TestATimeoutEndsARequestToAnotherObjectAndWhatThatOneDoes(t *testing.T) {
	s := alarmScript(nil)
	s.handlers["/slow"] = func(c *call) (string, error) { // honours its end
		ctx, cancel := context.WithCancel(c.ctx)
		defer cancel()
		go func() {
			<-c.canceled
			cancel()
		}()
		err := c.s.conn.Call(ctx, wire.MethodSleep, &wire.Sleep{Event: c.event, Duration: int64(time.Hour)}, &wire.Empty{})
		if err := c.plain(wire.MethodResume); err != nil {
			return "", err
		}
		s.note("b:%v@%d", err, c.now().UnixMilli())
		return "", err
	}
	s.handlers["alarm"] = func(c *call) (string, error) {
		ctx, cancel := context.WithCancelCause(c.ctx)
		timer := c.timeout(5*time.Second, func() bool { cancel(context.DeadlineExceeded); return true })
		defer timer.Withdraw()
		_, err := c.s.fetch(ctx, c.event, "LAB", "b", "http://lab/slow")
		if e := c.plain(wire.MethodResume); e != nil {
			return "", e
		}
		s.note("a:%v@%d", err, c.now().UnixMilli())
		return "", nil
	}
	w := newWorld(t, s)
	at := w.clock.Now().Add(6 * time.Second).UnixMilli()
	w.want("a", "/set1s", "")
	wantList(t, "fired", w.moveOn(time.Minute), []string{"Lab/a ok"})
	for _, want := range []string{fmt.Sprintf("a:context deadline exceeded@%d", at), fmt.Sprintf("b:context canceled@%d", at)} {
		if !strings.Contains(s.notes(), want) {
			t.Errorf("got %q, want %q in it", s.notes(), want)
		}
	}
}

func TestATimeoutOnAClockThatRuns(t *testing.T) {
	s := newScript(nil)
	s.handlers = map[string]func(*call) (string, error){
		"/wait": func(c *call) (string, error) {
			if err := c.sleepAtMost(time.Millisecond, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
				return "", fmt.Errorf("got another end: %w", err)
			}
			return "over", nil
		},
	}
	w := newWorld(t, s)
	if err := w.clock.Resume(); err != nil {
		t.Fatal(err)
	}
	w.want("a", "/wait", "over")
}

func TestATimerOfAnEventThatIsOverFails(t *testing.T) {
	s := newScript(nil)
	var over uint64
	s.handlers = map[string]func(*call) (string, error){
		"/x": func(c *call) (string, error) { over = c.event; return "", nil },
	}
	w := newWorld(t, s)
	w.want("a", "/x", "")
	eventually(t, "the event is over", func() bool {
		_, err := w.host.current.event(over)
		return err != nil
	})
	timer, err := s.conn.Open(wire.MethodTimer, &wire.Sleep{Event: over, Duration: 1}, false)
	must(err)
	if _, err := timer.Await(t.Context()); err == nil || !strings.Contains(err.Error(), "the event is over") {
		t.Errorf("got %v, want that the event is over", err)
	}
}
