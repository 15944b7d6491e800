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

// Advance moves the virtual clock and waits until everything that comes due on the way has run,
// however long that takes. It calls observe with each event as it comes. If observe is nil, the
// answer has all runs in Fired, which is never nil.
//
// When ctx ends, the clock stops after the current step, and the answer says at what time.
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
	// The request itself outlives ctx, because the report says where the clock has stopped.
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
		return control.Advanced{}, c.notDevtool(response)
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
	// stopEvery is the interval of requests to stop an advance, which may not have begun yet.
	stopEvery = 50 * time.Millisecond
	// stopTimeout is how long the emulator may take to answer one.
	stopTimeout = 5 * time.Second
)

// stopAdvance stops the advance when ctx ends, unless the advance is over before. It reports
// whether the emulator has accepted the request.
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
		if control.CodeOf(err) != control.CodeNoAdvance { // with CodeNoAdvance, the advance has not begun yet
			return err == nil
		}
		select {
		case <-over:
			return true
		case <-tick.C:
		}
	}
}
