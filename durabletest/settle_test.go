package durabletest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// waiting returns what waits for the clock, one "WHAT in OBJECT until DURATION" each.
func waiting(srv *durabletest.Server) (list []string) {
	now := srv.Clock.Now()
	for _, w := range srv.Clock.Waiting() {
		list = append(list, fmt.Sprintf("%s %s in %s until %s", w.Kind, w.About, w.Identity, w.Until.Sub(now)))
	}
	return list
}

func wantWaiting(t *testing.T, srv *durabletest.Server, want ...string) {
	t.Helper()
	if got := waiting(srv); !slices.Equal(got, want) {
		t.Errorf("waiting: got  %q\nwant %q", got, want)
	}
}

// wantAnswer waits for a response with status 200 and this body.
func wantAnswer(t *testing.T, p *durabletest.Pending, want string) {
	t.Helper()
	if status, got := p.Wait(); status != 200 || got != want {
		t.Errorf("got %d %q, want 200 %q", status, got, want)
	}
}

func TestAnAdvanceNeverMissesAHandlerOnItsWayToSleep(t *testing.T) {
	t.Parallel()
	srv := start(t)
	for range 10 {
		direct, chain := srv.Begin("GET", "/a/sleep", ""), srv.Begin("GET", "/c/sleep-in-b", "")
		srv.Clock.Advance(10 * time.Second)
		wantAnswer(t, direct, "slept")
		wantAnswer(t, chain, "slept")
	}
	if got := srv.Clock.Now().Sub(at); got != 100*time.Second {
		t.Errorf("got %s after the start, want 1m40s", got)
	}
}

