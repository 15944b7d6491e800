package emulator

import (
	"context"
	"fmt"
	"math"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// An operation is how the emulator serves a method of the protocol that a program asks for.
type operation struct {
	// manner is wire.Inline unless the operation waits for more than the disk.
	manner wire.Manner
	// serve answers the question, perhaps much later.
	serve func(*program, *wire.Stream)
}

// operations are all methods that a program may ask for once it has introduced itself.
var operations = map[wire.Method]operation{
	wire.MethodGet: ask(func(ev *event, q *wire.Get) (wire.Message, error) {
		value, found, err := ev.Get(q.Key)
		return &wire.Value{Found: found, Value: value}, err
	}),
	wire.MethodPut: do(func(ev *event, q *wire.Put) error { return ev.Put(q.Key, q.Value) }),
	wire.MethodDelete: ask(func(ev *event, q *wire.Delete) (wire.Message, error) {
		existed, err := ev.Delete(q.Key)
		return &wire.Existed{Existed: existed}, err
	}),
	wire.MethodGetMany: ask(func(ev *event, q *wire.Keys) (wire.Message, error) { return ev.GetMany(q.Keys) }),
	wire.MethodPutMany: do(func(ev *event, q *wire.PutMany) error { return ev.PutMany(q.Entries) }),
	wire.MethodWrite:   do(func(ev *event, q *wire.PutMany) error { return ev.PutEach(q.Entries) }),
	wire.MethodDeleteMany: ask(func(ev *event, q *wire.Keys) (wire.Message, error) {
		return ev.DeleteMany(q.Keys)
	}),
	wire.MethodList:      ask(func(ev *event, q *wire.List) (wire.Message, error) { return ev.List(listOptions(q)) }),
	wire.MethodDeleteAll: plain((*event).DeleteAll),
	wire.MethodSync:      plain((*event).Sync),

	wire.MethodSetAlarm: do(func(ev *event, q *wire.SetAlarm) error { return ev.SetAlarm(time.UnixMilli(q.Time)) }),
	wire.MethodGetAlarm: ask(func(ev *event, _ *wire.Operation) (wire.Message, error) {
		at, set, err := ev.GetAlarm()
		return &wire.AlarmTime{Set: set, Time: at.UnixMilli()}, err
	}),
	wire.MethodDeleteAlarm: plain((*event).DeleteAlarm),

	wire.MethodBegin:    plain((*event).Begin),
	wire.MethodCommit:   plain((*event).Commit),
	wire.MethodRollback: plain((*event).Rollback),

	wire.MethodExec: ask(func(ev *event, q *wire.Exec) (wire.Message, error) { return ev.Exec(q.Query, q.Args) }),
	wire.MethodNextRows: ask(func(ev *event, q *wire.Cursor) (wire.Message, error) {
		return ev.NextRows(q.Cursor)
	}),
	wire.MethodCloseRows: do(func(ev *event, q *wire.Cursor) error { return ev.CloseRows(q.Cursor) }),
	wire.MethodDatabaseSize: ask(func(ev *event, _ *wire.Operation) (wire.Message, error) {
		bytes, err := ev.DatabaseSize()
		return &wire.Size{Bytes: uint64(bytes)}, err
	}),

	wire.MethodNow: ask(func(ev *event, _ *wire.Operation) (wire.Message, error) {
		return &wire.Time{Time: ev.Now().UnixMilli()}, nil
	}),
	wire.MethodPause:   plain(func(ev *event) error { return ev.pause(context.Background()) }),
	wire.MethodResume:  plain(func(ev *event) error { return ev.resume(context.Background()) }).waits(),
	wire.MethodBlock:   plain((*event).Block).waits(),
	wire.MethodUnblock: plain((*event).Unblock),
	wire.MethodReset: do(func(ev *event, q *wire.Reset) error {
		ev.Abort(q.Reason, q.DropAlarm)
		return nil
	}),

	wire.MethodSleep:      operation{wire.Concurrent, (*program).sleep},
	wire.MethodTimer:      operation{wire.InOrder, (*program).startTimer}, // or the clock could go past it
	wire.MethodSubrequest: operation{wire.Concurrent, (*program).subrequest},
	wire.MethodBackground: operation{wire.Concurrent, failing((*program).runInBackground)},
	wire.MethodVisit:      operation{wire.Concurrent, failing((*program).visit)},
}

// waits returns op for a handler that may wait for long.
func (op operation) waits() operation {
	op.manner = wire.Concurrent
	return op
}

// ask is an operation of an event that f answers.
func ask[Q any, P interface {
	*Q
	wire.Asking
}](f func(*event, P) (wire.Message, error)) operation {
	return operation{wire.Inline, func(p *program, s *wire.Stream) {
		var q Q
		ev, err := p.asker(s, P(&q))
		var answer wire.Message
		if err == nil {
			answer, err = f(ev, &q)
		}
		reply(s, answer, err)
	}}
}

// do is an operation of an event that has no answer but its error.
func do[Q any, P interface {
	*Q
	wire.Asking
}](f func(*event, P) error) operation {
	return ask(func(ev *event, q P) (wire.Message, error) { return &wire.Empty{}, f(ev, q) })
}

// plain is an operation that has no arguments either.
func plain(f func(*event) error) operation {
	return do(func(ev *event, _ *wire.Operation) error { return f(ev) })
}

// failing is an operation that answers by itself, unless it fails.
func failing(f func(*program, *wire.Stream) error) func(*program, *wire.Stream) {
	return func(p *program, s *wire.Stream) {
		if err := f(p, s); err != nil {
			s.Fail(asWire(err))
		}
	}
}

// asker decodes the question of s into q, and returns the event whose handler asks it.
func (p *program) asker(s *wire.Stream, q wire.Asking) (*event, error) {
	if err := wire.Decode(s.Message, q); err != nil {
		return nil, err
	}
	return p.event(q.Asker())
}

// reply answers s. If that fails, the program is gone, and so is the question.
func reply(s *wire.Stream, answer wire.Message, err error) {
	if err != nil {
		s.Fail(asWire(err))
		return
	}
	s.Answer(answer, true) //nolint:errcheck // see above
}

// manner says how a question is served.
func manner(method wire.Method) wire.Manner {
	if op, ok := operations[method]; ok {
		return op.manner
	}
	if method == wire.MethodHello {
		return wire.Concurrent // it lasts as long as the connection
	}
	return wire.Inline
}

// serve answers an operation of the program.
func (p *program) serve(s *wire.Stream) {
	op, ok := operations[s.Method]
	if !ok {
		s.Fail(asWire(fmt.Errorf("unknown method %d", s.Method)))
		return
	}
	op.serve(p, s)
}

// notice takes what the program puts without waiting for an answer.
func (p *program) notice(method wire.Method, message []byte) {
	var q wire.PutMany
	if method != wire.MethodWrite || wire.Decode(message, &q) != nil {
		p.host.log.Error(fmt.Sprintf("the program has sent an invalid notice (method %d)", method))
		return
	}
	if ev, err := p.event(q.Event); err == nil { // else it is over, and its writes are dropped
		ev.Write(q.Entries)
	}
}

// sleep lets an event wait for the clock.
func (p *program) sleep(s *wire.Stream) {
	var q wire.Sleep
	ev, err := p.asker(s, &q)
	if err == nil {
		err = ev.sleep(s.Context(), time.Duration(q.Duration))
	}
	reply(s, &wire.Empty{}, err)
}

func listOptions(q *wire.List) store.ListOptions {
	return store.ListOptions{
		Start:         q.Start,
		HasStart:      q.HasStart,
		StartAfter:    q.StartAfter,
		HasStartAfter: q.HasStartAfter,
		End:           q.End,
		HasEnd:        q.HasEnd,
		Prefix:        q.Prefix,
		Reverse:       q.Reverse,
		Limit:         int(min(q.Limit, math.MaxInt32)),
	}
}
