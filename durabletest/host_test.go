package durabletest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// hostOf returns the process that has the emulator of srv.
func hostOf(t testing.TB, srv *durabletest.Server) *os.Process {
	t.Helper()
	resp, err := srv.Client().Get("/cdn-cgi/devtool/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var status struct {
		PID int `json:"pid"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(status.PID)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

func TestTestsShareAProcessAndNothingElse(t *testing.T) {
	t.Parallel()
	const tests = 16
	pids := make(chan int, tests)
	t.Run("tests", func(t *testing.T) {
		for i := range tests {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				srv := start(t, func(o *durabletest.Options) {
					o.Vars = map[string]string{"GREETING": fmt.Sprint("hello ", i)}
				})
				want(t, srv, "/a/greet", fmt.Sprint("hello ", i))
				want(t, srv, "/a/count", "1")
				want(t, srv, "/a/arm", "armed")
				if fired := srv.Clock.Advance(time.Minute); len(fired) != 1 {
					t.Errorf("got runs %v, want one alarm", fired)
				}
				want(t, srv, "/a/count", "2")
				pids <- hostOf(t, srv).Pid
			})
		}
	})
	close(pids)
	first := <-pids
	for pid := range pids {
		if pid != first {
			t.Errorf("got emulators in the processes %d and %d, want one process", first, pid)
		}
	}
}

// A world whose handlers hang, crash or are still running at its end is as bad as it gets. Another
// world serves on meanwhile.
func TestABrokenWorldDoesNotTouchTheOthers(t *testing.T) {
	t.Parallel()
	healthy := start(t)
	served := 0
	serve := func() {
		t.Helper()
		for range 20 {
			served++
			want(t, healthy, "/a/count", fmt.Sprint(served))
		}
	}

	in, release := make(chan struct{}), make(chan struct{})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		in <- struct{}{}
		if r.URL.Path == "/deaf" {
			<-release
			return
		}
		<-r.Context().Done()
	}
	hanging := worker
	hanging.Handler = func(*durable.Env) http.Handler { return http.HandlerFunc(hang) }
	var asking sync.WaitGroup
	ended, hung := make(chan *recorder, 1), make(chan struct{})
	go func() {
		ended <- record(t, func(t testing.TB) {
			srv := durabletest.Start(t, hanging, durabletest.Options{Dir: "testdata/lab"})
			for _, path := range []string{"/deaf", "/hangs"} {
				asking.Go(func() {
					if resp, err := srv.Client().Get(path); err == nil {
						resp.Body.Close()
					}
				})
				<-in
			}
			close(hung)
			<-release
		})
	}()
	<-hung
	serve()
	close(release)
	serve() // while the world is dropped, in which a handler runs
	dropped := <-ended
	asking.Wait()
	if dropped.fatal != "" || len(dropped.errors) > 0 {
		t.Errorf("a test that ends while a handler runs: got %q, %q", dropped.fatal, dropped.errors)
	}

	storm := record(t, func(t testing.TB) {
		srv := start(t)
		want(t, srv, "/a/count", "1")
		var storming sync.WaitGroup
		for range 4 {
			storming.Go(func() {
				for range 20 {
					if resp, err := srv.Client().Get("/a/count"); err == nil {
						resp.Body.Close()
					}
				}
			})
		}
		for range 20 { // it is refused while the object is not in memory
			resp, err := srv.Client().Post("/cdn-cgi/devtool/v1/objects/Lab/a/abort", "application/json", nil)
			if err != nil {
				t.Errorf("abort: %v", err)
				break
			}
			resp.Body.Close()
		}
		serve()
		storming.Wait()
	})
	if storm.fatal != "" || len(storm.errors) > 0 {
		t.Errorf("a storm of aborts: got %q, %q", storm.fatal, storm.errors)
	}
	serve()
}

func TestALostProcessFailsItsTestsAndIsReplaced(t *testing.T) {
	t.Parallel()
	runHelper(t, "lose")
}

// loseHost ends the process of the emulators during a test, and between two.
func loseHost(t *testing.T) {
	lost := record(t, func(t testing.TB) {
		first := start(t)
		want(t, first, "/a/count", "1")
		second := start(t)
		want(t, second, "/a/count", "1")
		if err := hostOf(t, first).Signal(syscall.SIGABRT); err != nil {
			t.Errorf("end the process: %v", err)
		}
		for { // it takes a moment
			first.Clock.Now()
		}
	})
	lost.wantFatal(t, "read the clock: ", "devtool has ended (exit status 2)", "SIGABRT: abort")
	if len(lost.errors) != 2 {
		t.Errorf("got errors %q, want one for each of two emulators", lost.errors)
	}
	for _, got := range lost.errors {
		for _, part := range []string{"the emulator has ended before the test: devtool has ended", "SIGABRT: abort"} {
			if !strings.Contains(got, part) {
				t.Errorf("got error %q, want %q in it", got, part)
			}
		}
	}

	var host *os.Process
	after := func(t testing.TB) {
		srv := start(t)
		want(t, srv, "/a/count", "1")
		host = hostOf(t, srv)
	}
	if r := record(t, after); r.fatal != "" || len(r.errors) > 0 {
		t.Errorf("after the process was lost: got %q, %q", r.fatal, r.errors)
	}
	if err := host.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := host.Pid
	r := record(t, after)
	if r.fatal != "" || len(r.errors) > 0 || host.Pid == killed {
		t.Errorf("after the process was killed between two tests: got %q, %q", r.fatal, r.errors)
	}
	wanted := "started devtool again, because it ended while no test used it: devtool has ended (signal: killed)"
	if got := r.output.String(); !strings.Contains(got, wanted) {
		t.Errorf("got the log\n%s\nwant %q in it", got, wanted)
	}
	if found := hostFolders(t, os.TempDir()); len(found) != 1 {
		t.Errorf("got folders %q, want that of the last process", found)
	}
}

func TestTheEnvironmentOfATestIsThatOfItsStart(t *testing.T) {
	withEnvironment := func(o *durabletest.Options) { o.DotFiles = true }
	want(t, start(t, withEnvironment), "/a/greet", "hello")
	t.Setenv("CLOUDFLARE_INCLUDE_PROCESS_ENV", "true")
	t.Setenv("GREETING", "good morning")
	want(t, start(t, withEnvironment), "/a/greet", "good morning")
}

// runHelper runs TestHelper in a process of its own, and fails the test if it fails.
func runHelper(t *testing.T, what string) {
	t.Helper()
	cmd, temporary := helper(t, what)
	if out, err := cmd.CombinedOutput(); err != nil {
		var failed *exec.ExitError
		if !errors.As(err, &failed) {
			t.Fatal(err)
		}
		t.Errorf("%v\n%s", err, out)
	}
	awaitNothing(t, temporary)
}

// BenchmarkStart is a test that does nothing: its start and its end.
func BenchmarkStart(b *testing.B) {
	benchmarkTests(b, func(testing.TB, *durabletest.Server) {})
}

// BenchmarkCounterTest is a test with two requests to an object. BenchmarkCounterTests runs such
// tests in parallel.
func BenchmarkCounterTest(b *testing.B) { benchmarkTests(b, counterTest) }

func BenchmarkCounterTests(b *testing.B) {
	started := record(b, func(t testing.TB) { start(t) }) // the process is not part of the figure
	if started.fatal != "" {
		b.Fatal(started.fatal)
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if r := record(b, func(t testing.TB) { counterTest(t, start(t)) }); r.fatal != "" {
				b.Error(r.fatal)
			}
		}
	})
}

func counterTest(t testing.TB, srv *durabletest.Server) {
	want(t, srv, "/a/count", "1")
	want(t, srv, "/a/count", "2")
}

func benchmarkTests(b *testing.B, test func(testing.TB, *durabletest.Server)) {
	started := record(b, func(t testing.TB) { start(t) }) // the process is not part of the figure
	if started.fatal != "" {
		b.Fatal(started.fatal)
	}
	for b.Loop() {
		if r := record(b, func(t testing.TB) { test(t, start(t)) }); r.fatal != "" {
			b.Fatal(r.fatal)
		}
	}
}
