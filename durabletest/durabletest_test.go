package durabletest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

func TestTheWorkerIsReached(t *testing.T) {
	t.Parallel()
	srv := start(t)
	want(t, srv, "/a/count", "1")
	for _, get := range []func() (*http.Response, error){
		func() (*http.Response, error) { return srv.Client().Get("/a/count") },
		func() (*http.Response, error) { return srv.Client().Get(srv.URL + "/a/count") },
		func() (*http.Response, error) {
			return srv.Client().Post("/a/count?q", "text/plain", strings.NewReader("x"))
		},
	} {
		resp, err := get()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("got %s, want 200", resp.Status)
		}
	}
	want(t, srv, "/a/count", "5")
}

func TestTestsShareNothing(t *testing.T) {
	t.Parallel()
	first, second := start(t), start(t)
	want(t, first, "/a/count", "1")
	want(t, second, "/a/count", "1")
	first.Clock.Advance(time.Hour)
	if got := second.Clock.Now(); !got.Equal(at) {
		t.Errorf("the other test's clock: got %s, want %s", got, at)
	}
}

func TestOptionsReachTheEmulator(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*durabletest.Options)
		want   string
	}{
		"the configuration": {func(o *durabletest.Options) {}, "hello"},
		"an environment":    {func(o *durabletest.Options) { o.Env = "loud" }, "HELLO"},
		"a variable": {
			func(o *durabletest.Options) { o.Vars = map[string]string{"GREETING": "a:b c"} },
			"a:b c",
		},
		"a file": {
			func(o *durabletest.Options) { o.Dir, o.Config = "", "testdata/lab/wrangler.jsonc" },
			"hello",
		},
		"the rest": {func(o *durabletest.Options) { o.Seed, o.Limits, o.Verbose = 7, "local", true }, "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, start(t, test.change), "/a/greet", test.want)
		})
	}
}

