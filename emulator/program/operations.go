package program

import (
	"fmt"
	"math"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
	"devtool.internal/emulator/world"
)

// An operation says how the emulator serves a method of the protocol.
type operation struct {
	// manner is wire.Inline unless the operation waits for something besides the disk.
	manner wire.Manner
	// serve answers the question on the stream, perhaps much later.
	serve func(*Program, *wire.Stream)
}

// operations are all methods that a program may call once it has introduced itself.
var operations = map[wire.Method]operation{
	wire.MethodGet: ask(func(ev *world.Event, q *wire.Get) (wire.Message, error) {
		value, found, err := ev.Get(q.Key)
		return &wire.Value{Found: found, Value: value}, err
	}),
	wire.MethodPut: do(func(ev *world.Event, q *wire.Put) error { return ev.Put(q.Key, q.Value) }),
	wire.MethodDelete: ask(func(ev *world.Event, q *wire.Delete) (wire.Message, error) {
		existed, err := ev.Delete(q.Key)
		return &wire.Existed{Existed: existed}, err
	}),
	wire.MethodGetMany: ask(func(ev *world.Event, q *wire.Keys) (wire.Message, error) { return ev.GetMany(q.Keys) }),
	wire.MethodPutMany: do(func(ev *world.Event, q *wire.PutMany) error { return ev.PutMany(q.Entries) }),
	wire.MethodPutPart: do(func(ev *world.Event, q *wire.PutMany) error { return ev.PutPart(q.Entries) }),
	wire.MethodWrite:   do(func(ev *world.Event, q *wire.PutMany) error { return ev.PutEach(q.Entries) }),
	wire.MethodDeleteMany: ask(func(ev *world.Event, q *wire.Keys) (wire.Message, error) {
		return ev.DeleteMany(q.Keys)
	}),
	wire.MethodList: ask(func(ev *world.Event, q *wire.List) (wire.Message, error) {
		return ev.List(listOptions(q))
	}),
	wire.MethodDeleteAll: plain((*world.Event).DeleteAll),
	wire.MethodSync:      {wire.Inline, (*Program).sync},

	wire.MethodSetAlarm: do(func(ev *world.Event, q *wire.SetAlarm) error {
		return ev.SetAlarm(time.UnixMilli(q.Time))
	}),
	wire.MethodGetAlarm: ask(func(ev *world.Event, _ *wire.Operation) (wire.Message, error) {
		at, set, err := ev.GetAlarm()
		return &wire.AlarmTime{Set: set, Time: at.UnixMilli()}, err
	}),
	wire.MethodDeleteAlarm: plain((*world.Event).DeleteAlarm),

	wire.MethodBegin:    plain((*world.Event).Begin),
	wire.MethodCommit:   plain((*world.Event).Commit),
	wire.MethodRollback: plain((*world.Event).Rollback),

	wire.MethodExec: ask(func(ev *world.Event, q *wire.Exec) (wire.Message, error) { return ev.Exec(q.Query, q.Args) }),
	wire.MethodNextRows: ask(func(ev *world.Event, q *wire.Cursor) (wire.Message, error) {
		return ev.NextRows(q.Cursor)
	}),
	wire.MethodCloseRows: do(func(ev *world.Event, q *wire.Cursor) error { return ev.CloseRows(q.Cursor) }),
	wire.MethodDatabaseSize: ask(func(ev *world.Event, _ *wire.Operation) (wire.Message, error) {
		bytes, err := ev.DatabaseSize()
		return &wire.Size{Bytes: uint64(bytes)}, err
	}),

	wire.MethodNow:     {wire.Inline, (*Program).now},
	wire.MethodPause:   plain((*world.Event).Yield),
	wire.MethodResume:  plain((*world.Event).Retake).waits(),
	wire.MethodBlock:   plain((*world.Event).Block).waits(),
	wire.MethodUnblock: plain((*world.Event).Unblock),
	wire.MethodReset: do(func(ev *world.Event, q *wire.Reset) error {
		ev.Abort(q.Reason, q.DropAlarm, q.OfBlock)
		return nil
	}),

	wire.MethodSleep:      {wire.Concurrent, (*Program).sleep},
	wire.MethodTimer:      {wire.InOrder, (*Program).startTimer}, // otherwise the clock could go past it
	wire.MethodWait:       {wire.InOrder, (*Program).wait},       // a Wake may follow
	wire.MethodSubrequest: {wire.Concurrent, (*Program).subrequest},
	wire.MethodBackground: {wire.Concurrent, failing((*Program).runInBackground)},
	wire.MethodVisit:      {wire.Concurrent, failing((*Program).visit)},
}

// waits returns op as one that may wait for long.
func (op operation) waits() operation {
	op.manner = wire.Concurrent
	return op
}

