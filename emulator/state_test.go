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

// background begins work that outlives the handler of c. The work gets its own call.
func (c *call) background(work func(*call) error) error {
	s, err := c.s.conn.Open(wire.MethodBackground, &wire.Operation{Event: c.event}, false)
	if err != nil {
		return err
	}
	b, err := s.Await(context.Background())
	if err != nil {
		return err
	}
	var m wire.Background
	must(wire.Decode(b, &m))
	next := &call{s: c.s, ctx: s.Context(), event: m.Event, instance: c.instance, object: c.object}
	go func() {
		err := next.plain(wire.MethodResume)
		if err == nil {
			err = work(next)
		}
		if err != nil {
			s.Fail(&wire.Error{Message: err.Error(), Remote: true})
			return
		}
		s.CloseWrite() //nolint:errcheck // the emulator has gone
	}()
	return nil
}

func TestBackgroundWorkRunsAfterItsHandlerAndKeepsTheObject(t *testing.T) {
	s := memoryScript()
	s.handlers["/later"] = func(c *call) (string, error) {
		err := c.background(func(c *call) error {
			s.note("work")
			err := errors.Join(c.sleep(time.Minute), c.store("k", "kept"))
			s.note("done")
			return err
		})
		s.note("handler")
		return "", err
	}
	w := newWorld(t, s)
	w.want("a", "/count", "1")
	w.want("a", "/later", "")
	w.awaitSleepers(1)
	w.moveOn(59 * time.Second)
	w.want("a", "/get", "")
	w.want("a", "/count", "2") // not evicted meanwhile
	w.moveOn(time.Second)
	w.want("a", "/get", "kept")
	if got, want := s.notes(), "construct:a handler work done"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	eventually(t, "the work is over", func() bool { return w.object("Lab", "a").pendingEvents() == 0 })
	w.moveOn(11 * time.Second)
	w.want("a", "/count", "1")
}

func TestFailedBackgroundWorkHurtsNobody(t *testing.T) {
	s := memoryScript()
	s.handlers["/later"] = func(c *call) (string, error) {
		return "", c.background(func(*call) error { s.note("failed"); return errors.New("no luck") })
	}
	w := newWorld(t, s)
	w.want("a", "/count", "1")
	w.want("a", "/later", "")
	eventually(t, "the work has failed", func() bool { return strings.HasSuffix(s.notes(), "failed") })
	w.want("a", "/count", "2")
}

func TestAResetEndsBackgroundWork(t *testing.T) {
	s := memoryScript()
	ended := make(chan struct{})
	s.handlers["/later"] = func(c *call) (string, error) {
		return "", c.background(func(c *call) error {
			s.note("work")
			err := c.sleep(time.Hour)
			if err == nil || c.store("k", "lost") == nil {
				t.Error("the work goes on after the reset")
			}
			close(ended)
			return err
		})
	}
	w := newWorld(t, s)
	w.want("a", "/later", "")
	w.awaitSleepers(1)
	w.get("a", "/reset")
	<-ended
	w.want("a", "/get", "")
}

func TestAnAbortDuringAnAlarmIsTriedAgainUnlessItSaysNo(t *testing.T) {
	for drop, want := range map[bool]string{false: "Lab/a retry", true: "Lab/a failed"} {
		t.Run(fmt.Sprint(drop), func(t *testing.T) {
			s := alarmScript(nil)
			constructed := 0
			s.handlers["construct"] = func(*call) (string, error) { constructed++; return "", nil }
			s.handlers["alarm"] = func(c *call) (string, error) {
				if c.alarm.RetryCount > 0 {
					return "", nil
				}
				if err := errors.Join(c.store("k", "lost"), c.setAlarm(time.Hour)); err != nil {
					return "", err
				}
				_, err := op[wire.Empty](c, wire.MethodReset, &wire.Reset{Event: c.event, Reason: "enough", DropAlarm: drop})
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
	s := memoryScript()
	s.handlers["/many"] = func(c *call) (string, error) {
		entries := []wire.Entry{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}, {Key: "c", Value: []byte("3")}}
		if _, err := op[wire.Empty](c, wire.MethodPutMany, &wire.PutMany{Event: c.event, Entries: entries}); err != nil {
			return "", err
		}
		deleted, err := op[wire.Deleted](c, wire.MethodDeleteMany, &wire.Keys{Event: c.event, Keys: []string{"b", "x", "b"}})
		if err != nil {
			return "", err
		}
		got, err := op[wire.Listed](c, wire.MethodGetMany, &wire.Keys{Event: c.event, Keys: []string{"a", "b", "c", "x"}})
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
	s := memoryScript()
	many := func(n, size int) []wire.Entry {
		entries := make([]wire.Entry, n)
		for i := range entries {
			entries[i] = wire.Entry{Key: fmt.Sprintf("%04d", i), Value: make([]byte, size)}
		}
		return entries
	}
	put := func(entries []wire.Entry) func(*call) (string, error) {
		return func(c *call) (string, error) {
			_, err := op[wire.Empty](c, wire.MethodPutMany, &wire.PutMany{Event: c.event, Entries: entries})
			return "", err
		}
	}
	keys := func(n int) (keys []string) {
		for _, e := range many(n, 0) {
			keys = append(keys, e.Key)
		}
		return keys
	}
	s.handlers["/put128"] = put(many(128, 1))
	s.handlers["/put129"] = put(many(129, 1))
	s.handlers["/putbig"] = put(append(many(1, 1), wire.Entry{Key: "big", Value: make([]byte, 2<<20)}))
	s.handlers["/get129"] = func(c *call) (string, error) {
		_, err := op[wire.Listed](c, wire.MethodGetMany, &wire.Keys{Event: c.event, Keys: keys(129)})
		return "", err
	}
	s.handlers["/delete129"] = func(c *call) (string, error) {
		_, err := op[wire.Deleted](c, wire.MethodDeleteMany, &wire.Keys{Event: c.event, Keys: keys(129)})
		return "", err
	}
	s.handlers["/first"] = func(c *call) (string, error) { return fmt.Sprint(len(c.load("0000"))), nil }
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
	w.want("b", "/first", "0") // nothing of what was refused
	w.limits = LocalLimits
	for _, path := range []string{"/put129", "/get129", "/delete129", "/putbig"} {
		w.want("c", path, "")
	}
}

// What several keys hold may be more than one answer carries.
func TestManyLargeValuesComePageByPage(t *testing.T) {
	s := memoryScript()
	s.handlers["/large"] = func(c *call) (string, error) {
		keys := []string{"a", "b", "c", "d"}
		for _, k := range keys {
			if err := c.store(k, strings.Repeat(k, listPage*3/4)); err != nil {
				return "", err
			}
		}
		var got []string
		for len(keys) > 0 {
			page, err := op[wire.Listed](c, wire.MethodGetMany, &wire.Keys{Event: c.event, Keys: keys})
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
	w := newWorld(t, memoryScript())
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			w.want(fmt.Sprint(i%10), "/put", "")
			w.want(fmt.Sprint(i%10), "/get", "kept")
		})
	}
	wg.Wait()
}
