package emulator

import (
	"strings"

	"devtool.internal/durable/wire"
)

// visit makes an event of an object of a question of the program's own: a test looks into the object.
func (p *program) visit(s *wire.Stream) error {
	var q wire.Visit
	if err := wire.Decode(s.Message, &q); err != nil {
		return err
	}
	ns, err := p.w.namespaceOf(q.Class)
	if err != nil {
		return err
	}
	object := address{ns, ns.named(q.Object)}
	if q.HasID {
		if object.identity, err = ns.withID(strings.ToLower(q.Object)); err != nil {
			return err
		}
	}
	return p.w.deliver(&delivery{
		kind: "visit", ctx: s.Context(), prog: p, object: &object,
		handle: func(ev *event, inst *instance) error {
			return p.Ask(inst, wire.MethodVisited, &wire.Visited{Event: ev.Number(), Instance: inst.Number(), Visit: q.Visit})
		},
		ended: func(_ *event, err error) {
			if err == nil {
				s.Answer(&wire.Empty{}, true) //nolint:errcheck // the program is gone; so is the question
			}
		},
	})
}