func TestSettleIncludesRequestsOfOtherGoroutines(t *testing.T) {
	t.Parallel()
	srv := start(t)
	var wg sync.WaitGroup
	sending := make(chan struct{})
	for n := range 5 {
		wg.Go(func() {
			body := &startingBody{began: sending, Reader: strings.NewReader("x")}
			resp, err := srv.Client().Post(fmt.Sprintf("/%d/sleep", n), "text/plain", body)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	for range 5 {
		<-sending
	}
	srv.Settle()
	if got := waiting(srv); len(got) != 5 {
		t.Errorf("waiting: got %q, want 5 requests", got)
	}
	srv.Clock.Advance(10 * time.Second)
	wg.Wait()
	wantWaiting(t, srv)
}

// A startingBody says when the transport begins to read it.
type startingBody struct {
	once  sync.Once
	began chan<- struct{}
	io.Reader
}

func (b *startingBody) Read(p []byte) (int, error) {
	b.once.Do(func() { b.began <- struct{}{} })
	return b.Reader.Read(p)
}

func TestWaitingListsWhatWaitsForTheClock(t *testing.T) {
	t.Parallel()
	srv := start(t)
	if got := srv.Clock.Waiting(); len(got) > 0 {
		t.Errorf("got %v, want nothing", got)
	}
	all := []*durabletest.Pending{
		srv.Begin("GET", "/a/sleep?30s", ""), srv.Begin("GET", "/c/sleep-in-b", ""), srv.Begin("GET", "/d/timeout", ""),
	}
	want(t, srv, "/e/sleep-in-the-alarm", "armed")
	var triggered sync.WaitGroup
	triggered.Go(func() { srv.Object("Lab", "e").Trigger() })
	for len(srv.Clock.Waiting()) < 4 { // the trigger comes from another goroutine
	}
	wantWaiting(t, srv,
		"fetch GET /c/sleep-in-b in Lab/b until 10s",
		"fetch GET /d/timeout in Lab/d until 10s",
		"alarm Lab/e in Lab/e until 10s",
		"fetch GET /a/sleep in Lab/a until 30s",
	)
	if got, want := srv.Clock.Waiting()[3].String(), "GET /a/sleep until 2026-03-04T05:06:37Z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	srv.Clock.Advance(30 * time.Second)
	for _, p := range all {
		p.Wait()
	}
	triggered.Wait()
	wantWaiting(t, srv)
}

func TestAHandlerWithSeveralGoroutinesSettles(t *testing.T) {
	t.Parallel()
	srv := start(t)
	p := srv.Begin("GET", "/a/several", "")
	srv.Clock.Advance(8 * time.Second)
	wantAnswer(t, p, "8s")
}

func TestAHandlerThatWaitsForTheOutsideSettles(t *testing.T) {
	t.Parallel()
	srv := start(t, func(o *durabletest.Options) { o.Vars = map[string]string{"UPSTREAM": "http://upstream"} })
	asked, answer := make(chan struct{}), make(chan struct{})
	srv.Outbound(func(*http.Request) (*http.Response, error) {
		asked <- struct{}{}
		<-answer
		return &http.Response{Body: io.NopCloser(strings.NewReader("tea"))}, nil
	})
	p := srv.Begin("GET", "/a/upstream", "")
	<-asked
	srv.Clock.Advance(time.Hour)
	close(answer)
	wantAnswer(t, p, "200 tea")
}

// A stream writes a line, sleeps, and writes another.
type stream struct{}

func (stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for n := range 3 {
		fmt.Fprintln(w, n)
		w.(http.Flusher).Flush()
		if err := durable.Sleep(r.Context(), 10*time.Second); err != nil {
			panic(err)
		}
	}
}

func startStream(t testing.TB) *durabletest.Server {
	t.Helper()
	streaming := worker
	streaming.Classes = durable.Classes{
		"Lab": durable.NewClass(func(context.Context, *durable.State, *durable.Env) (stream, error) {
			return stream{}, nil
		}),
	}
	return durabletest.Start(t, streaming, durabletest.Options{Dir: "testdata/lab", Time: at})
}

func TestAStreamSettlesBetweenItsPieces(t *testing.T) {
	t.Parallel()
	srv := startStream(t)
	p := srv.Begin("GET", "/a", "")
	for n := range 3 {
		wantWaiting(t, srv, "fetch GET /a in Lab/a until 10s")
		if got := srv.Clock.Now().Sub(at); got != time.Duration(n)*10*time.Second {
			t.Errorf("got %s after the start, want %d0s", got, n)
		}
		srv.Clock.Next()
	}
	wantAnswer(t, p, "0\n1\n2\n")
}

// handlerOf returns a Worker.Handler that calls f.
func handlerOf(f http.HandlerFunc) func(*durable.Env) http.Handler {
	return func(*durable.Env) http.Handler { return f }
}

func TestAHandlerThatDoesNotSettleIsNamed(t *testing.T) {
	t.Parallel()
	in, release := make(chan struct{}), make(chan struct{})
	r := record(t, func(t testing.TB) {
		stubborn := worker
		stubborn.Handler = handlerOf(func(http.ResponseWriter, *http.Request) {
			in <- struct{}{}
			<-release
		})
		srv := durabletest.Start(t, stubborn, durabletest.Options{Dir: "testdata/lab"})
		t.Cleanup(func() { close(release) })
		srv.Begin("GET", "/stubborn?q", "")
		<-in
		srv.Clock.Advance(time.Second)
	})
	r.wantFatal(t, "advance by 1s: ", "did not come to rest within 10s of real time",
		"worker lab GET /stubborn still runs", "[chan receive", "settle_test.go:")
}

func TestARequestThatWaitsForTheTestFails(t *testing.T) {
	t.Parallel()
	const until = "waits for the clock, which is frozen, until 2026-03-04T05:06:17Z; "
	const elsewhere = "move it with srv.Clock.Advance, and send the request with srv.Begin or from a goroutine"
	for name, test := range map[string]struct {
		f    func(testing.TB, *durabletest.Server)
		want string
	}{
		"Fetch": {
			func(_ testing.TB, srv *durabletest.Server) { srv.Fetch("GET", "/a/sleep", "") },
			"GET /a/sleep " + until + elsewhere,
		},
		"Do": {
			func(t testing.TB, srv *durabletest.Server) {
				r, err := http.NewRequestWithContext(t.Context(), "GET", "/c/sleep-in-b", nil)
				if err != nil {
					t.Fatalf("%v", err)
				}
				srv.Do(r)
			},
			"GET /c/sleep-in-b " + until + elsewhere,
		},
		"Wait": {
			func(_ testing.TB, srv *durabletest.Server) { srv.Begin("GET", "/a/sleep", "").Wait() },
			"GET /a/sleep " + until + "move it with srv.Clock.Advance before Wait",
		},
		"Trigger": {
			func(t testing.TB, srv *durabletest.Server) {
				want(t, srv, "/a/sleep-in-the-alarm", "armed")
				srv.Object("Lab", "a").Trigger()
			},
			"trigger the alarm of Lab/a: alarm Lab/a " + until,
		},
		"a request that another one holds up": {
			func(_ testing.TB, srv *durabletest.Server) {
				srv.Begin("GET", "/a/hold", "")
				srv.Settle()
				srv.Fetch("GET", "/a/count", "")
			},
			"GET /a/count waits for the clock, which is frozen, until 2026-03-04T05:06:27Z; " + elsewhere,
		},
		"a subtest": {
			func(t testing.TB, srv *durabletest.Server) {
				inner := record(t, func(inner testing.TB) { srv.For(inner).Fetch("GET", "/a/sleep", "") })
				t.Fatalf("%s", inner.fatal)
			},
			"GET /a/sleep " + until + elsewhere,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := record(t, func(t testing.TB) { test.f(t, start(t)) })
			r.wantFatal(t, "durabletest: "+test.want)
		})
	}
}

func TestARequestOfASubtestWithoutForFails(t *testing.T) {
	t.Parallel()
	srv := start(t)
	t.Run("sub", func(t *testing.T) {
		response, err := srv.Client().Get("/a/sleep")
		if err == nil {
			response.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "GET /a/sleep waits for the clock, which is frozen") {
			t.Errorf("got %v, want an error about the clock", err)
		}
	})
}

func TestTheBodyOfAStreamThatWaitsForTheTestFails(t *testing.T) {
	t.Parallel()
	var got []byte
	var err error
	record(t, func(t testing.TB) {
		r, e := http.NewRequestWithContext(t.Context(), "GET", "/a", nil)
		if e != nil {
			t.Fatalf("%v", e)
		}
		got, err = io.ReadAll(startStream(t).Do(r).Body)
	})
	const want = "GET /a waits for the clock, which is frozen"
	if string(got) != "0\n" || err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %q, %v, want the first line and an error about the clock", got, err)
	}
}

func TestARequestGoesOnWhenAnotherGoroutineMovesTheClock(t *testing.T) {
	t.Parallel()
	srv := start(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for len(srv.Clock.Waiting()) == 0 {
		}
		srv.Clock.Advance(10 * time.Second)
	})
	want(t, srv, "/a/sleep", "slept")
	wg.Wait()

	srv.Clock.Speed(100)
	srv.Clock.Resume() // the sleep lasts as long as a request may wait for a frozen clock
	want(t, srv, "/a/sleep?300s", "slept")
}

