package client_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

func TestClientAsksForWhatWaits(t *testing.T) {
	var got string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + string(body)
		answer(200, "application/json", `{"now":"2027-01-01T00:00:00Z","mode":"frozen"}`)(w, r)
	})
	want := control.Waiting{Now: newYear, Mode: control.Frozen, Waiting: []control.Waiter{}}
	waiting, err := client.Waiting(t.Context())
	if diff := cmp.Diff(want, waiting); diff != "" || err != nil {
		t.Errorf("waiting: got error %v (-want +got):\n%s", err, diff)
	}
	if want := "GET " + control.Prefix + "time/waiting "; got != want {
		t.Errorf("waiting: got request %s, want %s", got, want)
	}
	settled, err := client.Settle(t.Context(), control.SettleRequest{Limit: "1s"})
	if diff := cmp.Diff(want, settled); diff != "" || err != nil {
		t.Errorf("settle: got error %v (-want +got):\n%s", err, diff)
	}
	if want := "POST " + control.Prefix + `time/settle {"limit":"1s"}`; got != want {
		t.Errorf("settle: got request %s, want %s", got, want)
	}
}
