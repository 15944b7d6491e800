package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
)

func TestLogsAreHandedOnLineByLine(t *testing.T) {
	var asked string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), control.Prefix)
		answer(200, control.LinesType, "{\"msg\":\"a\"}\n{\"msg\":\"b\"}\n{\"msg\":\"cut o")(w, r)
	})
	var got []string
	each := func(line []byte) error { got = append(got, string(line)); return nil }
	if err := client.Logs(t.Context(), control.LogsRequest{Lines: -1}, each); err != nil {
		t.Fatal(err)
	}
	want := []string{`{"msg":"a"}`, `{"msg":"b"}`}
	if !slices.Equal(got, want) || asked != "GET logs?follow=false&lines=-1" {
		t.Errorf("got %q for %s, want the whole lines %q", got, asked, want)
	}
	enough := errors.New("enough")
	if err := client.Logs(t.Context(), control.LogsRequest{}, func([]byte) error { return enough }); err != enough {
		t.Errorf("got %v, want the reader's own error", err)
	}
	for _, test := range []struct {
		handler http.HandlerFunc
		want    string
	}{
		{answer(400, "application/json", `{"error":"lines is not a number"}`), "lines is not a number"},
		{answer(200, "text/html", "hello"), "is not this version of devtool"},
	} {
		err := serve(t, test.handler).Logs(t.Context(), control.LogsRequest{}, each)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

func TestFollowingALogEndsWithItsContextOrTheEmulator(t *testing.T) {
	written, end := make(chan struct{}), make(chan struct{})
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", control.LinesType)
		fmt.Fprintln(w, "{}")
		http.NewResponseController(w).Flush() //nolint:errcheck // the test notices
		written <- struct{}{}
		select {
		case <-end:
			panic(http.ErrAbortHandler) // the connection breaks, as when the process is killed
		case <-r.Context().Done():
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	follow := func(ctx context.Context) {
		ended <- client.Logs(ctx, control.LogsRequest{Follow: true}, func([]byte) error { return nil })
	}
	go follow(ctx)
	<-written
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
	go follow(t.Context())
	<-written
	close(end)
	if err := <-ended; err != nil {
		t.Errorf("when the emulator is killed: got %v", err)
	}
}

func TestStopReturnsWhenTheConnectionEnds(t *testing.T) {
	end := make(chan struct{})
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintln(w, `{"worker":"w","pid":7}`)
		http.NewResponseController(w).Flush() //nolint:errcheck // the test notices
		<-end
		panic(http.ErrAbortHandler) // the connection breaks
	})
	type outcome struct {
		control.Status
		err error
	}
	stopped := make(chan outcome)
	go func() {
		status, err := client.Stop(t.Context())
		stopped <- outcome{status, err}
	}()
	select {
	case got := <-stopped:
		t.Fatalf("stop returned before the connection ended: %+v", got)
	case end <- struct{}{}:
	}
	if got := <-stopped; got.err != nil || got.PID != 7 {
		t.Errorf("got %+v, want process 7", got)
	}
	_, err := serve(t, answer(200, "application/json", "no\n")).Stop(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is not this version of devtool") {
		t.Errorf("got %v", err)
	}
}

func TestClientAsksForReportsAndRestarts(t *testing.T) {
	var asked []string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, control.Prefix))
		answer(200, "application/json", `{"worker":"w","objects":3,"state":"serving","program":{"version":2}}`)(w, r)
	})
	report, err := client.Report(t.Context())
	if err != nil || report.Worker != "w" || report.Objects != 3 || report.Program.Version != 2 {
		t.Errorf("got %+v, %v", report, err)
	}
	if p, err := client.RestartProgram(t.Context()); err != nil || p.State != control.ProgramServing {
		t.Errorf("got %+v, %v", p, err)
	}
	if want := []string{"GET status", "POST program/restart"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}