func TestTheTestMovesTheClock(t *testing.T) {
	t.Parallel()
	srv := start(t)
	c := srv.Clock
	wantNow := func(want time.Duration) {
		t.Helper()
		if got := c.Now().Sub(at); got != want {
			t.Errorf("got %s after the start, want %s", got, want)
		}
	}
	wantFired := func(fired []durabletest.Fired, want ...string) {
		t.Helper()
		var got []string
		for _, f := range fired {
			got = append(got, f.Identity.String()+" "+f.Outcome+" at "+f.At.Sub(at).String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("got runs %q, want %q", got, want)
		}
	}
	wantNow(0)
	if due, ok := c.Due(); ok {
		t.Errorf("due at %s, want nothing", due)
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		want(t, srv, "/"+name+"/arm", "armed")
		wantFired(c.Advance(time.Second))
	}
	wantNow(5 * time.Second)
	if due, ok := c.Due(); !ok || due.Sub(at) != time.Minute {
		t.Errorf("due %s after the start, %t, want 1m", due.Sub(at), ok)
	}
	wantFired(c.Next(), "Lab/a ok at 1m0s")
	wantFired(c.Advance(time.Second), "Lab/b ok at 1m1s")
	wantFired(c.AdvanceTo(at.Add(62*time.Second)), "Lab/c ok at 1m2s")
	wantFired(c.Jump(500 * time.Millisecond))
	wantFired(c.Jump(time.Minute), "Lab/d ok at 2m2.5s", "Lab/e ok at 2m2.5s")
	wantFired(c.Set(at.Add(time.Hour)))
	wantNow(time.Hour)

	c.Speed(1_000_000)
	c.Resume()
	for c.Now().Sub(at) < 24*time.Hour { // it takes a tenth of a second
	}
	c.Freeze()
	if first, second := c.Now(), c.Now(); !first.Equal(second) {
		t.Errorf("a frozen clock went from %s to %s", first, second)
	}
}

func TestNextWaitsForARequestThatIsAboutToSleep(t *testing.T) {
	t.Parallel()
	srv := start(t)
	answered := make(chan error, 1)
	go func() {
		response, err := srv.Client().Get("/a/hold")
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	fired := srv.Clock.Next()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if now := srv.Clock.Now().Sub(at); len(fired) != 0 || now != 20*time.Second {
		t.Errorf("got runs %v, %s after the start, want none, 20s after it", fired, now)
	}
}

func TestResultsPrintReadably(t *testing.T) {
	t.Parallel()
	srv := start(t)
	want(t, srv, "/unlucky/count", "1")
	want(t, srv, "/unlucky/sql", "")
	want(t, srv, "/unlucky/arm", "armed")
	for _, tt := range []struct {
		got  func() any
		want string
	}{
		{func() any { return srv.Alarms.List() }, "[Lab/unlucky, due 2026-03-04T05:07:07Z]"},
		{func() any { return srv.Clock.Advance(time.Minute) }, "[alarm Lab/unlucky: retry: no luck]"},
		{func() any { return srv.Clock.Advance(time.Minute) }, "[alarm Lab/unlucky: ok]"},
		{func() any {
			return durabletest.Fired{Kind: "cron", Cron: "* * * * *", Outcome: durabletest.OutcomeDropped}
		}, "cron * * * * *: dropped"},
		{
			func() any { return srv.Object("Lab", "unlucky").Snapshot() },
			"Lab/unlucky\n\"n\": 1\n\"runs\": 2\n" +
				"t [\"a\" \"b\" \"c\" \"d\" \"e\"]\n\t[1 1.5 x [0 255] <nil>]\n\t[9007199254740993 +Inf   -1]",
		},
	} {
		if got := fmt.Sprint(tt.got()); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
}

func TestAlarmsAreListedAndTriggered(t *testing.T) {
	t.Parallel()
	srv := start(t)
	if got := srv.Alarms.List(); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
	want(t, srv, "/unlucky/arm", "armed")
	srv.Clock.Advance(time.Second)
	want(t, srv, "/b/arm", "armed")
	var names []string
	for _, a := range srv.Alarms.List() {
		names = append(names, a.Identity.String())
	}
	if want := []string{"Lab/unlucky", "Lab/b"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if a, ok := srv.Object("LAB", "b").Alarm(); !ok || !a.Due.Equal(at.Add(61*time.Second)) {
		t.Errorf("the alarm of b: got %+v, %t", a, ok)
	} else if byID, ok := srv.Object("Lab", a.ID).Alarm(); !ok || byID != a {
		t.Errorf("by id: got %+v, %t, want %+v", byID, ok, a)
	}
	if _, ok := srv.Object("Lab", "c").Alarm(); ok {
		t.Error("c: got an alarm, want none")
	}
	got := srv.Object("Lab", "unlucky").Trigger()
	if got.Outcome != durabletest.OutcomeRetry || got.Error != "no luck" || got.RetryAt == nil {
		t.Errorf("got %+v, want a retry", got)
	}
	if got := srv.Object("Lab", "b").Trigger(); got.Outcome != durabletest.OutcomeOK {
		t.Errorf("got %+v, want outcome ok", got)
	}
}

func TestObjectsAreSeenAndReset(t *testing.T) {
	t.Parallel()
	srv := start(t)
	for range 3 {
		srv.Fetch("GET", "/a/count", "")
	}
	want(t, srv, "/a/visits", "4")
	if got := srv.Objects.List(); len(got) != 1 || got[0].String() != "Lab/a" || !got[0].InMemory {
		t.Errorf("got %+v, want Lab/a in memory", got)
	}
	if !srv.Object("Lab", "a").Evict() || srv.Object("Lab", "a").Evict() {
		t.Error("want the first eviction to succeed, and the second to find nothing")
	}
	want(t, srv, "/a/visits", "1")
	srv.Object("Lab", "a").Abort("for a test")
	want(t, srv, "/a/visits", "1")

	s := srv.Object("Lab", "a").Snapshot()
	var n int
	if found, err := s.Get("n", &n); !found || err != nil || n != 3 {
		t.Errorf("got %d, %t, %v, want 3", n, found, err)
	}
	if found, err := s.Get("m", &n); found || err != nil {
		t.Errorf("got %t, %v, want nothing", found, err)
	}
	if found, err := s.Get("n", new([]string)); !found || err == nil || !strings.HasPrefix(err.Error(), `read "n": `) {
		t.Errorf("got %t, %v, want an error: the value is not a list", found, err)
	}
}

func TestASnapshotHasTheTables(t *testing.T) {
	t.Parallel()
	srv := start(t)
	want(t, srv, "/a/sql", "")
	tables := srv.Object("Lab", "a").Snapshot().Tables
	if len(tables) != 1 {
		t.Fatalf("got %+v, want one table", tables)
	}
	var got [][]any
	for _, row := range tables[0].Rows {
		var values []any
		for _, v := range row {
			values = append(values, v.V)
		}
		got = append(got, values)
	}
	wanted := [][]any{
		{int64(1), 1.5, "x", []byte{0, 255}, nil},
		{int64(9007199254740993), math.Inf(1), "", "", int64(-1)},
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %#v, want %#v", got, wanted)
	}
}

func TestRunLooksInside(t *testing.T) {
	t.Parallel()
	srv := start(t)
	want(t, srv, "/a/count", "1")
	durabletest.Run(t, srv.Object("Lab", "a"), func(ctx context.Context, l *Lab, s *durable.State) {
		if l.visits != 1 || l.state != s {
			t.Errorf("got %d visits and the same state %t, want the live instance", l.visits, l.state == s)
		}
		l.visits = 10
		if err := s.Storage.Put(ctx, "n", 7); err != nil {
			t.Error(err)
		}
	})
	want(t, srv, "/a/visits", "11")
	want(t, srv, "/a/count", "8")
	durabletest.Run(t, srv.Object("LAB", "new"), func(_ context.Context, l *Lab, s *durable.State) {
		if l.visits != 0 || nameOf(s) != "new" {
			t.Errorf("got %d visits of %q, want a new object", l.visits, nameOf(s))
		}
	})
}

func TestRunSharesTheTurn(t *testing.T) {
	t.Parallel()
	srv := start(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				srv.Fetch("GET", "/a/count", "")
			}
		})
	}
	for range 20 {
		durabletest.Run(t, srv.Object("Lab", "a"), func(ctx context.Context, l *Lab, s *durable.State) {
			var before, after int
			_, err := s.Storage.Get(ctx, "n", &before)
			err = errors.Join(err, s.Storage.Put(ctx, "n", before+1))
			if _, e := s.Storage.Get(ctx, "n", &after); errors.Join(err, e) != nil || after != before+1 {
				t.Errorf("got %d after %d, %v: another event ran in between", after, before, errors.Join(err, e))
			}
		})
	}
	wg.Wait()
	want(t, srv, "/a/count", "41")
}

func TestATestThatEndsInsideAnObjectLeavesItUsable(t *testing.T) {
	t.Parallel()
	srv := start(t)
	put := func(ctx context.Context, s *durable.State, n int) {
		if err := s.Storage.Put(ctx, "n", n); err != nil {
			t.Error(err)
		}
	}
	r := record(t, func(t testing.TB) {
		durabletest.Run(t, srv.Object("Lab", "a"), func(ctx context.Context, _ *Lab, s *durable.State) {
			put(ctx, s, 10)
			t.FailNow()
		})
		t.Errorf("the test went on")
	})
	if r.fatal != "failed" || len(r.errors) > 0 {
		t.Errorf("got %q, %q, want a test that has failed and ended", r.fatal, r.errors)
	}
	want(t, srv, "/a/count", "11")

	func() {
		defer func() {
			if v := recover(); v != "oh" {
				t.Errorf("recovered %v, want the panic", v)
			}
		}()
		durabletest.Run(t, srv.Object("Lab", "a"), func(ctx context.Context, _ *Lab, s *durable.State) {
			put(ctx, s, 20)
			panic("oh")
		})
	}()
	want(t, srv, "/a/count", "21")
}

func TestOutboundRequestsStayInTheTest(t *testing.T) {
	t.Parallel()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "the real one") //nolint:errcheck // the test notices
	}))
	defer outside.Close()
	srv := start(t, func(o *durabletest.Options) { o.Vars = map[string]string{"UPSTREAM": outside.URL + "/x"} })
	want(t, srv, "/a/upstream", "200 the real one")
	srv.Outbound(func(r *http.Request) (*http.Response, error) {
		b, err := io.ReadAll(r.Body)
		body := strings.NewReader(r.Method + " " + r.URL.Path + " " + string(b))
		return &http.Response{StatusCode: 418, Body: io.NopCloser(body)}, err
	})
	if _, got := srv.Fetch("POST", "/a/upstream", "tea"); got != "418 POST /x tea" {
		t.Errorf("got %q, want the test's answer", got)
	}
	srv.Outbound(func(*http.Request) (*http.Response, error) { return nil, errors.New("no way out") })
	if status, got := srv.Fetch("POST", "/a/upstream", ""); status != 500 || !strings.Contains(got, "no way out") {
		t.Errorf("got %d %q, want the test's error", status, got)
	}
	srv.Outbound(nil)
	want(t, srv, "/a/upstream", "200 the real one")
}