func TestARequestOfAnotherGoroutineMayWait(t *testing.T) {
	t.Parallel()
	srv := start(t)
	answered := make(chan string, 1)
	go func() {
		_, answer := srv.Fetch("GET", "/a/sleep", "")
		answered <- answer
	}()
	r := record(t, func(t testing.TB) { // fails when a request of its own has waited long enough
		srv.For(t).Fetch("GET", "/b/sleep", "")
	})
	r.wantFatal(t, "GET /b/sleep waits")
	for len(srv.Clock.Waiting()) == 0 {
	}
	srv.Clock.Advance(10 * time.Second)
	if got := <-answered; got != "slept" {
		t.Errorf("got %q, want the answer", got)
	}
}

func TestHandlersDoNotSeeHowTheirArrivalIsAcknowledged(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	curious := worker
	curious.Handler = handlerOf(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header.Clone() })
	srv := durabletest.Start(t, curious, durabletest.Options{Dir: "testdata/lab"})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response := srv.Do(r)
	for _, header := range []http.Header{<-seen, response.Header, r.Header} {
		for name := range header {
			if strings.HasPrefix(strings.ToLower(name), "devtool") {
				t.Errorf("got a header %s: %q", name, header[name])
			}
		}
	}
}

func TestTheClockMovesInsideARun(t *testing.T) {
	t.Parallel()
	srv := start(t)
	want(t, srv, "/b/arm", "armed")
	durabletest.Run(t, srv.Object("Lab", "a"), func(context.Context, *Lab, *durable.State) {
		if fired := srv.Clock.Advance(time.Minute); len(fired) != 1 {
			t.Errorf("got %v, want the alarm of b", fired)
		}
	})
}

func TestWorkInTheBackgroundOfTheWorkerIsListed(t *testing.T) {
	t.Parallel()
	background := worker
	background.Handler = handlerOf(func(_ http.ResponseWriter, r *http.Request) {
		work := func(ctx context.Context) error { return durable.Sleep(ctx, time.Minute) }
		if err := durable.WaitUntil(r.Context(), work); err != nil {
			panic(err)
		}
	})
	srv := durabletest.Start(t, background, durabletest.Options{Dir: "testdata/lab"})
	srv.Fetch("GET", "/", "")
	wantWaiting(t, srv, "waitUntil worker lab in / until 1m0s")
	srv.Clock.Advance(time.Minute)
	wantWaiting(t, srv)
}

func TestAPendingRequestEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var p *durabletest.Pending
	r := record(t, func(t testing.TB) {
		p = start(t).Begin("GET", "/a/sleep", "")
	})
	if r.fatal != "" || len(r.errors) > 0 || p == nil {
		t.Errorf("got %q %q, want no errors", r.fatal, r.errors)
	}
}
