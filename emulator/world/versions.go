package world

import (
	"context"
	"maps"
	"slices"
)

// After a reload, two versions of the program run for a while: the new one serves, and the old one
// ends its events. An object is in one of them at a time. It moves to the next version when no
// event of the one before uses it any more. So it never has two instances at once.
//
// An event that another one calls runs in the version that serves, unless its object is still in
// the version of an event in its chain of calls. Such an event may wait for this one, and would not
// let the object go.

// An occupancy says which version of the program an object is in. The object's mu guards it.
type occupancy struct {
	prog  Program // whose events use the object
	users int     // how many these are, from arrive to depart
	line  []*arrival
}

// An arrival is an event that waits for its object to leave another version of the program. It
// waits ahead of the queue for the turn, and then takes its place there.
type arrival struct {
	ev       *Event
	admitted chan struct{} // closed when place and err are set
	place    *waiter       // in the queue; nil if the event has the turn, or err is set
	err      error
}

// versionFor returns the program in which an event runs that another event has called. It returns
// nil if the event has to enter the program that serves.
func (w *World) versionFor(d *Delivery) Program {
	serves := w.programs.Running() == d.Program
	mixed := false // several versions take part in the chain of calls
	for ev := d.Caller; ev != nil; ev = ev.callerEvent() {
		mixed = mixed || ev.prog != d.Program
	}
	if d.Object == nil || serves && !mixed {
		return d.Program
	}
	if prog := d.versionOfObject(); prog != nil {
		return prog
	}
	if serves {
		return d.Program
	}
	return nil
}

// versionOfObject returns the program that the object is in, if an event in the chain of calls runs
// there, too, or else nil.
func (d *Delivery) versionOfObject() Program {
	ns := d.Object.ns
	ns.mu.Lock()
	o := ns.objects[d.Object.id]
	ns.mu.Unlock()
	if o == nil {
		return nil
	}
	o.mu.Lock()
	prog, users := o.occupancy.prog, o.occupancy.users
	o.mu.Unlock()
	if users == 0 || prog.Lost() {
		return nil
	}
	for ev := d.Caller; ev != nil; ev = ev.callerEvent() {
		if ev.prog == prog {
			return prog
		}
	}
	return nil
}

// arrive makes ev use its object. If the object is in another version, it returns the event's place
// in line. The caller calls depart when the event is over.
func (o *object) arrive(ev *Event) *arrival {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := &o.occupancy
	if c.prog != ev.prog && c.prog != nil && c.prog.Lost() {
		c.prog, c.users = nil, 0 // its events end by themselves
	}
	if c.prog == ev.prog || c.users == 0 && len(c.line) == 0 {
		c.prog = ev.prog
		c.users++
		ev.arrived = true
		return nil
	}
	a := &arrival{ev: ev, admitted: make(chan struct{})}
	c.line = append(c.line, a)
	o.admitLocked()
	return a
}

// depart undoes arrive.
func (o *object) depart(ev *Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := &o.occupancy
	if !ev.arrived || c.prog != ev.prog {
		return
	}
	if c.users--; c.users == 0 {
		o.admitLocked()
	}
}

// admitLocked lets events of the next version in, in the order in which they came.
func (o *object) admitLocked() {
	c := &o.occupancy
	for len(c.line) > 0 && (c.users == 0 || c.prog == c.line[0].ev.prog) {
		a := c.line[0]
		c.line = c.line[1:]
		c.prog = a.ev.prog
		c.users++
		a.ev.arrived = true
		a.place, a.err = o.enqueueLocked(a.ev.ctx, &a.ev.ticket)
		close(a.admitted)
	}
}

// takeFirstTurn waits until the object is in the event's version, and for its turn.
func (ev *Event) takeFirstTurn() error {
	o := ev.obj
	a := o.arrive(ev)
	if a == nil {
		w, err := o.enqueue(ev.ctx, &ev.ticket)
		if w == nil {
			return err
		}
		ev.start.Leave()
		return o.await(ev.ctx, w)
	}
	ev.start.Leave()
	select {
	case <-a.admitted:
	case <-ev.ctx.Done():
		if o.giveUp(a) {
			return context.Cause(ev.ctx)
		}
	}
	if a.place == nil {
		return a.err
	}
	return o.await(ev.ctx, a.place)
}

// giveUp removes an arrival from the line. It returns false if the arrival was admitted before.
func (o *object) giveUp(a *arrival) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.ev.arrived {
		return false
	}
	c := &o.occupancy
	c.line = slices.DeleteFunc(c.line, func(other *arrival) bool { return other == a })
	return true
}

// InLine returns how many events wait for their objects to leave another version of the program.
func (w *World) InLine() (n int) {
	for _, ns := range w.currentNamespaces() {
		ns.mu.Lock()
		objects := slices.Collect(maps.Values(ns.objects))
		ns.mu.Unlock()
		for _, o := range objects {
			o.mu.Lock()
			n += len(o.occupancy.line)
			o.mu.Unlock()
		}
	}
	return n
}