func TestFaultsStrikeOnce(t *testing.T) {
	t.Parallel()
	srv := start(t)
	runs := func(object string) (n int) {
		t.Helper()
		if _, err := srv.Object("Lab", object).Snapshot().Get("runs", &n); err != nil {
			t.Error(err)
		}
		return n
	}
	want(t, srv, "/failing/arm", "armed")
	srv.Object("Lab", "failing").FailNextAlarm()
	if fired := srv.Clock.Advance(time.Minute); len(fired) != 1 || fired[0].Outcome != durabletest.OutcomeRetry {
		t.Errorf("got %+v, want one failed run", fired)
	}
	retried := srv.Clock.Next()
	if len(retried) != 1 || retried[0].Outcome != durabletest.OutcomeOK || retried[0].Retry != 1 {
		t.Errorf("got %+v, want the retry", retried)
	}
	if got := runs("failing"); got != 1 {
		t.Errorf("got %d runs of the handler, want 1", got)
	}

	want(t, srv, "/twice/arm", "armed")
	srv.Object("Lab", "twice").DuplicateNextAlarm()
	srv.Clock.Advance(time.Hour)
	if got := runs("twice"); got != 2 {
		t.Errorf("got %d runs, want 2", got)
	}

	for name, test := range map[string]struct {
		inject func(durabletest.Object)
		next   string
	}{
		"before": {durabletest.Object.CrashBeforeCommit, "1"},
		"after":  {durabletest.Object.CrashAfterCommit, "2"},
	} {
		test.inject(srv.Object("Lab", name))
		if status, got := srv.Fetch("GET", "/"+name+"/count", ""); status != 500 {
			t.Errorf("%s: got %d %q, want 500", name, status, got)
		}
		want(t, srv, "/"+name+"/count", test.next)
	}
}

