package control

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"
)

// LinesType is the content type of an answer in lines of JSON.
const LinesType = "application/x-ndjson"

// Advance moves the virtual clock and waits until everything that comes due on the way
// has run, however long that takes. observe, unless it is nil, is told of each event as
// it comes; without it, the answer has all that ran in Fired, which is never nil.
//
// When ctx ends, the clock stops after the current step, and the answer says where.
func (c *Client) Advance(ctx context.Context, q AdvanceRequest, observe func(AdvanceEvent)) (Advanced, error) {
	if err := ctx.Err(); err != nil {
		return Advanced{}, err
	}
	fired := []Fired{}
	if observe == nil {
		observe = func(e AdvanceEvent) {
			if e.Fired != nil {
				fired = append(fired, *e.Fired)
			}
		}
	}
	// The request itself goes on after ctx, to hear where the clock has stopped.
	over := make(chan struct{})
	var stopping sync.WaitGroup
	stopping.Go(func() { c.stopAdvance(ctx, over) })
	defer stopping.Wait()
	defer close(over)
	response, err := c.send(context.WithoutCancel(ctx), http.MethodPost, "time/advance", q)
	if err != nil {
		return Advanced{}, err
	}
	defer response.Body.Close()
	switch kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); {
	case response.StatusCode >= 400:
		content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return Advanced{}, c.unreachable(ctx, err)
		}
		return Advanced{}, c.refusal(response, content)
	case response.StatusCode != http.StatusOK || kind != LinesType:
		return Advanced{}, c.stranger(response)
	}
	lines := json.NewDecoder(response.Body)
	for {
		var e AdvanceEvent
		if err := lines.Decode(&e); err != nil {
			return Advanced{}, c.unreachable(context.WithoutCancel(ctx), err)
		}
		if e.Advanced != nil {
			e.Advanced.Fired = fired
			return *e.Advanced, nil
		}
		observe(e)
	}
}

// stopEvery is how often an advance is asked to stop that may not have begun.
const stopEvery = 50 * time.Millisecond

// stopAdvance stops the advance when ctx ends, unless that is over before.
func (c *Client) stopAdvance(ctx context.Context, over <-chan struct{}) {
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	tick := time.NewTicker(stopEvery)
	defer tick.Stop()
	for {
		if _, err := quick[Time](context.WithoutCancel(ctx), c, http.MethodPost, "time/stop"); err == nil {
			return
		}
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
}
