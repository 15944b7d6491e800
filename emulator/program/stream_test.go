package program

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

func TestInvalidNoticesDoNoHarm(t *testing.T) {
	s := scripted.New(handlers{
		"/nonsense": func(c *call) (string, error) {
			return "", errors.Join(
				c.Program.Conn.Notify(wire.MethodWrite, new(wire.Empty)),
				c.Program.Conn.Notify(wire.MethodGet, new(wire.Empty)),
				c.Program.Conn.Notify(wire.MethodWrite, &wire.PutMany{Event: 1 << 40}),
			)
		},
		"/write": func(c *call) (string, error) {
			entries := []wire.Entry{{Key: "k", Value: []byte("written")}}
			return "", c.Program.Conn.Notify(wire.MethodWrite, &wire.PutMany{Event: c.Event, Entries: entries})
		},
		"/k": func(c *call) (string, error) { return c.Load("k"), nil },
	})
	w := newWorld(t, s)
	w.want("a", "/nonsense", "")
	w.want("a", "/write", "")
	w.want("a", "/k", "written")
}

func TestTheEndOfABodyLeavesAfterTheCommit(t *testing.T) {
	s := scripted.New(nil)
	s.Handlers = handlers{
		"/stream": func(c *call) (string, error) {
			err := c.Plain(wire.MethodPause)
			if err == nil {
				err = c.Stream.Answer(&wire.Response{Status: 200, ContentLength: -1, Body: []byte("x")}, false)
			}
			if err == nil {
				err = c.Plain(wire.MethodResume)
			}
			if err == nil {
				err = c.SetAlarm(time.Second)
			}
			if err == nil {
				err = c.Stream.CloseWrite()
			}
			return "", err
		},
		"/read": func(c *call) (string, error) {
			q := &wire.Subrequest{
				Event: c.Event, Binding: "LAB", ID: scripted.LabID("b"), Name: "b", HasName: true,
				Request: wire.Request{Method: "GET", URL: "http://lab/stream"},
			}
			sub, err := c.Program.Conn.Open(wire.MethodSubrequest, q, true)
			if err == nil {
				_, err = sub.Await(c.Context)
			}
			if err == nil {
				_, err = io.ReadAll(sub)
			}
			s.Note("%v", err)
			return "", nil
		},
	}
	w := newWorld(t, s)
	fault := control.Fault{
		Object: control.Object{Class: "Lab", Name: "b"}, Fault: control.FaultCrashBeforeCommit,
	}
	if _, err := w.world.InjectFault(fault); err != nil {
		t.Fatal(err)
	}
	w.want("a", "/read", "")
	if got := s.Notes(); !strings.Contains(got, "what was written is lost") {
		t.Errorf("reading the body: got %s, want the error of the commit", got)
	}
}

func TestASwapHoldsNewEventsOfAnObjectThatRunsAnOldOne(t *testing.T) {
	release, holding := make(chan struct{}), make(chan struct{})
	old := scripted.Memory()
	old.Handlers["/version"] = func(*call) (string, error) { close(holding); <-release; return "old", nil }
	next := scripted.Memory()
	next.Handlers["/version"] = func(*call) (string, error) { return "new", nil }
	w := newWorld(t, old)
	w.want("a", "/put", "")
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/version", "old") })
	<-holding
	w.swapIn(next)
	w.want("b", "/version", "new")
	wg.Go(func() { w.want("a", "/version", "new") })
	w.awaitInLine(1)
	close(release)
	wg.Wait()
	w.want("a", "/get", "kept")
}

func TestASwapWaitsOnlyUntilTheDrainLimit(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	w.host.drainLimit = time.Nanosecond
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, body := w.get("a", "/putsleep"); status != 500 || !strings.Contains(body, "its code was updated") {
			t.Errorf("got %d %q, want a 500 that names the update", status, body)
		}
	})
	eventually(t, "the handler sleeps", func() bool {
		_, body := w.get("a", "/get")
		return body == "kept"
	})
	w.swapIn(scripted.Memory())
	wg.Wait()
	w.want("a", "/get", "kept")
}