func TestSubtestsFailByThemselves(t *testing.T) {
	t.Parallel()
	srv := start(t)
	inner := record(t, func(inner testing.TB) { srv.For(inner).Clock.Set(at.Add(-time.Hour)) })
	inner.wantFatal(t, "set the clock to 2026-03-04T04:06:07Z: ", "time does not run backwards")
	want(t, srv.For(t), "/a/count", "1")
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	srv := start(t)
	var held sync.WaitGroup
	t.Cleanup(held.Wait)
	held.Go(func() {
		if resp, err := srv.Client().Get("/held/hold"); err == nil { // it lasts until the clock moves
			resp.Body.Close()
		}
	})
	isHeld := func(o durabletest.ObjectInfo) bool { return o.Name == "held" && o.Running }
	for !slices.ContainsFunc(srv.Objects.List(), isHeld) {
	}
	for name, test := range map[string]struct {
		f    func(t testing.TB)
		want []string
	}{
		"a class that is not there": {
			func(t testing.TB) { srv.For(t).Object("Nobody", "a").Evict() },
			[]string{"evict Nobody/a: ", "the classes are Lab"},
		},
		"an object that is not there": {
			func(t testing.TB) { srv.For(t).Object("Lab", "none").Abort("enough") },
			[]string{"abort Lab/none: there is no object Lab/none"},
		},
		"an alarm that is not there": {
			func(t testing.TB) { srv.For(t).Object("Lab", "none").Trigger() },
			[]string{"trigger the alarm of Lab/none: "},
		},
		"back in time": {
			func(t testing.TB) { srv.For(t).Clock.Advance(-1) },
			[]string{"advance by -1ns: time can't go back"},
		},
		"an impossible rate": {
			func(t testing.TB) { srv.For(t).Clock.Speed(-1) },
			[]string{"set the clock's speed: "},
		},
		"Run with another type": {
			func(t testing.TB) {
				durabletest.Run(t, srv.Object("Lab", "a"), func(context.Context, *strings.Builder, *durable.State) {})
			},
			[]string{"run inside Lab/a: its objects are of type *durabletest_test.Lab, not *strings.Builder"},
		},
		"Run without a class": {
			func(t testing.TB) {
				durabletest.Run(t, srv.Object("Nobody", "a"), func(context.Context, *Lab, *durable.State) {})
			},
			[]string{"run inside Nobody/a: "},
		},
		"Run in a busy object": {
			func(t testing.TB) {
				durabletest.Run(t, srv.Object("Lab", "held"), func(context.Context, *Lab, *durable.State) {})
			},
			[]string{"run inside Lab/held: the object is busy: its turn did not come within 10s"},
		},
		"a configuration that is not there": {
			func(t testing.TB) { durabletest.Start(t, worker, durabletest.Options{Dir: t.TempDir()}) },
			[]string{"no wrangler.json, wrangler.jsonc or wrangler.toml in ", "run `devtool init` to write one"},
		},
		"an environment that is not there": {
			func(t testing.TB) { start(t, func(o *durabletest.Options) { o.Env = "none" }) },
			[]string{"wrangler.jsonc can't be used", "there is no environment \"none\""},
		},
		"a worker without the class": {
			func(t testing.TB) {
				durabletest.Start(t, durable.Worker{Handler: worker.Handler}, durabletest.Options{Dir: "testdata/lab"})
			},
			[]string{"serve the worker: ", "the program has no class Lab (bound as LAB)"},
		},
	} {
		t.Run(name, func(t *testing.T) { record(t, test.f).wantFatal(t, test.want...) })
	}
	srv.Clock.Advance(20 * time.Second)
}

