package emulator

import (
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

func TestBackgroundWorkRunsAfterItsHandlerAndKeepsTheObject(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/later"] = func(c *call) (string, error) {
		err := c.Background(func(c *call) error {
			s.Note("work")
			err := errors.Join(c.Sleep(time.Minute), c.Store("k", "kept"))
			s.Note("done")
			return err
		})
		s.Note("handler")
		return "", err
	}
	w := newWorld(t, s)
	w.want("a", "/count", "1")
	w.want("a", "/later", "")
	w.awaitTimer(time.Minute)
	w.moveOn(59 * time.Second)
	w.want("a", "/get", "")
	w.want("a", "/count", "2") // not evicted meanwhile
	w.moveOn(time.Second)
	w.want("a", "/get", "kept")
	if got, want := s.Notes(), "construct:a handler work done"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	eventually(t, "the work is over", func() bool {
		got, err := w.client().ShowObject(t.Context(), lab("a"))
		return err == nil && !got.Running
	})
	w.moveOn(11 * time.Second)
	w.want("a", "/count", "1")
}

func TestFailedBackgroundWorkFailsNothingElse(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/later"] = func(c *call) (string, error) {
		return "", c.Background(func(*call) error { s.Note("failed"); return errors.New("no luck") })
	}
	w := newWorld(t, s)
	w.want("a", "/count", "1")
	w.want("a", "/later", "")
	eventually(t, "the work has failed", func() bool { return strings.HasSuffix(s.Notes(), "failed") })
	w.want("a", "/count", "2")
}

func TestAResetEndsBackgroundWork(t *testing.T) {
	s := scripted.Memory()
	ended := make(chan struct{})
	s.Handlers["/later"] = func(c *call) (string, error) {
		return "", c.Background(func(c *call) error {
			s.Note("work")
			err := c.Sleep(time.Hour)
			if err == nil || c.Store("k", "lost") == nil {
				t.Error("the work goes on after the reset")
			}
			close(ended)
			return err
		})
	}
	w := newWorld(t, s)
	w.want("a", "/later", "")
	w.awaitTimer(time.Hour)
	w.get("a", "/reset")
	<-ended
	w.want("a", "/get", "")
}

func TestAnAlarmThatAbortsIsTriedAgainUnlessTheAbortDropsIt(t *testing.T) {
	for drop, want := range map[bool]string{false: "Lab/a retry", true: "Lab/a failed"} {
		t.Run(fmt.Sprint(drop), func(t *testing.T) {
			s := scripted.Alarms(nil)
			constructed := 0
			s.Handlers["construct"] = func(*call) (string, error) { constructed++; return "", nil }
			s.Handlers["alarm"] = func(c *call) (string, error) {
				if c.Alarm.RetryCount > 0 {
					return "", nil
				}
				if err := errors.Join(c.Store("k", "lost"), c.SetAlarm(time.Hour)); err != nil {
					return "", err
				}
				reset := &wire.Reset{Event: c.Event, Reason: "enough", DropAlarm: drop}
				_, err := scripted.Op[wire.Empty](c, wire.MethodReset, reset)
				return "", errors.Join(err, errors.New("not seen"))
			}
			w := newWorld(t, s)
			w.want("a", "/set1s", "")
			wantList(t, "first run", w.moveOn(time.Second), []string{want})
			if _, pending := w.alarm("a"); pending == drop {
				t.Errorf("the alarm is pending: %v, want %v", pending, !drop)
			}
			if drop && constructed != 1 {
				t.Errorf("constructed %d times, want once: clearing an alarm needs no instance", constructed)
			}
			w.want("a", "/k", "")
			if drop {
				w.want("a", "/get", "none")
				return
			}
			wantList(t, "retry", w.moveOn(3*time.Second), []string{"Lab/a ok"})
		})
	}
}

