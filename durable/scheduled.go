package durable

import (
	"errors"
	"time"

	"devtool.internal/durable/wire"
)

// A ScheduledEvent is one run of a cron trigger.
type ScheduledEvent struct {
	// Cron is the expression as the configuration has it, to the letter: it says which
	// trigger this is.
	Cron string
	// ScheduledTime is when the trigger was due.
	ScheduledTime time.Time
}

// scheduled handles a run of a cron trigger.
func (p *program) scheduled(s *wire.Stream) error {
	var m wire.Scheduled
	if err := wire.Decode(s.Message, &m); err != nil {
		return err
	}
	if p.worker.Scheduled == nil {
		return errors.New("the worker has no Scheduled handler")
	}
	ctx, ev, end := p.begin(s, m.Event, nil)
	defer end()
	return ev.run(func() error {
		return p.worker.Scheduled(ctx, ScheduledEvent{Cron: m.Cron, ScheduledTime: time.UnixMilli(m.Time).UTC()}, p.env)
	})
}
