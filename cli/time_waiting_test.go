package cli_test

import (
	"testing"
	"time"

	"devtool.internal/emulator/control"
)

func TestTimeWaitingIsATable(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	all := control.Waiting{Now: now, Mode: control.Frozen, Waiting: []control.Waiter{
		{Event: 1, Kind: "fetch", About: "GET /sleep", Until: now.Add(10 * time.Second)},
		{
			Event: 2, Kind: "alarm", About: "Batcher/orders", Until: now.Add(time.Minute),
			Object: control.Object{Class: "Upstream", Name: "a"},
		},
	}}
	const table = "WAITS                 IN          UNTIL\n" +
		"GET /sleep                        2027-01-01T00:00:10.000Z  in 10s\n" +
		"alarm Batcher/orders  Upstream/a  2027-01-01T00:01:00.000Z  in 1m\n"
	for _, test := range []struct {
		args    []string
		request string
		answer  control.Waiting
		want    string
	}{
		{[]string{"waiting"}, "GET time/waiting", all, table},
		{[]string{"settle"}, "POST time/settle", all, table},
		{[]string{"waiting"}, "GET time/waiting", control.Waiting{}, "nothing waits for the clock\n"},
		{
			[]string{"waiting", "--json"}, "GET time/waiting", control.Waiting{Now: now, Mode: control.Frozen},
			"{\n  \"now\": \"2027-01-01T00:00:00Z\",\n  \"mode\": \"frozen\",\n  \"waiting\": []\n}\n",
		},
	} {
		e := emulator{each: map[string]any{test.request: test.answer}}
		c := e.start(t)
		check(t, c.run(t.Context(), append([]string{"time"}, test.args...)...), result{out: test.want})
	}
}

func TestTimeSettleHasALimit(t *testing.T) {
	e := emulator{each: map[string]any{"POST time/settle": control.Errorf(control.CodeNotSettled, "GET /x still runs")}}
	c := e.start(t)
	check(t, c.run(t.Context(), "time", "settle", "--limit", "1m"), result{
		code: 1, err: "devtool: GET /x still runs\n",
	})
	if got, want := e.asked[len(e.asked)-1], `POST time/settle {"limit":"1m0s"}`; got != want {
		t.Errorf("got request %s, want %s", got, want)
	}
}
