package durabletest_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// TestMain runs several tests at once, because most of them wait: for a limit of real time to pass.
func TestMain(m *testing.M) {
	several := strconv.Itoa(4 * runtime.GOMAXPROCS(0))
	if err := flag.Set("test.parallel", several); err != nil { // before the flags of the command line
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// A Lab does what the path of a request says.
type Lab struct {
	state  *durable.State
	env    *durable.Env
	visits int  // in memory
	sleepy bool // the alarm sleeps
}

func newLab(_ context.Context, s *durable.State, env *durable.Env) (*Lab, error) {
	return &Lab{state: s, env: env}, nil
}

func (l *Lab) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.visits++
	answer, err := l.handle(r.Context(), r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, answer)
}

func (l *Lab) handle(ctx context.Context, r *http.Request) (any, error) {
	storage := l.state.Storage
	_, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch what {
	case "visits":
		return l.visits, nil
	case "count":
		var n int
		if _, err := storage.Get(ctx, "n", &n); err != nil {
			return nil, err
		}
		return n + 1, storage.Put(ctx, "n", n+1)
	case "arm":
		return "armed", storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Minute))
	case "greet":
		return l.env.Var("GREETING"), nil
	case "log":
		log.Printf("%s was here", nameOf(l.state))
		return "", nil
	case "sql":
		_, err := storage.SQL().Exec(ctx, "CREATE TABLE t (a, b, c, d, e); "+
			"INSERT INTO t VALUES (1, 1.5, 'x', x'00ff', NULL), (9007199254740993, 9e999, '', '', -1)")
		return "", err
	case "upstream":
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, l.env.Var("UPSTREAM"), r.Body)
		if err != nil {
			return nil, err
		}
		resp, err := durable.HTTPClient.Do(q)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return fmt.Sprintf("%d %s", resp.StatusCode, b), err
	case "sleep":
		d, err := time.ParseDuration(cmp.Or(r.URL.RawQuery, "10s"))
		if err != nil {
			return nil, err
		}
		spin()
		return "slept", durable.Sleep(ctx, d)
	case "sleep-in-b":
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://lab/b/sleep", nil)
		if err != nil {
			return nil, err
		}
		resp, err := l.env.Namespace("LAB").GetByName("b").Fetch(q)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	case "sleep-in-the-alarm":
		l.sleepy = true
		return "armed", storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Minute))
	case "timeout":
		timed, cancel := durable.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		<-timed.Done()
		return "late", nil
	case "several":
		var group sync.WaitGroup
		for n := range 8 {
			group.Go(func() {
				spin()
				durable.Sleep(ctx, time.Duration(n+1)*time.Second) //nolint:errcheck // the clock tells
			})
		}
		group.Wait()
		return durable.Now(ctx).Sub(at).String(), nil
	case "hold":
		return "", l.state.BlockConcurrencyWhile(ctx, func(ctx context.Context) error {
			return durable.Sleep(ctx, 20*time.Second)
		})
	}
	return nil, fmt.Errorf("no %q", what)
}

func (l *Lab) Alarm(ctx context.Context, info durable.AlarmInfo) error {
	if l.sleepy {
		return durable.Sleep(ctx, 10*time.Second)
	}
	var runs int
	if _, err := l.state.Storage.Get(ctx, "runs", &runs); err != nil {
		return err
	}
	if err := l.state.Storage.Put(ctx, "runs", runs+1); err != nil {
		return err
	}
	if strings.HasPrefix(nameOf(l.state), "unlucky") && info.RetryCount == 0 {
		return errors.New("no luck")
	}
	return nil
}

var worker = durable.Worker{
	Handler: func(env *durable.Env) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			env.Namespace("LAB").GetByName(name).ServeHTTP(w, r)
		})
	},
	Scheduled: func(ctx context.Context, _ durable.ScheduledEvent, env *durable.Env) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://cron/cron/count", nil)
		if err != nil {
			return err
		}
		response, err := env.Namespace("LAB").GetByName("cron").Fetch(r)
		if err != nil {
			return err
		}
		return response.Body.Close()
	},
	Classes: durable.Classes{"Lab": durable.NewClass(newLab)},
}

// spin computes for a while that depends on the machine.
func spin() {
	for range 200 {
		runtime.Gosched()
	}
}

// at is where the clock of most tests starts.
var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// start starts a server in the project of these tests.
func start(t testing.TB, change ...func(*durabletest.Options)) *durabletest.Server {
	t.Helper()
	o := durabletest.Options{Dir: "testdata/lab", Time: at}
	for _, f := range change {
		f(&o)
	}
	return durabletest.Start(t, worker, o)
}

// want sends a GET and compares the body of the answer, whose status must be 200.
func want(t testing.TB, srv *durabletest.Server, path, want string) {
	t.Helper()
	if status, got := srv.Fetch("GET", path, ""); status != 200 || got != want {
		t.Errorf("GET %s: got %d %q, want 200 %q", path, status, got, want)
	}
}

// A recorder is a test within a test. It may fail.
type recorder struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	cleanups []func()
	fatal    string
	errors   []string
	output   bytes.Buffer
}

// record runs f with a new recorder and returns that when the recorder has ended.
func record(t testing.TB, f func(t testing.TB)) *recorder {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	r := &recorder{TB: t, ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			end()
			for len(r.cleanups) > 0 {
				last := len(r.cleanups) - 1
				cleanup := r.cleanups[last]
				r.cleanups = r.cleanups[:last]
				cleanup()
			}
		}()
		f(r)
	}()
	<-done
	return r
}

// Context returns a context that ends before the cleanup functions run, as that of a test does.
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.mu.Lock()
	r.fatal = fmt.Sprintf(format, args...)
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *recorder) FailNow() { r.Fatalf("failed") }

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fatal != "" || len(r.errors) > 0 || r.TB.Failed()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Output() io.Writer { return writerFunc(r.write) }

func (r *recorder) write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.output.Write(p)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// wantFatal checks the message with which the recorder has ended.
func (r *recorder) wantFatal(t testing.TB, want ...string) {
	t.Helper()
	for _, part := range want {
		if !strings.HasPrefix(r.fatal, "durabletest: ") || !strings.Contains(r.fatal, part) {
			t.Errorf("got %q, want an error of durabletest with %q", r.fatal, part)
		}
	}
}

func nameOf(s *durable.State) string {
	name, _ := s.ID.Name()
	return name
}
