package emulator

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// listPage is about how many bytes of entries one answer to List carries.
const listPage = 1 << 20

// manner says how a question is served: at once, unless it waits for more than the disk. A timer
// is set before the event waits for anything, or the clock could go past it.
func manner(method wire.Method) wire.Manner {
	switch method {
	case wire.MethodHello, wire.MethodSubrequest, wire.MethodBackground, wire.MethodVisit, wire.MethodSleep, wire.MethodResume, wire.MethodBlock:
		return wire.Apart
	case wire.MethodTimer:
		return wire.InOrder
	}
	return wire.AtOnce
}

// notice takes what the program puts without waiting for an answer. It is written when the
// event's object is next used, or the event waits or ends.
func (p *program) notice(method wire.Method, message []byte) {
	var q wire.PutMany
	if method != wire.MethodWrite || wire.Decode(message, &q) != nil {
		p.e.log.Error(fmt.Sprintf("the program has sent a notice that is none (method %d)", method))
		return
	}
	if ev, err := p.event(q.Event); err == nil { // else it is over, and its writes are dropped
		ev.noticed.Lock()
		ev.puts = append(ev.puts, q.Entries...)
		ev.noticed.Unlock()
	}
}

// serve answers an operation of the program.
func (p *program) serve(s *wire.Stream) {
	var answer wire.Message
	var err error
	switch s.Method {
	case wire.MethodSubrequest:
		p.subrequest(s)
		return
	case wire.MethodTimer: // it is answered later
		p.startTimer(s)
		return
	case wire.MethodBackground:
		if err := p.runInBackground(s); err != nil {
			s.Fail(asWire(err))
		}
		return
	case wire.MethodVisit:
		if err := p.visit(s); err != nil {
			s.Fail(asWire(err))
		}
		return
	case wire.MethodGet:
		var q wire.Get
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			if err := ev.obj.ns.limits().checkKey(q.Key); err != nil {
				return nil, err
			}
			v, found, err := st.Get(q.Key)
			return &wire.Value{Found: found, Value: v}, err
		})
	case wire.MethodPut:
		var q wire.Put
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			if err := ev.obj.ns.limits().checkEntry(q.Key, q.Value); err != nil {
				return nil, err
			}
			return &wire.Empty{}, st.Put(q.Key, q.Value)
		})
	case wire.MethodDelete:
		var q wire.Delete
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			if err := ev.obj.ns.limits().checkKey(q.Key); err != nil {
				return nil, err
			}
			existed, err := st.Delete(q.Key)
			return &wire.Existed{Existed: existed}, err
		})
	case wire.MethodGetMany:
		var q wire.Keys
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			return ev.obj.ns.limits().getMany(st, q.Keys)
		})
	case wire.MethodPutMany:
		var q wire.PutMany
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			return &wire.Empty{}, ev.obj.ns.limits().putMany(st, q.Entries)
		})
	case wire.MethodWrite:
		var q wire.PutMany
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			return &wire.Empty{}, ev.obj.ns.limits().putEach(st, q.Entries)
		})
	case wire.MethodDeleteMany:
		var q wire.Keys
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			return ev.obj.ns.limits().deleteMany(st, q.Keys)
		})
	case wire.MethodList:
		var q wire.List
		answer, err = p.withStore(s, &q, &q.Event, func(_ *event, st *store.Object) (wire.Message, error) {
			return listEntries(st, &q)
		})
	case wire.MethodSetAlarm:
		var q wire.SetAlarm
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			return &wire.Empty{}, p.setAlarm(ev.obj, st, q)
		})
	case wire.MethodGetAlarm:
		answer, err = p.onStore(s, func(ev *event, st *store.Object) (wire.Message, error) {
			o := ev.obj
			if o.run != nil && !o.run.changed && !st.AlarmChanged() {
				return &wire.AlarmTime{}, nil // the one that runs is as good as gone
			}
			at, set, err := st.Alarm()
			return &wire.AlarmTime{Set: set, Time: at.UnixMilli()}, err
		})
	case wire.MethodDeleteAlarm:
		answer, err = p.onStore(s, func(_ *event, st *store.Object) (wire.Message, error) {
			return &wire.Empty{}, st.DeleteAlarm()
		})
	case wire.MethodDeleteAll:
		answer, err = p.onStore(s, func(ev *event, st *store.Object) (wire.Message, error) {
			if ev.obj.transactions > 0 {
				return nil, errors.New("everything can't be deleted within a transaction")
			}
			if err := st.DeleteAll(!p.e.deleteAllDeletesAlarm.Load()); err != nil {
				return nil, err
			}
			// As on the platform no abort brings back what was deleted.
			return &wire.Empty{}, ev.obj.commitOrReset(&ev.ticket)
		})
	case wire.MethodBegin:
		answer, err = p.onStore(s, func(ev *event, st *store.Object) (wire.Message, error) {
			return &wire.Empty{}, ev.obj.begin(st)
		})
	case wire.MethodCommit:
		answer, err = p.onStore(s, func(ev *event, st *store.Object) (wire.Message, error) {
			return &wire.Empty{}, ev.obj.commitTransaction(ev, st)
		})
	case wire.MethodRollback:
		answer, err = p.onStore(s, func(ev *event, st *store.Object) (wire.Message, error) {
			return &wire.Empty{}, ev.obj.rollbackTransaction(st)
		})
	case wire.MethodSync:
		answer, err = p.onStore(s, func(ev *event, _ *store.Object) (wire.Message, error) {
			return &wire.Empty{}, ev.obj.commitOrReset(&ev.ticket)
		})
	case wire.MethodExec:
		var q wire.Exec
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			return ev.exec(st, q.Query, q.Args)
		})
	case wire.MethodNextRows:
		var q wire.Cursor
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, st *store.Object) (wire.Message, error) {
			return ev.nextRows(st, q.Cursor)
		})
	case wire.MethodCloseRows:
		var q wire.Cursor
		answer, err = p.withStore(s, &q, &q.Event, func(ev *event, _ *store.Object) (wire.Message, error) {
			return &wire.Empty{}, ev.closeRows(q.Cursor)
		})
	case wire.MethodDatabaseSize:
		answer, err = p.onStore(s, func(ev *event, st *store.Object) (wire.Message, error) {
			if ev.obj.ns.keyValue.Load() {
				return nil, errNoSQL
			}
			n, err := st.DatabaseSize()
			return &wire.Size{Bytes: uint64(n)}, err
		})
	case wire.MethodSleep:
		var q wire.Sleep
		answer, err = p.withEvent(s, &q, &q.Event, func(ev *event) (wire.Message, error) {
			return &wire.Empty{}, ev.sleep(s.Context(), time.Duration(q.Duration))
		})
	case wire.MethodReset:
		var q wire.Reset
		answer, err = p.withEvent(s, &q, &q.Event, func(ev *event) (wire.Message, error) {
			if ev.obj != nil {
				ev.obj.abort(ev.currentStep(), ev.instance(), &wire.Error{Message: q.Reason, Remote: true}, q.DropAlarm)
			}
			return &wire.Empty{}, nil
		})
	case wire.MethodNow, wire.MethodPause, wire.MethodResume, wire.MethodBlock, wire.MethodUnblock:
		var q wire.Operation
		answer, err = p.withEvent(s, &q, &q.Event, func(ev *event) (wire.Message, error) {
			return ev.operate(s.Method)
		})
	default:
		err = fmt.Errorf("unknown method %d", s.Method)
	}
	if err != nil {
		s.Fail(asWire(err))
		return
	}
	s.Answer(answer, true) //nolint:errcheck // the program is gone; so is the question
}

