package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"devtool.internal/durabletest"
)

// start starts a chat. When the test is over and its streams are closed, nobody may be left in the
// room.
func start(t *testing.T) *durabletest.Server {
	t.Helper()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	t.Cleanup(func() {
		for members(t, srv) != "[]" { // the emulator may need a moment to see that a client has gone
		}
	})
	return srv
}

// members returns who is in the room "go", as a JSON array.
func members(t *testing.T, srv *durabletest.Server) string {
	t.Helper()
	response, err := srv.Client().Get("/rooms/go/members?name=test")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(answer))
}

// A listener reads a stream.
type listener struct {
	t      *testing.T
	events chan string // such as `members ["ada"]`; closed when the stream ends
	leave  context.CancelFunc
}

// listen opens a stream of the room "go". after is the Last-Event-ID; "" for none.
func listen(t *testing.T, srv *durabletest.Server, name, after string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/rooms/go/stream?name="+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	response := srv.Do(r)
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != "text/event-stream" {
		t.Fatalf("got %s of type %s", response.Status, got)
	}
	l := &listener{t, make(chan string, 10_000), cancel}
	go func() {
		defer close(l.events)
		kind := ""
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "":
				if value != "" {
					l.events <- value // a comment
				}
			case "event":
				kind = value
			case "data":
				l.events <- kind + " " + value
			}
		}
	}()
	return l
}

// want fails the test if the next event is another one. A message is compared as "NAME: TEXT".
func (l *listener) want(want string) {
	l.t.Helper()
	got, ok := <-l.events
	if text, isMessage := strings.CutPrefix(got, "message "); isMessage {
		var m Message
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			l.t.Fatal(err)
		}
		got = m.From + ": " + m.Text
	}
	if !ok || got != want {
		l.t.Fatalf("got %q (the stream goes on: %t), want %q", got, ok, want)
	}
}

func post(t *testing.T, srv *durabletest.Server, name, text string) {
	t.Helper()
	status, answer := srv.Fetch("POST", "/rooms/go/messages?name="+name, fmt.Sprintf(`{"text": %q}`, text))
	if status != http.StatusCreated {
		t.Fatalf("post %q: got %d %s", text, status, answer)
	}
}

// stored returns the numbers of the messages after one.
func stored(t *testing.T, srv *durabletest.Server, after int) string {
	t.Helper()
	_, answer := srv.Fetch("GET", fmt.Sprintf("/rooms/go/messages?name=test&after=%d", after), "")
	var messages []Message
	if err := json.Unmarshal([]byte(answer), &messages); err != nil {
		t.Fatal(err)
	}
	ids := make([]int, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	return strings.Trim(fmt.Sprint(ids), "[]")
}

func TestAMessageReachesEverybodyAtOnce(t *testing.T) {
	t.Parallel()
	srv := start(t)
	var listeners []*listener
	for range 50 {
		l := listen(t, srv, "ada", "")
		l.want(`members ["ada"]`)
		listeners = append(listeners, l)
	}
	for i := range 20 {
		post(t, srv, "bob", fmt.Sprint(i))
	}
	for _, l := range listeners {
		for i := range 20 {
			l.want(fmt.Sprintf("bob: %d", i))
		}
	}
}

func TestAStreamGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	srv := start(t)
	post(t, srv, "ada", "one")
	post(t, srv, "ada", "two")
	first := listen(t, srv, "bob", "")
	first.want("ada: one")
	first.want("ada: two")
	first.want(`members ["bob"]`)
	srv.Object("Room", "go").Abort("the room is renovated")
	if event, ok := <-first.events; ok {
		t.Fatalf("got %q, want the end of the stream", event)
	}
	post(t, srv, "ada", "three")
	second := listen(t, srv, "bob", "2")
	second.want("ada: three")
	second.want(`members ["bob"]`)
	post(t, srv, "bob", "four")
	second.want("bob: four")
}

func TestALongHistoryComesAndGoesWhole(t *testing.T) {
	t.Parallel()
	srv := start(t)
	const count = 2*page + 1
	for i := range count {
		post(t, srv, "ada", fmt.Sprint(i))
	}
	l := listen(t, srv, "bob", "")
	for i := range count {
		if i == page {
			l.want(`members ["bob"]`) // after the first page
		}
		l.want(fmt.Sprintf("ada: %d", i))
	}
	l.leave()
	if fired := srv.Clock.Advance(keepFor); len(fired) != 3 {
		t.Errorf("got %v, want three runs that clear a page each", fired)
	}
	if got := stored(t, srv, 0); got != "" {
		t.Errorf("after a day: got messages %s, want none", got)
	}
}

