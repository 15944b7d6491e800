package durabletest_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"devtool.internal/durabletest"
)

func TestAClockStartsAtAFixedTime(t *testing.T) {
	t.Parallel()
	srv := start(t, func(o *durabletest.Options) { o.Time = time.Time{} })
	want := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := srv.Clock.Now(); !got.Equal(want) || !durabletest.DefaultTime().Equal(want) {
		t.Errorf("the clock starts at %s, and DefaultTime is %s; want %s", got, durabletest.DefaultTime(), want)
	}
}

func TestFilesOfVariablesCountOnlyIfTheTestAsksForThem(t *testing.T) {
	for _, name := range []string{".dev.vars", ".env"} {
		dir := t.TempDir()
		config, err := os.ReadFile("testdata/lab/wrangler.jsonc")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "wrangler.jsonc"), config, 0o600)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte("GREETING=local\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			dotFiles bool
			want     string
		}{{false, "hello"}, {true, "local"}} {
			srv := start(t, func(o *durabletest.Options) { o.Dir, o.DotFiles = dir, test.dotFiles })
			want(t, srv, "/a/greet", test.want)
		}
	}
}

func TestTheEnvironmentOfTheProcessDoesNotCount(t *testing.T) {
	t.Setenv("CLOUDFLARE_ENV", "loud")
	t.Setenv("CLOUDFLARE_INCLUDE_PROCESS_ENV", "true")
	t.Setenv("GREETING", "process")
	want(t, start(t), "/a/greet", "hello")
}

func TestDoSendsARequest(t *testing.T) {
	t.Parallel()
	var body io.ReadCloser
	r := record(t, func(t testing.TB) {
		srv := start(t)
		for _, address := range []string{"/a/count?q", srv.URL + "/a/count?q"} {
			q, err := http.NewRequestWithContext(t.Context(), "POST", address, strings.NewReader("x"))
			if err != nil {
				t.Fatalf("%v", err)
			}
			response := srv.Do(q)
			if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("got %+v, want 200 and text", response)
			}
			body = response.Body
		}
		want(t, srv, "/a/count", "3")
	})
	if r.fatal != "" || len(r.errors) > 0 {
		t.Errorf("got %q %q, want no errors", r.fatal, r.errors)
	}
	if _, err := body.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("got %v, want an error: the body is closed when the test has ended", err)
	}
	r = record(t, func(t testing.TB) {
		q, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:1/", nil)
		if err != nil {
			t.Fatalf("%v", err)
		}
		start(t).Do(q)
	})
	r.wantFatal(t, "durabletest: GET http://127.0.0.1:1/: dial tcp 127.0.0.1:1: ")
}

func TestCronTriggersAreListedAndTriggered(t *testing.T) {
	t.Parallel()
	srv := start(t, func(o *durabletest.Options) { o.Env = "scheduled" })
	var crons []string
	for _, c := range srv.Cron.List() {
		crons = append(crons, c.Cron)
	}
	if want := []string{"0 9 * * *", "*/30 * * * *"}; !slices.Equal(crons, want) {
		t.Fatalf("got %q, want %q", crons, want)
	}
	if got, want := srv.Cron.List()[1].Next[0].Sub(at), 23*time.Minute+53*time.Second; got != want {
		t.Errorf("the next run: got %s after the start, want %s", got, want)
	}
	for given, want := range map[string]string{"0 9 * * *": "0 9 * * *", "": "*/30 * * * *"} {
		got := srv.Cron.Trigger(given)
		if got.Cron != want || got.Outcome != durabletest.OutcomeOK || !got.Scheduled.Equal(at) {
			t.Errorf("trigger %q: got %+v, want a run of %q at the start", given, got, want)
		}
	}
	want(t, srv, "/cron/count", "3")
	r := record(t, func(t testing.TB) { srv.For(t).Cron.Trigger("1 2 3 4 5") })
	r.wantFatal(t, "trigger cron 1 2 3 4 5: ")
}
