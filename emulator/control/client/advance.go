package client

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"devtool.internal/emulator/control"
)

// Advance moves the virtual clock and waits until everything that comes due on the way
// has run, however long that takes. observe, unless it is nil, is told of each event as
// it comes; without it, the answer has all that ran in Fired, which is never nil.
//
// When ctx ends, the clock stops after the current step, and the answer says where.
func (c *Client) Advance(
	ctx context.Context, q control.AdvanceRequest, observe func(control.AdvanceEvent),
) (control.Advanced, error) {
	if err := ctx.Err(); err != nil {
		return control.Advanced{}, err
	}
	fired := []control.Fired{}
	if observe == nil {
		observe = func(e control.AdvanceEvent) {
			if e.Fired != nil {
				fired = append(fired, *e.Fired)
			}
		}
	}
	// The request itself goes on after ctx, to hear where the clock has stopped.
	life, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	over := make(chan struct{})
	var stopping sync.WaitGroup
	stopping.Go(func() {
		if !c.stopAdvance(ctx, over) {
			giveUp()
		}
	})
	defer stopping.Wait()
	defer close(over)
	response, err := c.send(life, http.MethodPost, "time/advance", q)
	if err != nil {
		if life.Err() != nil {
			err = ctx.Err()
		}
		return control.Advanced{}, err
	}
	defer response.Body.Close()
	switch kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); {
	case response.StatusCode >= 400:
		content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return control.Advanced{}, c.unreachable(ctx, err)
		}
		return control.Advanced{}, c.refusal(response, content)
	case response.StatusCode != http.StatusOK || kind != control.LinesType:
		return control.Advanced{}, c.stranger(response)
	}
	lines := json.NewDecoder(response.Body)
	for {
		var e control.AdvanceEvent
		if err := lines.Decode(&e); err != nil {
			if life.Err() != nil {
				return control.Advanced{}, ctx.Err()
			}
			return control.Advanced{}, c.unreachable(life, err)
		}
		if e.Advanced != nil {
			e.Advanced.Fired = fired
			return *e.Advanced, nil
		}
		observe(e)
	}
}

const (
	// stopEvery is how often an advance is asked to stop that may not have begun.
	stopEvery = 50 * time.Millisecond
	// stopTimeout is how long the emulator may take to hear of it.
	stopTimeout = 5 * time.Second
)

// stopAdvance stops the advance when ctx ends, unless that is over before. It reports whether
// the emulator has heard of it.
func (c *Client) stopAdvance(ctx context.Context, over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	tick := time.NewTicker(stopEvery)
	defer tick.Stop()
	for {
		_, err := quick[control.Time](bounded, c, http.MethodPost, "time/stop")
		if control.CodeOf(err) != control.CodeNoAdvance { // else the advance has not begun yet
			return err == nil
		}
		select {
		case <-over:
			return true
		case <-tick.C:
		}
	}
}
