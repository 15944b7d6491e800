package durable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

// A deed is one thing that a handler does in this test: a call of Storage or, for a transaction and
// a goroutine that sleeps, the deeds inside as well.
type deed struct {
	What   string
	Key    string
	Size   int // of the value
	Inside []deed
}

// deedsOf draws what one handler does. Transactions nest to a depth of two.
func deedsOf(depth int) *rapid.Generator[[]deed] {
	kinds := []string{
		"put", "put", "put", "get", "get", "get", "get many", "put many", "delete", "delete many", "list", "sync",
	}
	if depth == 0 {
		kinds = append(kinds, "delete all", "sleep", "sleep", "sleep in a goroutine")
	}
	if depth < 2 {
		kinds = append(kinds, "commit", "fail", "roll back")
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
		d := deed{
			What: rapid.SampledFrom(kinds).Draw(t, "what"),
			Key:  rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"),
			// Values too large for the buffer or the cache are rare.
			Size: rapid.SampledFrom([]int{1, 2, 3, 4, 5, 20_000, 40_000, lawEntry}).Draw(t, "size"),
		}
		switch d.What {
		case "commit", "fail", "roll back":
			d.Inside = deedsOf(depth+1).Draw(t, "inside")
		case "sleep in a goroutine":
			d.Inside = deedsOf(2).Draw(t, "inside")
		}
		return d
	}), 0, 8)
}

// lawEntry is the limit of an entry here, in bytes.
const lawEntry = 50_000

// A performance carries out the deeds of several events, with or without a cache.
type performance struct {
	*emulation
	seen   []string // what the handlers saw
	asleep []chan struct{}
}

func (p *performance) see(format string, args ...any) {
	p.seen = append(p.seen, fmt.Sprintf(format, args...))
}

func (p *performance) do(ctx context.Context, s *Storage, deeds []deed) {
	for i, d := range deeds {
		value := strings.Repeat(strconv.Itoa(i), d.Size)
		switch d.What {
		case "put":
			p.see("put: %v", s.Put(ctx, d.Key, value))
		case "get":
			var v string
			found, err := s.Get(ctx, d.Key, &v)
			p.see("get %s: %v %.9s %d %v", d.Key, found, v, len(v), err)
		case "get many":
			entries, err := s.GetMany(ctx, []string{"a", "b"})
			p.see("get many: %v %v", brief(entries), err)
		case "put many":
			p.see("put many: %v", s.PutMany(ctx, map[string]any{d.Key: value, "c": i}))
		case "delete":
			existed, err := s.Delete(ctx, d.Key)
			p.see("delete: %v %v", existed, err)
		case "delete many":
			n, err := s.DeleteMany(ctx, []string{"a", d.Key})
			p.see("delete many: %d %v", n, err)
		case "list":
			entries, err := s.List(ctx, ListOptions{})
			p.see("list: %v %v", brief(entries), err)
		case "sync":
			p.see("sync: %v", s.Sync(ctx))
		case "delete all":
			p.see("delete all: %v", s.DeleteAll(ctx))
		case "sleep":
			p.see("sleep: %v", Sleep(ctx, time.Second))
		case "sleep in a goroutine": // so that the event asks when it has no turn
			slept := make(chan error)
			go func() { slept <- Sleep(ctx, time.Second) }()
			p.do(ctx, s, d.Inside)
			p.see("sleep in a goroutine: %v", <-slept)
		case "commit", "fail", "roll back":
			err := s.Transaction(ctx, func(ctx context.Context) error {
				p.do(ctx, s, d.Inside)
				switch d.What {
				case "fail":
					return errors.New("no luck")
				case "roll back":
					return ErrRollback
				}
				return nil
			})
			p.see("%s: %v", d.What, err)
		}
	}
}

// brief describes entries by their keys and the beginnings of their values.
func brief(entries []Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s=%.9s(%d) ", e.Key, e.value, len(e.value))
	}
	return b.String()
}

// sleep holds a handler back until the schedule wakes it.
func (p *performance) sleep(s *wire.Stream) {
	wake := make(chan struct{})
	p.mu.Lock()
	p.asleep = append(p.asleep, wake)
	p.mu.Unlock()
	<-wake
	s.Answer(new(wire.Empty), true)
}

func (p *performance) wake(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.asleep[n])
	p.asleep = slices.Delete(p.asleep, n, n+1)
}

// perform delivers the events, all to the same object. Whenever one sleeps or has ended, the
// schedule decides what goes on: a sleeping one, the next event or a change from outside.
func perform(t *testing.T, entry uint64, plays [][]deed, schedule []int) (seen []string, left map[string]string) {
	p := &performance{}
	w := withFetch(func(o *probe, _ http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		p.see("event %d", n)
		p.do(r.Context(), o.state.Storage, plays[n])
		p.see("event %d ends", n)
	})
	emulate(t, w, func(e *emulation) {
		p.emulation = e
		e.on(wire.MethodSleep, p.sleep)
		e.on(wire.MethodPut, func(s *wire.Stream) {
			var q wire.Put
			if mustDecode(s.Message, &q); len(q.Key)+len(q.Value) > lawEntry {
				s.Fail(&wire.Error{Message: "too large"})
				return
			}
			e.memory.serve(s)
		})
		object := e.construct("Object", "one")
		next := 0
		for i := 0; next < len(plays) || len(p.asleep) > 0; i++ {
			n := schedule[i%len(schedule)]
			switch {
			case n == 0 && i < len(schedule):
				e.mu.Lock()
				e.values["a"] = []byte(fmt.Sprintf("J\"outside %d\"", i))
				e.mu.Unlock()
				e.forget(object)
			case next < len(plays) && (n%2 == 0 || len(p.asleep) == 0):
				e.fetch(object, wire.Request{URL: fmt.Sprintf("http://a.test/%d", next)})
				next++
			case len(p.asleep) > 0:
				p.wake(n % len(p.asleep))
			}
			e.settle()
		}
		left = make(map[string]string)
		for key, value := range e.values {
			left[key] = fmt.Sprintf("%.9s(%d)", value, len(value))
		}
	}, func(e *emulation) { e.maxEntry = entry })
	return p.seen, left
}

// Buffered puts and cached entries never show, whatever the handlers of an object do and in
// whatever order they run.
func TestACacheChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plays := rapid.SliceOfN(deedsOf(0), 1, 3).Draw(rt, "plays")
		schedule := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 12).Draw(rt, "schedule")
		want, wantLeft := perform(t, 0, plays, schedule)
		got, gotLeft := perform(t, lawEntry, plays, schedule)
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Errorf("handlers see (-without +with a cache):\n%s", diff)
		}
		if diff := cmp.Diff(wantLeft, gotLeft); diff != "" {
			rt.Errorf("left is (-without +with a cache):\n%s", diff)
		}
	})
}
