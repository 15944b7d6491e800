package durabletest_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A sleeper's handlers sleep. When their sleep fails they use the object's fields, which no lock
// guards.
type sleeper struct {
	state   *durable.State
	ended   int
	inside  *atomic.Int32
	overlap *atomic.Bool
}

func (s *sleeper) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/background") {
		s.state.WaitUntil(r.Context(), s.sleep) //nolint:errcheck // the test counts who waits
		return
	}
	s.sleep(r.Context()) //nolint:errcheck // it is about to fail
}

func (s *sleeper) sleep(ctx context.Context) error {
	defer func() {
		if s.inside.Add(1) > 1 {
			s.overlap.Store(true)
		}
		s.ended++
		for range 20 {
			runtime.Gosched()
		}
		s.inside.Add(-1)
	}()
	return durable.Sleep(ctx, time.Hour)
}

// Handlers that fail together, with their object or with the emulator, still run one at a time.
func TestHandlersThatFailTogetherRunOneAtATime(t *testing.T) {
	t.Parallel()
	const handlers = 50
	for name, test := range map[string]struct {
		path string
		fail func(*durabletest.Server)
	}{
		"the object is reset":  {"/a", func(srv *durabletest.Server) { srv.Object("Lab", "a").Abort("no more") }},
		"the clients are gone": {"/a", func(*durabletest.Server) {}},
		"the emulator ends":    {"/a/background", func(*durabletest.Server) {}},
	} {
		var inside atomic.Int32
		var overlap atomic.Bool
		t.Run(name, func(t *testing.T) {
			sleepers := worker
			sleepers.Classes = durable.Classes{"Lab": durable.NewClass(
				func(_ context.Context, state *durable.State, _ *durable.Env) (*sleeper, error) {
					return &sleeper{state: state, inside: &inside, overlap: &overlap}, nil
				})}
			srv := durabletest.Start(t, sleepers, durabletest.Options{Dir: "testdata/lab", Time: at})
			for range handlers {
				srv.Begin("GET", test.path, "")
			}
			if n := len(srv.Clock.Waiting()); n != handlers {
				t.Fatalf("%d handlers sleep, want %d", n, handlers)
			}
			test.fail(srv)
		})
		if overlap.Load() {
			t.Errorf("%s: handlers of one object ran at the same time", name)
		}
	}
}
