package control_test

import (
	"encoding/json"
	"testing"

	"devtool.internal/emulator/control"
)

func TestARunIsNamedAfterItsObjectOrExpression(t *testing.T) {
	for _, test := range []struct {
		fired      control.Fired
		want, json string
	}{
		{
			control.Fired{Kind: control.KindAlarm, Object: control.Object{Class: "Batcher", Name: "a", ID: "0a"}},
			"Batcher/a", `{"kind":"alarm","class":"Batcher","name":"a","id":"0a",` +
				`"at":"0001-01-01T00:00:00Z","scheduled":"0001-01-01T00:00:00Z","retry":0,"outcome":""}`,
		},
		{
			control.Fired{Kind: control.KindCron, Cron: "0 * * * *"},
			"cron 0 * * * *", `{"kind":"cron","cron":"0 * * * *",` +
				`"at":"0001-01-01T00:00:00Z","scheduled":"0001-01-01T00:00:00Z","retry":0,"outcome":""}`,
		},
	} {
		if got := test.fired.String(); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
		if got, err := json.Marshal(test.fired); err != nil || string(got) != test.json {
			t.Errorf("got %s, %v, want %s", got, err, test.json)
		}
	}
}