// withEvent decodes the question of s into q, and calls f with the event that its field
// number names.
func (p *program) withEvent(s *wire.Stream, q wire.Message, number *uint64, f func(*event) (wire.Message, error)) (wire.Message, error) {
	if err := wire.Decode(s.Message, q); err != nil {
		return nil, err
	}
	ev, err := p.event(*number)
	if err != nil {
		return nil, err
	}
	return f(ev)
}

// withStore is withEvent for an operation on the storage of the event's object.
func (p *program) withStore(s *wire.Stream, q wire.Message, number *uint64, f func(*event, *store.Object) (wire.Message, error)) (wire.Message, error) {
	return p.withEvent(s, q, number, func(ev *event) (answer wire.Message, err error) {
		if ev.obj == nil {
			return nil, fmt.Errorf("the worker has no storage; only objects do")
		}
		err = ev.obj.use(ev, func(st *store.Object) (err error) {
			answer, err = f(ev, st)
			return err
		})
		return answer, err
	})
}

// onStore is withStore for a question that is an Operation.
func (p *program) onStore(s *wire.Stream, f func(*event, *store.Object) (wire.Message, error)) (wire.Message, error) {
	var q wire.Operation
	return p.withStore(s, &q, &q.Event, f)
}

func listEntries(st *store.Object, q *wire.List) (wire.Message, error) {
	entries, more, err := st.List(store.ListOptions{
		Start:         q.Start,
		HasStart:      q.HasStart,
		StartAfter:    q.StartAfter,
		HasStartAfter: q.HasStartAfter,
		End:           q.End,
		HasEnd:        q.HasEnd,
		Prefix:        q.Prefix,
		Reverse:       q.Reverse,
		Limit:         int(min(q.Limit, math.MaxInt32)),
	}, listPage)
	if err != nil {
		return nil, err
	}
	answer := &wire.Listed{Entries: make([]wire.Entry, len(entries)), More: more}
	for i, e := range entries {
		answer.Entries[i] = wire.Entry{Key: e.Key, Value: e.Value}
	}
	return answer, nil
}

// setAlarm sets the alarm of o, whose storage is in use.
func (p *program) setAlarm(o *object, st *store.Object, q wire.SetAlarm) error {
	class := o.ns.class
	o.mu.Lock()
	constructing := o.turn != nil && o.turn.ev != nil && o.turn.ev.constructing
	o.mu.Unlock()
	// The platform does not look for the handler while the object is being made.
	if !p.classes[class].Alarm && !constructing {
		return fmt.Errorf("class %s has no Alarm method, so there is nothing that an alarm could call", class)
	}
	return o.setAlarm(st, time.UnixMilli(q.Time))
}

// operate carries out the operations that have no arguments and no storage.
func (ev *event) operate(method wire.Method) (wire.Message, error) {
	switch method {
	case wire.MethodNow:
		return &wire.Time{Time: ev.prog.e.clock.Now().UnixMilli()}, nil
	case wire.MethodPause:
		return &wire.Empty{}, ev.pause(context.Background())
	case wire.MethodResume:
		// Not ev.ctx: a canceled handler needs its turn to come to its end.
		return &wire.Empty{}, ev.resume(context.Background())
	}
	if ev.obj == nil {
		return nil, fmt.Errorf("the worker has no turn to keep")
	}
	// Both are the end of a turn as far as writes are concerned: what was written before
	// outlives a block that fails, and what a good block wrote a later abort. (Seen in workerd.)
	if err := ev.obj.use(ev, func(*store.Object) error { return ev.obj.commitOrReset(&ev.ticket) }); err != nil {
		return nil, err
	}
	if method == wire.MethodBlock {
		return &wire.Empty{}, ev.obj.block(ev)
	}
	return &wire.Empty{}, ev.obj.unblock(ev)
}
