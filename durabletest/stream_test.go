package durabletest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A feed sends its messages to all streams of server-sent events. It has no storage but its alarm.
type feed struct {
	state   *durable.State
	lines   []string
	changed durable.Cond
	streams int
	left    durable.Cond // signaled when a stream has ended
	wakeups int          // of all streams
	rings   int          // how often the alarm is still to ring
}

func newFeed(_ context.Context, s *durable.State, _ *durable.Env) (*feed, error) {
	return &feed{state: s}, nil
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(f.handle).ServeHTTP(w, r)
}

func (f *feed) handle(w http.ResponseWriter, r *http.Request) (err error) {
	switch _, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); what {
	case "stream":
		err = f.stream(w, r)
	case "post":
		var text []byte
		text, err = io.ReadAll(r.Body)
		f.add(string(text))
	case "ring":
		f.rings = 5
		err = f.state.Storage.SetAlarm(r.Context(), durable.Now(r.Context()).Add(time.Minute))
	case "streams":
		fmt.Fprint(w, f.streams)
	case "ended":
		for f.streams > 0 && err == nil {
			err = f.left.Wait(r.Context())
		}
	case "wakeups":
		fmt.Fprint(w, f.wakeups)
	}
	return err
}

func (f *feed) add(line string) {
	f.lines = append(f.lines, line)
	f.changed.Broadcast()
}

func (f *feed) stream(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	f.streams++
	defer func() {
		f.streams--
		f.left.Broadcast()
	}()
	out := http.NewResponseController(w)
	for sent := 0; ; {
		if err := out.Flush(); err != nil {
			return err
		}
		for sent == len(f.lines) {
			if err := f.changed.Wait(ctx); err != nil {
				return err
			}
			f.wakeups++
		}
		for ; sent < len(f.lines); sent++ {
			fmt.Fprintf(w, "data: %s, sent at %s\n", f.lines[sent], durable.Now(ctx).Format(time.TimeOnly))
		}
	}
}

// Alarm adds a message each minute.
func (f *feed) Alarm(ctx context.Context, info durable.AlarmInfo) error {
	f.add("alarm of " + info.ScheduledTime.Format(time.TimeOnly))
	if f.rings--; f.rings == 0 {
		return nil
	}
	return f.state.Storage.SetAlarm(ctx, info.ScheduledTime.Add(time.Minute))
}

// A hundred streams of one object get each message once and in order, from requests and during an
// advance. They look only when there is something to see.
func TestManyStreamsWaitForTheMessagesOfOneObject(t *testing.T) {
	t.Parallel()
	const streams, posts = 100, 20
	feeds := worker
	feeds.Classes = durable.Classes{"Lab": durable.NewClass(newFeed)}
	srv := durabletest.Start(t, feeds, durabletest.Options{Dir: "testdata/lab", Time: at})

	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	lines := make([]chan string, streams)
	for i := range streams {
		lines[i] = make(chan string, 2*posts)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/a/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := srv.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			defer response.Body.Close()
			for in := bufio.NewScanner(response.Body); in.Scan(); {
				lines[i] <- in.Text()
			}
		})
	}
	want(t, srv, "/a/streams", fmt.Sprint(streams))
	wantAll := func(want string) {
		t.Helper()
		for i, l := range lines {
			if got := <-l; got != want {
				t.Fatalf("stream %d got %q, want %q", i, got, want)
			}
		}
	}

	for i := range posts {
		if status, body := srv.Fetch("POST", "/a/post", fmt.Sprint("message ", i)); status != 200 {
			t.Fatalf("post: %d %s", status, body)
		}
	}
	for i := range posts {
		wantAll(fmt.Sprintf("data: message %d, sent at 05:06:07", i))
	}

	// Each alarm's handlers come to rest before the clock goes on to the next one.
	srv.Fetch("GET", "/a/ring", "")
	if fired := srv.Clock.Advance(time.Hour); len(fired) != 5 {
		t.Errorf("%d alarms rang, want 5", len(fired))
	}
	for i := range 5 {
		wantAll(fmt.Sprintf("data: alarm of 05:%02d:07, sent at 05:%02[1]d:07", 7+i))
	}

	status, wakeups := srv.Fetch("GET", "/a/wakeups", "")
	var n int
	if _, err := fmt.Sscan(wakeups, &n); status != 200 || err != nil || n < streams || n > streams*(posts+5) {
		t.Errorf("%d %s: the streams woke up %d times, want at most once for each message", status, wakeups, n)
	}
	cancel()
	clients.Wait()
	want(t, srv, "/a/ended", "")
	for i, l := range lines {
		if len(l) > 0 {
			t.Errorf("stream %d got %q as well", i, <-l)
		}
	}
}
