package program

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"devtool.internal/emulator/internal/scripted"
)

// laterScript returns a program whose worker answers each request at once, and does work after
// that.
func laterScript(work func(*call) error) *script {
	s := scripted.Alarms(nil)
	s.Handlers["worker"] = func(c *call) (string, error) { return "answered", c.Background(work) }
	return s
}

// idle reports whether the program handles no event.
func (w *testWorld) idle() bool { return len(w.running()) == 0 }

func TestWorkOfTheWorkerHoldsTheStepThatWakesIt(t *testing.T) {
	s := laterScript(func(c *call) error {
		if err := c.Sleep(time.Minute); err != nil {
			return err
		}
		_, err := c.Fetch("a", "/set1s")
		return err
	})
	w := newWorld(t, s)
	w.want("", "/", "answered")
	w.awaitTimer(time.Minute)
	// The alarm that the work sets is due within the same advance.
	wantList(t, "fired", w.moveOn(61*time.Second), []string{"Lab/a ok"})
	eventually(t, "the work is over", w.idle)
}

func TestWorkOfTheWorkerHoldsTheStepOfItsCause(t *testing.T) {
	s := laterScript(func(c *call) error {
		if err := c.Sleep(time.Minute); err != nil {
			return err
		}
		return c.Background(func(c *call) error { // whose cause is over when this runs
			if err := c.Sleep(time.Minute); err != nil {
				return err
			}
			_, err := c.Fetch("a", "/set1s")
			return err
		})
	})
	w := newWorld(t, s)
	w.want("", "/", "answered")
	w.awaitTimer(time.Minute)
	wantList(t, "fired", w.moveOn(121*time.Second), []string{"Lab/a ok"})
}

func TestFailedWorkOfTheWorkerIsLogged(t *testing.T) {
	w := newWorld(t, laterScript(func(*call) error { return errors.New("no luck") }))
	log := &lines{}
	w.host.Log = slog.New(log)
	w.want("", "/", "answered")
	var got []string
	eventually(t, "the failure is logged", func() bool { got = append(got, log.take()...); return len(got) > 0 })
	if want := []string{"ERROR worker w waitUntil failed: no luck"}; !slices.Equal(got, want) {
		t.Errorf("got log %q, want %q", got, want)
	}
	w.want("", "/", "answered")
}

func TestASwapDrainsTheWorkersWork(t *testing.T) {
	h := newHang(t)
	old := laterScript(func(c *call) error {
		if _, err := h.Here(c); err != nil {
			return err
		}
		_, err := c.Fetch("a", "/set1s")
		return err
	})
	w := newWorld(t, old)
	w.want("", "/", "answered")
	<-h.In
	w.swapIn(scripted.Alarms(nil))
	h.Release()
	eventually(t, "the alarm is set", func() bool { return w.isSet("a") })
	wantList(t, "fired", w.moveOn(time.Second), []string{"Lab/a ok"})
}

func TestTheDrainLimitEndsTheWorkersWork(t *testing.T) {
	ended := make(chan struct{})
	w := newWorld(t, laterScript(func(c *call) error {
		defer close(ended)
		if err := c.Sleep(time.Hour); err == nil {
			t.Error("the work goes on in the old program")
		}
		return nil
	}))
	w.host.drainLimit = time.Nanosecond
	w.want("", "/", "answered")
	w.awaitTimer(time.Hour)
	w.swapIn(scripted.Alarms(nil))
	<-ended
}
