package emulator

import (
	"encoding/json"
	"net/http"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/world"
)

// timeAPI adds the requests about the clock, except for advances.
func (e controlAPI) timeAPI(handle func(string, func(*http.Request) (any, error))) {
	handle("GET time", func(*http.Request) (any, error) { return e.world.Time(), nil })
	handle("POST time/freeze", func(*http.Request) (any, error) { return e.timeAfter(e.world.Freeze()) })
	handle("POST time/resume", func(*http.Request) (any, error) { return e.timeAfter(e.world.Clock().Resume()) })
	handle("GET time/waiting", func(*http.Request) (any, error) { return e.world.Waiting(), nil })
	handle("POST time/settle", func(r *http.Request) (any, error) {
		var q control.SettleRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		limit, err := world.SettleLimit(q)
		if err == nil {
			err = e.world.Settle(r.Context(), limit)
		}
		if err != nil {
			return nil, err
		}
		return e.world.Waiting(), nil
	})
	handle("POST time/stop", func(*http.Request) (any, error) { return e.timeAfter(e.world.StopAdvance()) })
	handle("POST time/speed", func(r *http.Request) (any, error) {
		var q control.SpeedRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		if !(q.Rate >= clock.MinRate && q.Rate <= clock.MaxRate) {
			return nil, control.Errorf(control.CodeBadRequest,
				"the clock can't run at %v times real time; give a number from %v to %v",
				q.Rate, clock.MinRate, clock.MaxRate)
		}
		return e.timeAfter(e.world.SetRate(q.Rate))
	})
	handle("POST time/reset", func(r *http.Request) (any, error) {
		var q control.ResetRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return e.timeAfter(e.world.ResetTime(q.Force))
	})
}

// timeAfter answers a change of the clock's mode that ended with err.
func (e controlAPI) timeAfter(err error) (any, error) {
	if err != nil {
		return nil, world.Refusal(err)
	}
	return e.world.Time(), nil
}

// serveAdvance moves the clock and sends a line for each run as it ends. The advance stops when the
// client has gone.
func (e controlAPI) serveAdvance(w http.ResponseWriter, r *http.Request) {
	var q control.AdvanceRequest
	if err := decode(r, &q); err != nil {
		respond(w, nil, err)
		return
	}
	a, move, err := e.world.BeginAdvance(r.Context(), q)
	if err != nil {
		respond(w, nil, err)
		return
	}
	type result struct {
		*control.Advanced
		error
	}
	done := make(chan result, 1)
	go func() {
		advanced, err := move()
		done <- result{advanced, err}
	}()

	lines := json.NewEncoder(w)
	began := false
	send := func(event control.AdvanceEvent) {
		if !began {
			w.Header().Set("Content-Type", control.LinesType)
			began = true
		}
		lines.Encode(event) //nolint:errcheck // if the client has gone, its context ends the advance
	}
	sendFired := func() {
		for _, f := range a.Take() {
			send(control.AdvanceEvent{Fired: &f})
		}
	}
	flush := func() { http.NewResponseController(w).Flush() } //nolint:errcheck // as above
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-a.Waiting:
			sendFired()
		case <-tick.C:
			ran, _ := a.Count()
			send(control.AdvanceEvent{Progress: &control.Progress{Now: e.world.Clock().Now(), Ran: ran}})
		case r := <-done:
			if r.error != nil && !began {
				respond(w, nil, r.error)
				return
			}
			sendFired()
			if r.error != nil { // an error after the response has begun
				c := e.world.Clock()
				r.Advanced = &control.Advanced{
					From: c.Now(), To: c.Now(), Mode: string(c.Mode()),
					Stopped: r.Error(), StoppedBy: world.StoppedBy(r.error),
				}
			}
			send(control.AdvanceEvent{Advanced: r.Advanced})
			return
		}
		flush()
	}
}

// progressEvery is how often, in real time, an advance reports its progress.
const progressEvery = 250 * time.Millisecond
