package client_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// silent serves an emulator that answers the request of a test when answer is closed. It answers
// the time for the first alive times that it is asked, and calls asked each time.
func silent(t *testing.T, alive int, answer <-chan struct{}, lines bool, asked func(n int)) *client.Client {
	t.Helper()
	var n atomic.Int64
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/time"):
			asks := int(n.Add(1))
			asked(asks)
			if asks > alive {
				<-r.Context().Done()
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte("{}")) //nolint:errcheck // the client may be gone
		case lines:
			w.Header().Set("Content-Type", control.LinesType)
			w.(http.Flusher).Flush()
			<-answer
			answerLines(control.AdvanceEvent{Advanced: &end})(w, r)
		default:
			<-answer
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte("{}")) //nolint:errcheck // as above
		}
	})
}

// TestAnEmulatorThatDoesNotAnswerIsNoticed has a request whose answer does not begin, one that has
// begun, and one that takes long in an emulator that is stopped only then.
func TestAnEmulatorThatDoesNotAnswerIsNoticed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		alive int
		ask   func(context.Context, *client.Client) error
	}{
		"quick": {0, func(ctx context.Context, c *client.Client) error { _, err := c.Crons(ctx); return err }},
		"with a body": {0, func(ctx context.Context, c *client.Client) error {
			_, err := c.Speed(ctx, 2)
			return err
		}},
		"an advance that has begun": {0, advance},
		"stopped later":             {1, advance},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := make(chan struct{})
			c := silent(t, test.alive, answer, strings.Contains(name, "advance") || test.alive > 0, func(int) {})
			c.SetSilence(time.Millisecond, 10*time.Millisecond)
			noticed := 0
			c.OnSilence = func() {
				noticed++
				close(answer)
			}
			if err := test.ask(t.Context(), c); err != nil || noticed != 1 {
				t.Errorf("got %v after %d notices, want an answer after one", err, noticed)
			}
		})
	}
}

func advance(ctx context.Context, c *client.Client) error {
	_, err := c.Advance(ctx, control.AdvanceRequest{Next: true}, nil)
	return err
}

// TestALongAnswerIsNoSilence has an emulator that works on a request and answers others meanwhile.
func TestALongAnswerIsNoSilence(t *testing.T) {
	t.Parallel()
	answer := make(chan struct{})
	c := silent(t, 2, answer, false, func(n int) {
		if n == 2 {
			close(answer)
		}
	})
	c.SetSilence(time.Millisecond, time.Hour)
	c.OnSilence = func() { t.Error("it counts as silent") }
	if _, err := c.Speed(t.Context(), 2); err != nil {
		t.Error(err)
	}
}
