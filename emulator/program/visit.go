package program

import (
	"strings"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/world"
)

// visit delivers a visit, an event in which a test's own function looks into an object.
func (p *Program) visit(s *wire.Stream) error {
	var q wire.Visit
	if err := wire.Decode(s.Message, &q); err != nil {
		return err
	}
	ns, err := p.w.NamespaceOf(q.Class)
	if err != nil {
		return err
	}
	object := ns.At(ns.Named(q.Object))
	if q.HasID {
		if object.Identity, err = ns.WithID(strings.ToLower(q.Object)); err != nil {
			return err
		}
	}
	return p.w.Deliver(&world.Delivery{
		Kind: world.KindVisit, Context: s.Context(), Program: p, Object: object,
		Handle: func(ev *world.Event, inst *world.Instance) error {
			m := &wire.Visited{Event: ev.Number(), Instance: inst.Number(), Visit: q.Visit}
			return p.Ask(inst, wire.MethodVisited, m, nil)
		},
		Ended: func(_ *world.Event, err error) {
			if err == nil {
				s.Answer(&wire.Empty{}, true) //nolint:errcheck // a lost program needs no answer
			}
		},
	})
}
