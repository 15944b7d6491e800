package program

import (
	"errors"
	"fmt"

	"devtool.internal/durable/wire"
)

// brokenProtocol begins a message about a rule of the protocol that a program has broken. The
// author of an SDK reads on in package wire.
const brokenProtocol = "the handler program has broken the protocol"

// brokeProtocol reports whether the connection has ended because the program has broken a rule.
func (p *Program) brokeProtocol() bool {
	v := (*wire.Violation)(nil)
	return errors.As(p.conn.Err(), &v)
}

// maxBroken is how many different rules the log names for one program.
const maxBroken = 20

// broke logs, once, which rule the program has broken. The program goes on: only the question or
// notice has failed.
func (p *Program) broke(format string, args ...any) {
	rule := fmt.Sprintf(format, args...)
	p.mu.Lock()
	known := p.broken[rule] || len(p.broken) >= maxBroken
	if !known {
		if p.broken == nil {
			p.broken = make(map[string]bool)
		}
		p.broken[rule] = true
	}
	p.mu.Unlock()
	if !known {
		p.host.Log.Error(brokenProtocol + ": " + rule)
	}
}

// cut returns the beginning of text, at most limit bytes, and says how much is missing.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return fmt.Sprintf("%s… (%d more bytes)", text[:limit], len(text)-limit)
}

// tooManyPuts is the rule that an event has broken which puts by notices alone.
func tooManyPuts(event uint64) string {
	return fmt.Sprintf("event %d has put more than %d MiB by notices without a question in between (%s)",
		event, wire.MaxNotedPuts>>20, wire.MethodWrite)
}
