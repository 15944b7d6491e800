package cli_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAnAdvanceWaitsForTheAlarmThatRunsAlready moves the clock by an hour while an alarm, which a
// running clock has begun, works.
func TestAnAdvanceWaitsForTheAlarmThatRunsAlready(t *testing.T) {
	t.Parallel()
	begun, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	asked := 0
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if asked++; asked == 1 {
			close(begun)
			<-released
		}
	}))
	defer upstream.Close()
	defer release()
	p := handlerProject(t, "moving")
	s := p.dev()
	s.post("/one/ask?"+url.Values{"url": {upstream.URL}}.Encode(), "")
	<-begun
	var got result
	var moved sync.WaitGroup
	moved.Go(func() { got = p.devtool("time", "advance", "1h", "--json") })
	eventually(t, "the advance is under way", func() bool {
		return strings.Contains(p.devtool("time", "speed", "1").err, "an advance is under way")
	})
	release()
	moved.Wait()
	if got.code != 0 {
		t.Fatalf("got %+v, want exit code 0", got)
	}
	advanced := advancedOf(t, got.out)
	if got, want := outcomes(advanced), []string{"Moving/one ok"}; !slices.Equal(got, want) {
		t.Errorf("the advance reports %q, want %q", got, want)
	}
	if got := s.get("/one/runs"); !strings.HasPrefix(got, "1 runs") {
		t.Errorf("got %q, want one run", got)
	}
}

func TestAnAlarmThatWaitsForItselfIsResetByTheClock(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "moving")
	s := p.dev("--frozen")
	s.post("/one/self", "")
	start := p.time().Now
	got := p.move("advance", "100s")
	if got.Stopped != "" || got.To.Sub(start) != 100*time.Second || len(got.Fired) == 0 {
		t.Fatalf("got %+v, want an advance by 100 s with a run of the alarm", got)
	}
	first := got.Fired[0]
	if first.Outcome != "retry" || first.RetryAt == nil || first.RetryAt.Sub(start) < 90*time.Second ||
		!strings.Contains(first.Error, "BlockConcurrencyWhile") {
		t.Errorf("got %+v, want the reset at 30 s after the alarm", first)
	}
}

func TestOrdinaryWorkIsServedAtTheHighestRates(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "moving")
	s := p.dev()
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer upstream.Close()
	for _, rate := range []string{"10000", "1000000"} {
		p.succeed(nil, "time", "speed", rate)
		name := "at" + rate
		for range 20 {
			s.post("/"+name+"/work", "")
		}
		s.post("/"+name+"/ask?"+url.Values{"url": {upstream.URL}}.Encode(), "")
		eventually(t, "the alarm has run", func() bool {
			return strings.HasPrefix(s.get("/"+name+"/runs"), "1 runs")
		})
	}
}
