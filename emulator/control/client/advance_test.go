package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

// answerLines answers with lines, one for each event.
func answerLines(lines ...control.AdvanceEvent) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", control.LinesType)
		for _, l := range lines {
			json.NewEncoder(w).Encode(l)
		}
	}
}

var (
	one      = control.Fired{Object: control.Object{Class: "Batcher", Name: "one"}, Outcome: control.OutcomeOK}
	two      = control.Fired{Object: control.Object{Class: "Batcher", Name: "two"}, Outcome: control.OutcomeRetry}
	progress = control.Progress{Ran: 1}
	end      = control.Advanced{Mode: control.Frozen, Ran: 2}
)

func TestAdvanceSendsItsRequest(t *testing.T) {
	noon := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	for want, q := range map[string]control.AdvanceRequest{
		`{"duration":"1m30s"}`:                     {Duration: "1m30s"},
		`{"to":"2026-10-01T12:00:00Z"}`:            {To: &noon},
		`{"next":true}`:                            {Next: true},
		`{"duration":"2h","jump":true}`:            {Duration: "2h", Jump: true},
		`{"next":true,"maxRuns":5,"maxStep":"1s"}`: {Next: true, MaxRuns: 5, MaxStep: "1s"},
	} {
		var got string
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = r.Method + " " + strings.TrimPrefix(r.URL.Path, control.Prefix) + " " + string(body)
			answerLines(control.AdvanceEvent{Advanced: &end})(w, r)
		})
		if _, err := client.Advance(t.Context(), q, nil); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if want := "POST time/advance " + want; got != want {
			t.Errorf("got request %q, want %q", got, want)
		}
	}
}

func TestAdvanceReportsEachEvent(t *testing.T) {
	events := []control.AdvanceEvent{{Fired: &one}, {Progress: &progress}, {Fired: &two}}
	client := serve(t, answerLines(append(events, control.AdvanceEvent{Advanced: &end})...))
	var got []control.AdvanceEvent
	each := func(e control.AdvanceEvent) { got = append(got, e) }
	advanced, err := client.Advance(t.Context(), control.AdvanceRequest{Next: true}, each)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	want := end
	want.Fired = []control.Fired{}
	if diff := cmp.Diff(want, advanced); diff != "" {
		t.Errorf("with observe (-want +got):\n%s", diff)
	}

	advanced, err = client.Advance(t.Context(), control.AdvanceRequest{Next: true}, nil)
	want.Fired = []control.Fired{one, two}
	if diff := cmp.Diff(want, advanced); err != nil || diff != "" {
		t.Errorf("without observe: %v, (-want +got):\n%s", err, diff)
	}
}

func TestACancelledAdvanceStopsTheClockAndGetsTheReport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	early := 1 // the first request to stop arrives before the advance has begun
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch strings.TrimPrefix(r.URL.Path, control.Prefix) {
		case "time/stop":
			if early > 0 {
				early--
				answer(409, "application/json", `{"error":"no advance is under way","code":"no_advance"}`)(w, r)
				return
			}
			close(stopped)
			answer(200, "application/json", "{}")(w, r)
		default:
			cancel()
			<-stopped
			answerLines(control.AdvanceEvent{Advanced: &control.Advanced{Stopped: "canceled"}})(w, r)
		}
	})
	advanced, err := client.Advance(ctx, control.AdvanceRequest{Next: true}, nil)
	if err != nil || advanced.Stopped != "canceled" {
		t.Errorf("got %+v, %v; want the report", advanced, err)
	}
	if _, err := client.Advance(ctx, control.AdvanceRequest{Next: true}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: got %v", err)
	}
}

func TestAdvanceRecognisesInvalidAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"another server":      {answer(200, "application/json", "{}"), "is not this version of devtool"},
		"a page":              {answer(404, "text/html", "no"), "is not this version of devtool"},
		"an end before it is": {answerLines(control.AdvanceEvent{Fired: &one}), "broke"},
		"a broken line": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", control.LinesType)
			fmt.Fprint(w, `{"fired":`)
		}, "broke"},
	} {
		_, err := serve(t, test.handler).Advance(t.Context(), control.AdvanceRequest{Next: true}, nil)
		var got *control.Error
		if !errors.As(err, &got) || !strings.Contains(got.Message, test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		}
	}
}