func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	srv := start(t)
	ada := listen(t, srv, "ada", "")
	ada.want(`members ["ada"]`)
	bob := listen(t, srv, "bob", "")
	bob.want(`members ["ada","bob"]`)
	ada.want(`members ["ada","bob"]`)
	again := listen(t, srv, "bob", "") // his second window changes nothing
	again.want(`members ["ada","bob"]`)
	bob.leave()
	post(t, srv, "ada", "who is here?")
	ada.want("ada: who is here?")
	again.leave()
	ada.want(`members ["ada"]`)
	if got := members(t, srv); got != `["ada"]` {
		t.Errorf("got members %s, want ada", got)
	}
}

func TestASilentStreamIsPinged(t *testing.T) {
	t.Parallel()
	srv := start(t)
	l := listen(t, srv, "ada", "")
	l.want(`members ["ada"]`)
	srv.Clock.Advance(pingEvery - time.Millisecond)
	post(t, srv, "bob", "hello") // so the next ping is half a minute from here
	l.want("bob: hello")
	srv.Clock.Advance(pingEvery - time.Millisecond)
	post(t, srv, "bob", "hello?")
	l.want("bob: hello?")
	srv.Clock.Advance(3 * pingEvery)
	for range 3 {
		l.want("ping")
	}
}

func TestOldMessagesAreCleared(t *testing.T) {
	t.Parallel()
	srv := start(t)
	room := srv.Object("Room", "go")
	post(t, srv, "ada", "one")
	srv.Clock.Advance(time.Hour)
	post(t, srv, "ada", "two")
	srv.Clock.Advance(keepFor - time.Hour - time.Millisecond)
	if got := stored(t, srv, 0); got != "1 2" {
		t.Errorf("before a day: got messages %s, want 1 2", got)
	}
	room.FailNextAlarm()
	srv.Clock.Advance(time.Millisecond)
	if got := stored(t, srv, 0); got != "1 2" {
		t.Errorf("after an alarm that failed: got messages %s, want 1 2", got)
	}
	srv.Clock.Next()
	if got := stored(t, srv, 0); got != "2" {
		t.Errorf("after a day: got messages %s, want 2", got)
	}
	srv.Clock.Advance(time.Hour)
	if got := stored(t, srv, 0); got != "" {
		t.Errorf("after 25 hours: got messages %s, want none", got)
	}
	if _, set := room.Alarm(); set {
		t.Error("the alarm is set although there is no message")
	}
	room.Evict()
	l := listen(t, srv, "bob", "2")
	l.want(`members ["bob"]`)
	post(t, srv, "ada", "three")
	l.want("ada: three")
	if got := stored(t, srv, 0); got != "3" {
		t.Errorf("got messages %s, want 3: numbers are not used again", got)
	}
}

// Messages of a whole day come and go below an open stream.
func TestAStreamLastsForDays(t *testing.T) {
	t.Parallel()
	srv := start(t)
	l := listen(t, srv, "ada", "")
	l.want(`members ["ada"]`)
	pings := 0
	for i := range 48 {
		post(t, srv, "bob", fmt.Sprint(i))
		srv.Clock.Advance(time.Hour)
		l.want(fmt.Sprintf("bob: %d", i))
		for range time.Hour / pingEvery {
			l.want("ping")
			pings++
		}
	}
	if got := len(strings.Fields(stored(t, srv, 0))); got != 23 {
		t.Errorf("got %d messages, want those of less than a day", got)
	}
	if took := srv.Clock.Now().Sub(durabletest.DefaultTime()); took != time.Duration(pings)*pingEvery {
		t.Errorf("got %d pings in %v", pings, took)
	}
}

func TestAMessageWhoseWriterCrashedIsSeenByNobody(t *testing.T) {
	t.Parallel()
	srv := start(t)
	srv.Object("Room", "go").CrashBeforeCommit()
	if status, _ := srv.Fetch("POST", "/rooms/go/messages?name=ada", `{"text": "lost"}`); status < 500 {
		t.Errorf("got %d, want a failure", status)
	}
	l := listen(t, srv, "bob", "")
	l.want(`members ["bob"]`)
	post(t, srv, "ada", "kept")
	l.want("ada: kept")
	if got := stored(t, srv, 0); got != "1" {
		t.Errorf("got messages %s, want 1", got)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel()
	srv := start(t)
	for _, test := range []struct{ path, body string }{
		{"/rooms/go/messages", `{"text": "nameless"}`},
		{"/rooms/go/messages?name=A%20B", `{"text": "a bad name"}`},
		{"/rooms/go/messages?name=ada", `no JSON`},
		{"/rooms/go/messages?name=ada", `{"text": ""}`},
		{"/rooms/go/messages?name=ada", `{"text": "` + strings.Repeat("x", maxText+1) + `"}`},
		{"/rooms/go/messages?name=ada", strings.Repeat(" ", 9*maxText)},
	} {
		if status, answer := srv.Fetch("POST", test.path, test.body); status != http.StatusBadRequest {
			t.Errorf("%s %.40s: got %d %s, want 400", test.path, test.body, status, answer)
		}
	}
}