func TestAnEmulatorThatEndsEarlyFailsTheTest(t *testing.T) {
	t.Parallel()
	r := record(t, func(t testing.TB) {
		srv := start(t)
		resp, err := srv.Client().Post("/cdn-cgi/devtool/v1/stop", "application/json", strings.NewReader("{}"))
		if err == nil {
			resp.Body.Close()
		}
		for { // it takes a moment
			srv.Clock.Now()
		}
	})
	r.wantFatal(t, "read the clock: ", "the emulator has ended: ", "shutting down")
	if want := "the emulator has ended before the test"; len(r.errors) != 1 || !strings.Contains(r.errors[0], want) {
		t.Errorf("got %q, want an error with %q", r.errors, want)
	}
}

func TestAHandlerThatOutlivesItsTestFailsIt(t *testing.T) {
	t.Parallel()
	in, release := make(chan struct{}), make(chan struct{})
	stubborn := worker
	stubborn.Handler = func(*durable.Env) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			in <- struct{}{}
			<-release
		})
	}
	var asking sync.WaitGroup
	r := record(t, func(t testing.TB) {
		srv := durabletest.Start(t, stubborn, durabletest.Options{Dir: "testdata/lab"})
		asking.Go(func() {
			if resp, err := srv.Client().Get("/"); err == nil {
				resp.Body.Close()
			}
		})
		<-in
	})
	want := "durabletest: handlers still run 5s after the end of the test (1 of them): "
	if len(r.errors) != 1 || !strings.HasPrefix(r.errors[0], want) {
		t.Errorf("got %q, want %q", r.errors, want)
	}
	close(release)
	asking.Wait()
}

func TestHandlersLogToTheirTest(t *testing.T) {
	var wg sync.WaitGroup
	both := make(chan struct{})
	var ready sync.WaitGroup
	ready.Add(2)
	logs := make([]*recorder, 2)
	for i, name := range []string{"one", "two"} {
		wg.Go(func() {
			logs[i] = record(t, func(t testing.TB) {
				started := sync.OnceFunc(ready.Done)
				defer started()
				srv := start(t)
				started()
				<-both
				want(t, srv, "/"+name+"/log", "")
			})
		})
	}
	ready.Wait()
	close(both)
	wg.Wait()
	for i, other := range []string{"two", "one"} {
		if logs[i].fatal != "" {
			t.Fatal(logs[i].fatal)
		}
		got, mine := logs[i].output.String(), []string{"one", "two"}[i]
		if !strings.Contains(got, mine+" was here\n") || !strings.Contains(got, "INF GET /"+mine+"/log 200 OK") {
			t.Errorf("the log of %s: got\n%s\nwant its line and its request", mine, got)
		}
		if strings.Contains(got, other+" was here") {
			t.Errorf("the log of %s: got\n%s\nwant nothing of %s", mine, got, other)
		}
	}
}

// 64 hexadecimal digits are an id, unless a mark says that they are a name.
func TestAnObjectWhoseNameLooksLikeAnIDIsNamedWithAMark(t *testing.T) {
	t.Parallel()
	srv := start(t)
	name := strings.Repeat("ab", 32)
	want(t, srv, "/"+name+"/arm", "armed")
	o := srv.Object("Lab", "name:"+name)
	if a, ok := o.Alarm(); !ok || a.Name != name || a.Identity.String() != o.String() {
		t.Errorf("its alarm: got %+v, %t, want that of %s", a, ok, o)
	}
	if got := o.Snapshot(); got.Name != name || got.Alarm == nil {
		t.Errorf("its snapshot: got %+v, want its alarm", got)
	}
	if got := o.Trigger(); got.Name != name {
		t.Errorf("its run: got %+v", got)
	}
}
