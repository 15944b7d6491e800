package client_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

var newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

func TestClientAsksForCronTriggers(t *testing.T) {
	const ran = `{"kind":"cron","cron":"0 * * * *",` +
		`"at":"2027-01-01T00:00:00Z","scheduled":"2027-01-01T00:00:00Z","outcome":"ok"}`
	var got string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + string(body)
		answer(200, "application/json", ran)(w, r)
	})
	fired, err := client.TriggerCron(t.Context(), control.CronTriggerRequest{Cron: "0 * * * *", Time: &newYear})
	if err != nil {
		t.Fatal(err)
	}
	request := "POST " + control.Prefix + `cron/trigger {"cron":"0 * * * *","time":"2027-01-01T00:00:00Z"}`
	if got != request {
		t.Errorf("trigger: got request %s, want %s", got, request)
	}
	want := control.Fired{
		Kind:      control.KindCron,
		Cron:      "0 * * * *",
		At:        newYear,
		Scheduled: newYear,
		Outcome:   control.OutcomeOK,
	}
	if diff := cmp.Diff(want, fired); diff != "" {
		t.Errorf("trigger (-want +got):\n%s", diff)
	}

	crons, err := client.Crons(t.Context())
	if want := "GET " + control.Prefix + "cron "; got != want || err != nil {
		t.Errorf("list: got request %s and error %v, want %s", got, err, want)
	}
	if crons.Crons == nil {
		t.Error("list: got nil, want an empty list")
	}
}
