package emulator

import (
	"context"
	"errors"
	"net/http"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/door"
	"devtool.internal/emulator/world"
)

// alarmsAPI adds the requests about alarms.
func (e controlAPI) alarmsAPI(handle func(pattern string, f func(*http.Request) (any, error))) {
	a := e.world.Admin()
	handle("GET alarms", func(r *http.Request) (any, error) {
		return a.ListAlarms(r.Context(), control.AlarmsRequest{Class: r.URL.Query().Get("class")})
	})
	handle("POST alarms/trigger", func(r *http.Request) (any, error) {
		var q control.TriggerRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return e.world.TriggerAlarm(q, func() error {
			if err := e.awaitFirst(r.Context()); err != nil { // do not wait for the next save
				return refusal(err)
			}
			return nil
		})
	})
	handle("GET alarms/{class}/{object}", func(r *http.Request) (any, error) {
		return a.GetAlarm(r.Context(), namedObject(r))
	})
	handle("PUT alarms/{class}/{object}", func(r *http.Request) (any, error) {
		var q control.SetAlarmRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return a.SetAlarm(r.Context(), namedObject(r), q)
	})
	handle("DELETE alarms/{class}/{object}", func(r *http.Request) (any, error) {
		return a.DeleteAlarm(r.Context(), namedObject(r))
	})
	handle("POST alarms/{class}/{object}/snooze", func(r *http.Request) (any, error) {
		var q control.SnoozeRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return a.SnoozeAlarm(r.Context(), namedObject(r), q)
	})
}

// awaitFirst waits while the first program is built. If no program can serve, it returns the
// *door.Unserved.
func (e controlAPI) awaitFirst(ctx context.Context) error {
	p, err := e.host.Enter(ctx, world.Impatient)
	if err == nil {
		e.host.Leave(p)
	}
	if u := (*door.Unserved)(nil); errors.As(err, &u) {
		return err
	}
	return nil
}
