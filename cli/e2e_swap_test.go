package cli_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
)

// streaming is a worker with streams that never end, and work that lasts until it is released.
const streaming = `package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"devtool.internal/durable"
)

const version = "one"

var working = make(chan struct{})

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Basic": durable.NewClass(newRoom)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, do, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if name == "worker" {
			serve(w, r, do, nil)
			return
		}
		env.Namespace("BASIC").GetByName(name).ServeHTTP(w, r)
	})
}

type Room struct{ news durable.Cond }

func newRoom(_ context.Context, _ *durable.State, _ *durable.Env) (*Room, error) {
	return &Room{}, nil
}

func (room *Room) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, do, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	serve(w, r, do, room)
}

func serve(w http.ResponseWriter, r *http.Request, do string, room *Room) {
	ctx := r.Context()
	pause := func() error { return durable.Sleep(ctx, time.Hour) }
	switch do {
	case "cond":
		pause = func() error { return room.news.Wait(ctx) }
	case "tick":
		pause = func() error { return durable.Sleep(ctx, time.Second) }
	case "channel":
		pause = func() error { <-ctx.Done(); return ctx.Err() }
	case "machine":
		pause = func() error { time.Sleep(time.Minute); return ctx.Err() }
	case "work":
		working <- struct{}{}
		<-ctx.Done()
		return
	case "quiet": // nothing of the response has left
		working <- struct{}{}
		durable.Sleep(ctx, time.Hour)
		return
	case "working":
		<-working
		return
	case "sleep":
	default:
		fmt.Fprint(w, version)
		return
	}
	fmt.Fprintln(w, "begins")
	http.NewResponseController(w).Flush()
	for pause() == nil {
		fmt.Fprintln(w, "goes on")
		if http.NewResponseController(w).Flush() != nil {
			return
		}
	}
}
`

// stream opens a stream, and returns when its first line has come. The end of the stream closes
// ended.
func (s *server) stream(path string) (ended <-chan struct{}) {
	s.t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	s.t.Cleanup(leave)
	response, err := s.client.Do(s.request(http.MethodGet, path, nil).WithContext(ctx))
	if err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewReader(response.Body)
	if line, err := lines.ReadString('\n'); line != "begins\n" {
		s.t.Fatalf("the stream begins with %q, %v", line, err)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		defer response.Body.Close()
		for {
			if _, err := lines.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	return closed
}

// work lets the object busy work without end. The end of the request closes ended.
func (s *server) work() (ended <-chan struct{}) { return s.begin("/busy/work") }

// begin sends a request, and returns when its handler runs. The end of the request closes ended.
func (s *server) begin(path string) (ended <-chan struct{}) {
	s.t.Helper()
	closed := make(chan struct{})
	request := s.request(http.MethodGet, path, nil)
	go func() {
		defer close(closed)
		s.send(request) //nolint:errcheck // it ends with the version, or with the emulator
	}()
	s.get("/worker/working")
	return closed
}

func streamingProject(t *testing.T) project {
	p := handlerProject(t, "basic")
	p.write("main.go", streaming)
	return p
}

// What works in the old version has an hour, and delays nobody but its own object.
func TestASaveIsServedAtOnceWhateverRuns(t *testing.T) {
	t.Parallel()
	p := streamingProject(t)
	s := p.dev("--grace", "1h")
	s.work()
	var streams []<-chan struct{}
	for _, path := range []string{"/a/cond", "/b/sleep", "/c/tick", "/d/channel", "/e/machine"} {
		streams = append(streams, s.stream(path))
	}
	s.stream("/worker/sleep")
	p.edit("main.go", `version = "one"`, `version = "two"`)
	s.awaitLog("reloaded in")
	for _, object := range []string{"other", "worker", "a", "b", "c", "d", "e"} {
		if got := s.get("/" + object + "/"); got != "two" {
			t.Errorf("%s serves version %q, want two", object, got)
		}
	}
	for _, ended := range streams {
		<-ended // its object was in the old version
	}
	s.kill()
}

func TestTheGraceOfHandlersThatWorkIsAFlag(t *testing.T) {
	t.Parallel()
	p := streamingProject(t)
	s := p.dev("--grace", "0")
	ended := s.work()
	p.edit("main.go", `version = "one"`, `version = "two"`)
	<-ended
	if got := s.get("/busy/"); got != "two" {
		t.Errorf("got version %q, want two", got)
	}
	ended = s.work()
	s.interrupt()
	<-ended
}

// With an hour's grace only a cut stream lets dev end within the test's patience.
func TestAnInterruptCutsStreamsOff(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/a/cond", "/b/sleep", "/c/tick", "/d/channel",
		"/worker/sleep", "/worker/tick", "/worker/channel", "/worker/machine",
	} {
		t.Run(strings.ReplaceAll(path[1:], "/", " "), func(t *testing.T) {
			t.Parallel()
			s := streamingProject(t).dev("--grace", "1h")
			ended := s.stream(path)
			if code := s.interrupt(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			<-ended
		})
	}
}

// A handler that sleeps before it has answered is cut off, too, be it the worker's or an object's.
func TestAReloadAndAnInterruptCutSleepersOff(t *testing.T) {
	t.Parallel()
	p := streamingProject(t)
	s := p.dev("--grace", "1h")
	for _, path := range []string{"/worker/quiet", "/a/quiet"} {
		ended := s.begin(path)
		p.edit("main.go", `const version = "`, `const version = "next `)
		<-ended
		ended = s.begin(path)
		defer func() { <-ended }()
	}
	if code := s.interrupt(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestAGracePeriodIsADuration(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"soon", "-1s", "5"} {
		r := emptyProject(t).devtool("dev", "--grace", given)
		if r.code != 2 || !strings.Contains(r.err, "the grace period can't be") {
			t.Errorf("--grace %s: exit code %d and %q, want a misuse", given, r.code, r.err)
		}
	}
}