// ask returns an operation of an event that f answers.
func ask[Q any, P interface {
	*Q
	wire.Asking
}](f func(*world.Event, P) (wire.Message, error)) operation {
	return operation{wire.Inline, func(p *Program, s *wire.Stream) {
		var q Q
		ev, err := p.asker(s, P(&q))
		var answer wire.Message
		if err == nil {
			answer, err = f(ev, &q)
		}
		reply(s, answer, err)
	}}
}

// do returns an operation of an event that has no answer but its error.
func do[Q any, P interface {
	*Q
	wire.Asking
}](f func(*world.Event, P) error) operation {
	return ask(func(ev *world.Event, q P) (wire.Message, error) { return &wire.Empty{}, f(ev, q) })
}

// plain returns an operation that has no arguments either.
func plain(f func(*world.Event) error) operation {
	return do(func(ev *world.Event, _ *wire.Operation) error { return f(ev) })
}

// failing returns a serve function from f, which answers by itself unless it fails.
func failing(f func(*Program, *wire.Stream) error) func(*Program, *wire.Stream) {
	return func(p *Program, s *wire.Stream) {
		if err := f(p, s); err != nil {
			s.Fail(world.WireError(err))
		}
	}
}

// asker decodes the question of s into q, and returns the event whose handler asks.
func (p *Program) asker(s *wire.Stream, q wire.Asking) (*world.Event, error) {
	if err := wire.Decode(s.Message, q); err != nil {
		p.broke("a question does not decode: %v (%s)", err, s.Method)
		return nil, err
	}
	return p.event(q.Asker())
}

// reply answers s. If that fails, the program is lost and needs no answer.
func reply(s *wire.Stream, answer wire.Message, err error) {
	if err != nil {
		s.Fail(world.WireError(err))
		return
	}
	s.Answer(answer, true) //nolint:errcheck // see above
}

// manner returns how a method is served.
func manner(method wire.Method) wire.Manner {
	if op, ok := operations[method]; ok {
		return op.manner
	}
	if method == wire.MethodHello {
		return wire.Concurrent // it lasts as long as the connection
	}
	return wire.Inline
}

// serve serves an operation of the program.
func (p *Program) serve(s *wire.Stream) {
	op, ok := operations[s.Method]
	if !ok {
		p.broke("it has asked a question that the protocol does not have (%s)", s.Method)
		s.Fail(world.WireError(fmt.Errorf("unknown method %d", s.Method)))
		return
	}
	op.serve(p, s)
}

// notices are all notices that a program may send.
var notices = map[wire.Method]func(*Program, []byte) error{
	wire.MethodWrite: notice((*Program).write),
	wire.MethodWake:  notice((*Program).wake),
	wire.MethodLog:   notice((*Program).log),
}

// notice returns serve as notices have it: it decodes the message first.
func notice[M any, P interface {
	*M
	wire.Message
}](serve func(*Program, P)) func(*Program, []byte) error {
	return func(p *Program, message []byte) error {
		m := P(new(M))
		err := wire.Decode(message, m)
		if err == nil {
			serve(p, m)
		}
		return err
	}
}

// notice receives what the program sends without waiting for an answer.
func (p *Program) notice(method wire.Method, message []byte) {
	serve, ok := notices[method]
	if !ok {
		p.broke("it has sent a notice that the protocol does not have (%s)", method)
		return
	}
	if err := serve(p, message); err != nil {
		p.broke("a notice does not decode: %v (%s)", err, method)
	}
}

// write takes puts. If their event is over, they are dropped.
func (p *Program) write(q *wire.PutMany) {
	if ev, err := p.event(q.Event); err == nil && ev.Write(q.Entries) > wire.MaxNotedPuts {
		p.conn.Break(tooManyPuts(q.Event))
	}
}

// now answers what time it is. A handler whose event is over, because its object was reset, must
// not see another clock.
func (p *Program) now(s *wire.Stream) {
	var q wire.Operation
	if err := wire.Decode(s.Message, &q); err != nil {
		reply(s, nil, err)
		return
	}
	p.event(q.Event) //nolint:errcheck // it counts the operation, if the event is not over
	reply(s, &wire.Time{Time: p.w.Clock().Now().UnixMilli()}, nil)
}

// sync commits what an event has written. The answer waits until the event has its turn again.
func (p *Program) sync(s *wire.Stream) {
	var q wire.Operation
	ev, err := p.asker(s, &q)
	var wait func() error
	if err == nil {
		wait, err = ev.Sync()
	}
	if wait == nil {
		reply(s, &wire.Empty{}, err)
		return
	}
	go func() { reply(s, &wire.Empty{}, wait()) }()
}

// sleep makes an event wait for the clock.
func (p *Program) sleep(s *wire.Stream) {
	var q wire.Sleep
	answer := func(err error) { reply(s, &wire.Empty{}, err) }
	ev, err := p.asker(s, &q)
	if err != nil {
		answer(err)
		return
	}
	ev.Sleep(s.Context(), time.Duration(q.Duration), answer)
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
