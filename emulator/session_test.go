package emulator

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/internal/scripted"
	"devtool.internal/emulator/plugin"
)

func report(t *testing.T, w *testWorld) control.Report {
	t.Helper()
	got, err := (&client.Client{URL: w.server.URL, Token: w.token}).Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheReportCountsObjectsAndAlarms(t *testing.T) {
	w := newWorld(t, scripted.Alarms(nil))
	w.want("a", "/set1s", "")
	w.get("b", "/set1s")
	got := report(t, w)
	if got.Worker != "w" || got.Clock.Mode != control.Frozen ||
		got.Objects != 2 || got.InMemory != 2 || got.Alarms != 2 {
		t.Errorf("got %+v, want two objects in memory with an alarm each", got)
	}
	w.moveOn(time.Hour)
	if got := report(t, w); got.Objects != 0 || got.InMemory != 0 || got.Alarms != 0 {
		t.Errorf("after an hour: got %+v, want neither, because they stored their alarms alone", got)
	}
	if got := report(t, w).Program; got.State != control.ProgramServing || got.PID != 0 {
		t.Errorf("got %+v, want a program that serves and is not a child", got)
	}
}

func TestTheReportShowsAFailureUntilItIsMended(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	broken := &plugin.BuildError{Package: "w", Diagnostics: []plugin.Diagnostic{
		{File: "main.go", Line: 3, Column: 2, Message: "undefined: x", Source: "\tx()"},
	}}
	for _, test := range []struct {
		err           error
		message, text string
	}{
		{broken, "the handler program does not build: main.go:3:2: undefined: x", "x()"},
		{
			&config.Error{Diagnostics: []config.Diagnostic{{
				Message:  "name is missing",
				Position: config.Position{File: "wrangler.jsonc", Line: 1, Column: 1},
			}}},
			"name is missing", "wrangler.jsonc:1:1",
		},
		{errors.New("it did not introduce itself"), "it did not introduce itself", ""},
	} {
		w.record.changed(test.err)
		got := report(t, w).Program.Failure
		if got == nil || got.At.IsZero() ||
			!strings.Contains(got.Message, test.message) || !strings.Contains(got.Text, test.text) {
			t.Errorf("%v: got %+v, want %q with %q", test.err, got, test.message, test.text)
		}
		page := statusPageOf(t, w, "text/html")
		if !strings.Contains(page, "The last change is not served") || !strings.Contains(page, test.message) {
			t.Errorf("%v: the page does not say it:\n%s", test.err, page)
		}
	}
	w.record.changed(nil)
	if got := report(t, w).Program.Failure; got != nil {
		t.Errorf("after the mistake is mended: got %+v, want no failure", got)
	}
	page := statusPageOf(t, w, "text/html")
	if strings.Contains(page, "not served") || !strings.Contains(page, "w is serving") {
		t.Errorf("after the mistake is mended, got the page:\n%s", page)
	}
	if got := statusPageOf(t, w, "*/*"); !strings.HasPrefix(got, `{"version":`) {
		t.Errorf("for a program: got %s, want JSON", got)
	}
}

func statusPageOf(t *testing.T, w *testWorld, accept string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/cdn-cgi/local/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	response, err := w.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %s, %v", response.Status, err)
	}
	return string(body)
}

func TestTheReportSaysWhetherRequestsWait(t *testing.T) {
	w := newStoppedWorld(t, nil)
	w.startEngine()
	if got := w.program(); got.State != control.ProgramStarting || got.Version != 0 {
		t.Errorf("without a program: got %+v, want that it is starting", got)
	}
	err := w.host.Restart()
	if err == nil || !strings.Contains(err.Error(), "no handler program has been started yet") {
		t.Errorf("restart: got %v", err)
	}
	w.serve(scripted.Memory())
	if got := w.program(); got.State != control.ProgramServing {
		t.Errorf("with a program: got %+v", got)
	}
	w.crashForGood()
	const why = "the handler program keeps crashing and is started again in "
	if got := report(t, w).Program; got.State != control.ProgramFailing || !strings.HasPrefix(got.Crashes, why) {
		t.Errorf("when it can't be kept running: got %+v", got)
	}
	if page := statusPageOf(t, w, "text/html"); !strings.Contains(page, why) {
		t.Errorf("the page does not say it:\n%s", page)
	}
}

func TestAnAttachedProgramIsNotStartedAgain(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	_, err := (&client.Client{URL: w.server.URL, Token: w.token}).RestartProgram(t.Context())
	wantRefusal(t, err, http.StatusConflict, "attached program")
}

// A request to stop is answered when the emulator has released everything, and not before.
func TestStopReturnsWhenTheStateIsFree(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	client := &client.Client{URL: w.server.URL, Token: w.token}
	stopped := make(chan error, 2)
	for range 2 { // more than one client may ask
		go func() {
			_, err := client.Stop(t.Context())
			stopped <- err
		}()
		<-w.stopRequests.requested
	}
	eventually(t, "both wait", func() bool {
		w.stopRequests.mu.Lock()
		defer w.stopRequests.mu.Unlock()
		return len(w.stopRequests.conns) == 2
	})
	select {
	case err := <-stopped:
		t.Fatalf("it returned before the end: %v", err)
	default:
	}
	w.stop()
	for range 2 {
		if err := <-stopped; err != nil {
			t.Errorf("got %v", err)
		}
	}
	w.start(scripted.Memory()) // the state is free
}

func TestAStopWhoseClientHasGoneIsForgotten(t *testing.T) {
	var f stopRequests
	f.requested = make(chan struct{})
	f.finish()
	ours, theirs := net.Pipe()
	f.await(ours) // too late
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
	w := newWorld(t, scripted.Memory())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := (&client.Client{URL: w.server.URL, Token: w.token}).Stop(ctx)
		ended <- err
	}()
	<-w.stopRequests.requested
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
}
