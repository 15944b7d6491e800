package wire_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// connectWith is connect with all callbacks for the emulator's end.
func connectWith(t *testing.T, tr transport, calls wire.Callbacks) pair {
	t.Helper()
	a, b := tr.connect(t)
	p := pair{
		emulator: wire.NewConn(a, wire.Emulator, calls),
		program:  wire.NewConn(b, wire.Program, wire.Callbacks{Serve: ignore}),
	}
	t.Cleanup(func() {
		p.emulator.Close()
		p.program.Close()
	})
	return p
}

func TestNoticesAreHandledBeforeLaterFrames(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		var mu sync.Mutex
		var noticed []string
		p := connectWith(t, tr, wire.Callbacks{
			Notice: func(method wire.Method, message []byte) {
				var m wire.Get
				if err := wire.Decode(message, &m); err != nil || method != wire.MethodWrite {
					t.Errorf("got notice %d, %v", method, err)
				}
				mu.Lock()
				noticed = append(noticed, m.Key)
				mu.Unlock()
			},
			Serve: func(s *wire.Stream) {
				mu.Lock()
				defer mu.Unlock()
				s.Answer(&wire.Value{Value: []byte{byte(len(noticed))}}, true)
			},
		})
		var want []string
		for i := range 50 {
			key := string(rune('a' + i))
			want = append(want, key)
			if err := p.program.Notify(wire.MethodWrite, &wire.Get{Key: key}); err != nil {
				t.Fatal(err)
			}
			var got wire.Value
			if err := p.program.Call(t.Context(), wire.MethodGet, new(wire.Get), &got); err != nil ||
				int(got.Value[0]) != i+1 {
				t.Fatalf("after %d notices %d were taken, %v", i+1, got.Value, err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(noticed, want) {
			t.Errorf("got notices %q, want %q", noticed, want)
		}
	})
}

func TestANoticeWithoutACallbackIsIgnored(t *testing.T) {
	p := connectWith(t, unix, wire.Callbacks{Serve: answerGets})
	if err := p.program.Notify(wire.MethodWrite, new(wire.Get)); err != nil {
		t.Fatal(err)
	}
	checkUsable(t, p.program)
	p.program.Close()
	if err := p.program.Notify(wire.MethodWrite, new(wire.Get)); err != wire.ErrClosed {
		t.Errorf("got %v, want %v", err, wire.ErrClosed)
	}
}

func inline(wire.Method) wire.Manner { return wire.Inline }

// only serves one method in that manner, and all others concurrently.
func only(method wire.Method, manner wire.Manner) func(wire.Method) wire.Manner {
	return func(m wire.Method) wire.Manner {
		if m == method {
			return manner
		}
		return wire.Concurrent
	}
}

func TestQuestionsServedInOrderAreNotOvertaken(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		later := make(chan struct{})
		p := connectWith(t, tr, wire.Callbacks{
			Manner: only(wire.MethodTimer, wire.InOrder),
			Serve: func(s *wire.Stream) {
				if s.Method != wire.MethodTimer {
					close(later)
				} else {
					select {
					case <-later:
						t.Error("what came later was served before")
					case <-time.After(10 * wire.Patience): // another goroutine would read on by now
					}
				}
				s.Answer(&wire.Empty{}, true)
			},
		})
		first, err := p.program.Open(wire.MethodTimer, &wire.Sleep{}, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.program.Call(t.Context(), wire.MethodSleep, &wire.Sleep{}, &wire.Empty{}); err != nil {
			t.Error(err)
		}
		if _, err := first.Await(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestConcurrentQuestionsAreServedBesideInlineOnes(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		p := connectWith(t, tr, wire.Callbacks{
			Manner: only(wire.MethodGet, wire.Inline),
			Serve: func(s *wire.Stream) {
				if s.Method == wire.MethodGet {
					answerGets(s)
				} else {
					s.Answer(&wire.Time{Time: 7}, true)
				}
			},
		})
		for range 10 {
			checkUsable(t, p.program)
			var got wire.Time
			if err := p.program.Call(t.Context(), wire.MethodNow, new(wire.Operation), &got); err != nil ||
				got.Time != 7 {
				t.Errorf("got %d, %v; want 7", got.Time, err)
			}
		}
	})
}

func TestALongInlineQuestionDoesNotBlockOthers(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		release := make(chan struct{})
		p := connectWith(t, tr, wire.Callbacks{
			Manner: inline,
			Serve: func(s *wire.Stream) {
				if s.Method == wire.MethodNow {
					<-release
				}
				answerGets(s)
			},
		})
		var slow []*wire.Stream
		for range 3 {
			s, err := p.program.Open(wire.MethodNow, &wire.Get{Key: "slow"}, true)
			if err != nil {
				t.Fatal(err)
			}
			slow = append(slow, s)
		}
		checkUsable(t, p.program)
		close(release)
		for _, s := range slow {
			b, err := s.Await(t.Context())
			var got wire.Value
			if err == nil {
				err = wire.Decode(b, &got)
			}
			if err != nil || string(got.Value) != "slow" {
				t.Errorf("got %q, %v", got.Value, err)
			}
		}
		checkUsable(t, p.program)
	})
}
