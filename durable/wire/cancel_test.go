package wire_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"devtool.internal/durable/wire"
)

func TestCancelEndsTheInterestAndNotTheStream(t *testing.T) {
	for _, early := range []bool{true, false} { // whether somebody has asked for the contexts before
		overEach(t, func(t *testing.T, tr transport) {
			_, asking, answering := ask(t, tr)
			if early {
				if err := answering.Interest().Err(); err != nil {
					t.Fatalf("the interest has ended before the cancel: %v", err)
				}
			}
			asking.Cancel()
			<-answering.Interest().Done()
			if err := context.Cause(answering.Interest()); !errors.Is(err, wire.ErrCanceled) ||
				!errors.Is(err, context.Canceled) {
				t.Errorf("the interest ends with %v, want ErrCanceled, which is a context.Canceled", err)
			}
			if err := answering.Context().Err(); err != nil {
				t.Errorf("the stream's context has ended: %v", err)
			}
			if err := answering.Answer(&wire.Value{Found: true}, true); err != nil {
				t.Errorf("answer: %v", err)
			}
			b, err := asking.Await(t.Context())
			if err != nil {
				t.Fatalf("await: %v", err)
			}
			var got wire.Value
			if err := wire.Decode(b, &got); err != nil || !got.Found {
				t.Errorf("got %+v, %v, want the answer", got, err)
			}
		})
	}
}

func TestACancelWaitsWhileTheInterestIsHeld(t *testing.T) {
	_, asking, answering := ask(t, unix)
	interest := answering.Interest()
	answering.HoldInterest()
	answering.HoldInterest()
	asking.Cancel()
	if err := asking.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(answering); err != nil { // so the cancel has arrived
		t.Fatal(err)
	}
	answering.ReleaseInterest()
	if interest.Err() != nil || answering.Interest().Err() != nil {
		t.Error("the interest has ended while it was held")
	}
	answering.ReleaseInterest()
	if err := context.Cause(interest); !errors.Is(err, wire.ErrCanceled) {
		t.Errorf("the interest ends with %v, want ErrCanceled", err)
	}
}

func TestAHeldInterestEndsWithTheStream(t *testing.T) {
	_, asking, answering := ask(t, unix)
	answering.HoldInterest()
	asking.Withdraw()
	<-answering.Interest().Done()
}

func TestTheInterestEndsWithTheStream(t *testing.T) {
	for _, early := range []bool{true, false} {
		_, asking, answering := ask(t, unix)
		if early {
			answering.Interest()
		}
		asking.Withdraw()
		<-answering.Context().Done()
		<-answering.Interest().Done()
		var e *wire.Error
		if err := context.Cause(answering.Interest()); !errors.As(err, &e) || !e.Canceled {
			t.Errorf("the interest ends with %v, want the withdrawal", err)
		}
	}
}

func TestCancelOfAStreamThatIsOverSendsNothing(t *testing.T) {
	c, peer := connectRaw(t, unix, wire.Emulator, ignore)
	s := mustOpen(t, c, true)
	peer.next()
	s.Withdraw()
	s.Cancel()
	if f := peer.next(); f.Kind != fail {
		t.Errorf("got a frame of kind %d, want the withdrawal", f.Kind)
	}
	mustOpen(t, c, true)
	if f := peer.next(); f.Kind != open {
		t.Errorf("got a frame of kind %d, want the next question", f.Kind)
	}
}

// A cancel that follows its question at once must not be lost, in whatever order the goroutines
// run.
func TestACancelThatFollowsAtOnceIsSeen(t *testing.T) {
	serve := func(s *wire.Stream) {
		<-s.Interest().Done()
		s.Answer(&wire.Empty{}, true) //nolint:errcheck // Await returns the error
	}
	p := connect(t, unix, ignore, serve)
	for range 1000 {
		s := mustOpen(t, p.emulator, true)
		s.Cancel()
		if _, err := s.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheOpenersReasonTravelsWithTheWithdrawal(t *testing.T) {
	_, asking, answering := ask(t, unix)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&wire.Error{Message: "the object was reset", Reset: true})
	if _, err := asking.Await(ctx); err == nil {
		t.Error("await has not failed")
	}
	<-answering.Context().Done()
	var e *wire.Error
	if err := context.Cause(answering.Context()); !errors.As(err, &e) || e.Message != "the object was reset" ||
		!e.Reset ||
		!e.Canceled {
		t.Errorf("got %#v, want the reason, canceled", err)
	}
}
