package emulator

import (
	"encoding/json"
	"net/http"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/control"
)

// timeAPI serves the requests for the clock, but for those that move it.
func (e *Emulator) timeAPI(handle func(string, func(*http.Request) (any, error))) {
	handle("GET time", func(*http.Request) (any, error) { return e.Time(), nil })
	handle("POST time/freeze", func(*http.Request) (any, error) { return e.timeAfter(e.clock.Freeze()) })
	handle("POST time/resume", func(*http.Request) (any, error) { return e.timeAfter(e.clock.Resume()) })
	handle("POST time/stop", func(*http.Request) (any, error) { return e.timeAfter(e.stopAdvance()) })
	handle("POST time/speed", func(r *http.Request) (any, error) {
		var q control.SpeedRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		if !(q.Rate >= clock.MinRate && q.Rate <= clock.MaxRate) {
			return nil, badRequest("the clock can't run at %v times real time; give a number from %v to %v", q.Rate, clock.MinRate, clock.MaxRate)
		}
		return e.timeAfter(e.clock.SetRate(q.Rate))
	})
	handle("POST time/reset", func(r *http.Request) (any, error) {
		var q control.ResetRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return e.timeAfter(e.resetTime(q.Force))
	})
}

// timeAfter is the time after a change of the clock's mode that ended with err.
func (e *Emulator) timeAfter(err error) (any, error) {
	if err != nil {
		return nil, busy(err)
	}
	return e.Time(), nil
}

// serveAdvance moves the clock, and tells what runs as it runs. It ends early when the
// client has gone.
func (e *Emulator) serveAdvance(w http.ResponseWriter, r *http.Request) {
	var q control.AdvanceRequest
	if err := decode(r, &q); err != nil {
		respond(w, nil, err)
		return
	}
	a, move, err := e.beginAdvance(r.Context(), q)
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
		lines.Encode(event) //nolint:errcheck // a client that has gone ends the advance by its context
	}
	sendFired := func() {
		for _, f := range a.take() {
			send(control.AdvanceEvent{Fired: &f})
		}
	}
	flush := func() { http.NewResponseController(w).Flush() } //nolint:errcheck // as above
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-a.waiting:
			sendFired()
		case <-tick.C:
			ran, _ := a.count()
			send(control.AdvanceEvent{Progress: &control.Progress{Now: e.clock.Now(), Ran: ran}})
		case r := <-done:
			if r.error != nil && !began {
				respond(w, nil, r.error)
				return
			}
			sendFired()
			if r.error != nil { // the clock has refused to move, late
				r.Advanced = &control.Advanced{From: e.clock.Now(), To: e.clock.Now(), Mode: string(e.clock.Mode()), Stopped: r.Error(), StoppedBy: stoppedBy(r.error)}
			}
			send(control.AdvanceEvent{Advanced: r.Advanced})
			return
		}
		flush()
	}
}