func TestSeveralKeysInOneCall(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/many"] = func(c *call) (string, error) {
		put := &wire.PutMany{Event: c.Event, Entries: []wire.Entry{
			{Key: "a", Value: []byte("1")},
			{Key: "b", Value: []byte("2")},
			{Key: "c", Value: []byte("3")},
		}}
		if _, err := scripted.Op[wire.Empty](c, wire.MethodPutMany, put); err != nil {
			return "", err
		}
		keys := func(keys ...string) *wire.Keys { return &wire.Keys{Event: c.Event, Keys: keys} }
		deleted, err := scripted.Op[wire.Deleted](c, wire.MethodDeleteMany, keys("b", "x", "b"))
		if err != nil {
			return "", err
		}
		got, err := scripted.Op[wire.Listed](c, wire.MethodGetMany, keys("a", "b", "c", "x"))
		text := fmt.Sprint(deleted.Deleted)
		for _, e := range got.Entries {
			text += " " + e.Key + "=" + string(e.Value)
		}
		return text, err
	}
	w := newWorld(t, s)
	w.want("a", "/many", "1 a=1 c=3")
}

func TestLimitsOfTheProfiles(t *testing.T) {
	s := scripted.Memory()
	many := func(n, size int) []wire.Entry {
		entries := make([]wire.Entry, n)
		for i := range entries {
			entries[i] = wire.Entry{Key: fmt.Sprintf("%04d", i), Value: make([]byte, size)}
		}
		return entries
	}
	put := func(entries []wire.Entry) func(*call) (string, error) {
		return func(c *call) (string, error) {
			_, err := scripted.Op[wire.Empty](c, wire.MethodPutMany, &wire.PutMany{Event: c.Event, Entries: entries})
			return "", err
		}
	}
	keys := func(n int) (keys []string) {
		for _, e := range many(n, 0) {
			keys = append(keys, e.Key)
		}
		return keys
	}
	s.Handlers["/put128"] = put(many(128, 1))
	s.Handlers["/put129"] = put(many(129, 1))
	s.Handlers["/putbig"] = put(append(many(1, 1), wire.Entry{Key: "big", Value: make([]byte, 2<<20)}))
	s.Handlers["/get129"] = func(c *call) (string, error) {
		_, err := scripted.Op[wire.Listed](c, wire.MethodGetMany, &wire.Keys{Event: c.Event, Keys: keys(129)})
		return "", err
	}
	s.Handlers["/delete129"] = func(c *call) (string, error) {
		_, err := scripted.Op[wire.Deleted](c, wire.MethodDeleteMany, &wire.Keys{Event: c.Event, Keys: keys(129)})
		return "", err
	}
	s.Handlers["/first"] = func(c *call) (string, error) { return fmt.Sprint(len(c.Load("0000"))), nil }
	w := newWorld(t, s)
	w.want("a", "/put128", "")
	for path, want := range map[string]string{
		"/put129":    "129 keys in one call, the limit is 128",
		"/get129":    "129 keys in one call, the limit is 128",
		"/delete129": "129 keys in one call, the limit is 128",
		"/putbig":    `"big": key and value are 2097155 bytes together, the limit is 2097152 (2 MiB)`,
	} {
		if status, body := w.get("b", path); status != 500 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %q, want a 500 with %q", path, status, body, want)
		}
	}
	w.want("b", "/first", "0") // what was refused is not stored
	w.tune = func(o *Options) { o.Limits = world.LocalLimits }
	w.restart(s)
	for _, path := range []string{"/put129", "/get129", "/delete129", "/putbig"} {
		w.want("c", path, "")
	}
}

// The values of several keys may not fit into one answer.
func TestManyLargeValuesComePageByPage(t *testing.T) {
	s := scripted.Memory()
	const listPage = 1 << 20 // about how many bytes one answer carries
	s.Handlers["/large"] = func(c *call) (string, error) {
		keys := []string{"a", "b", "c", "d"}
		for _, k := range keys {
			if err := c.Store(k, strings.Repeat(k, listPage*3/4)); err != nil {
				return "", err
			}
		}
		var got []string
		for len(keys) > 0 {
			page, err := scripted.Op[wire.Listed](c, wire.MethodGetMany, &wire.Keys{Event: c.Event, Keys: keys})
			if err != nil {
				return "", err
			}
			got = append(got, fmt.Sprint(len(page.Entries), page.More))
			keys = keys[len(page.Entries):]
		}
		return strings.Join(got, " "), nil
	}
	w := newWorld(t, s)
	w.want("a", "/large", "2 true 2 false")
}

func TestRequestsToManyObjectsAtOnce(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			w.want(fmt.Sprint(i%10), "/put", "")
			w.want(fmt.Sprint(i%10), "/get", "kept")
		})
	}
	wg.Wait()
}
