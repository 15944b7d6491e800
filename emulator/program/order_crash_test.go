package program

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/world"
)

// Some events run, some sleep, some wait for another object or its turn, and some are the worker's.
func TestCallersLearnOfACrashInTheOrderOfTheirArrival(t *testing.T) {
	for range 20 {
		testOrderAtCrash(t)
	}
}

func testOrderAtCrash(t *testing.T) {
	s := scripted.Memory()
	var begun atomic.Int32
	hang := func(c *call) (string, error) {
		<-c.Context.Done()
		return "", nil
	}
	noted := scripted.Handlers{
		"/hang":  hang,
		"/sleep": func(c *call) (string, error) { return "", c.Sleep(time.Hour) },
		"/call":  func(c *call) (string, error) { return c.Fetch("callee", "/keep the turn") },
	}
	for path, handler := range noted {
		s.Handlers[path] = func(c *call) (string, error) { begun.Add(1); return handler(c) }
	}
	s.Handlers["/keep the turn"] = hang
	w := newWorld(t, s)
	var mu sync.Mutex
	var told []string
	var wg sync.WaitGroup
	send := func(name, path string) {
		d := &world.Delivery{
			Kind: "fetch", Context: context.Background(), Entry: world.Impatient,
			Request: &wire.Request{Method: "GET", URL: "http://lab" + path},
			Handle: func(ev *world.Event, inst *world.Instance) error {
				return ev.Program().(*Program).Fetch(ev, inst, nil, &response{})
			},
			Told: func() {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, name+path)
			},
		}
		if name == "worker" {
			d.Request.Header = []wire.Field{{Name: "Object", Value: "behind" + path}}
		} else {
			ns, err := w.world.NamespaceOf("Lab")
			if err != nil {
				t.Error(err)
				return
			}
			d.Object = ns.At(ns.Named(name))
		}
		wg.Go(func() {
			if err := w.world.Deliver(d); err == nil || !strings.Contains(err.Error(), "closed its connection") {
				t.Errorf("%s%s: got %v, want the crash", name, path, err)
			}
		})
	}
	var want []string
	for i, path := range slices.Repeat([]string{"/hang", "/sleep", "/call"}, 4) {
		name := fmt.Sprint("object ", i)
		if i%4 == 0 {
			name = "worker"
		}
		send(name, path)
		want = append(want, name+path)
		eventually(t, "the next runs", func() bool { return int(begun.Load()) == len(want) })
	}
	w.crash(scripted.Memory())
	wg.Wait()
	wantList(t, "told", told, want)
}

func TestAlarmsThatACrashEndsAreReportedInTheOrderInWhichTheyBegan(t *testing.T) {
	for range 20 {
		var mu sync.Mutex
		var retried, want []string
		w := newEmptyWorld(t, Options{}, world.Options{Happened: func(h world.Happening) {
			mu.Lock()
			defer mu.Unlock()
			if h.Outcome == control.OutcomeRetry {
				retried = append(retried, h.Object)
			}
		}})
		sleep := func(c *call) error { return c.Sleep(time.Hour) }
		w.swapIn(scripted.Alarms(sleep))
		for i := range 10 {
			name := fmt.Sprint("o", 9-i)
			w.want(name, "/set10s", "")
			want = append(want, "Lab/"+name)
		}
		w.move(control.AdvanceRequest{Duration: "1m"})
		w.crash(scripted.Alarms(sleep))
		eventually(t, "all alarms have ended", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(retried) >= len(want)
		})
		mu.Lock()
		wantList(t, "retried", retried, want)
		mu.Unlock()
	}
}
