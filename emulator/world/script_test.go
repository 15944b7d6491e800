package world

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// scripts are the Programs of a world under test. They hold the script that serves.
type scripts struct {
	// mu guards what follows. changed is closed and replaced when any of it changes.
	mu      sync.Mutex
	changed chan struct{}
	current *scriptRun
	ended   bool
}

var _ Programs = (*scripts)(nil)

func newScripts() *scripts { return &scripts{changed: make(chan struct{})} }

func (p *scripts) Enter(ctx context.Context, _ Entry) (Program, error) {
	for {
		p.mu.Lock()
		current, ended, changed := p.current, p.ended, p.changed
		p.mu.Unlock()
		switch {
		case ended:
			return nil, ErrEnding
		case current != nil && !current.Lost():
			return current, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (p *scripts) Stay(Program)  {}
func (p *scripts) Leave(Program) {}

func (p *scripts) Running() Program {
	if r := p.serving(); r != nil {
		return r
	}
	return nil
}

func (p *scripts) Missing() string { return "" }

func (p *scripts) serving() *scriptRun {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (p *scripts) set(r *scriptRun, ended bool) (before *scriptRun) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before = p.current
	p.current, p.ended = r, ended
	close(p.changed)
	p.changed = make(chan struct{})
	return before
}

// swap makes r serve, in place of the run before it.
func (p *scripts) swap(r *scriptRun) {
	if before := p.set(r, false); before != nil {
		before.lose(errReplacedScript)
	}
}

// drop ends the serving script as a crash does.
func (p *scripts) drop() { p.set(nil, false).lose(errCrashedScript) }

func (p *scripts) end() {
	if r := p.set(nil, true); r != nil {
		r.lose(ErrEnding)
	}
}

// The events of a lost script fail with this error.
var (
	errCrashedScript = &wire.Error{
		Message: "the handler program has closed its connection", Reset: true, Retryable: true,
	}
	errReplacedScript = &wire.Error{
		Message: "Durable Object reset because its code was updated.", Reset: true, Retryable: true,
	}
)

// A script is a handler program in the test's own process. Its worker passes every request on to an
// object of class Lab, unless there is a handler "worker". What the objects do is up to handlers. A
// script shows that a world needs no process.
type script struct {
	// handlers answer requests by path. Three names are not paths: "alarm" runs an alarm,
	// "scheduled" a cron trigger, and "construct" makes an instance.
	handlers map[string]func(*call) (string, error)
	// failing, unless it is nil, is called before a handler fails because the script is gone.
	failing func(*call)
	// asked, unless it is nil, is called when the program takes a question, such as "alarm".
	asked func(name string, inst *Instance)
	// told, unless it is nil, is called when a caller has learned that its request has failed.
	told func(path string)

	mu        sync.Mutex
	log       []string // what happened, in order
	names     map[uint64]string
	destroyed []string // names of the destroyed instances
	forgotten int      // number of requests to forget the cache

	jurisdictions []string // of the constructed instances
}

// A scriptRun is one run of a script, as a process is one run of a program: it serves one world
// until it is lost. What handlers of a lost run still do does not affect the next run.
type scriptRun struct {
	*script
	w    *World
	gone context.Context // ends when the run is lost
	lose context.CancelCauseFunc
}

var _ Program = (*scriptRun)(nil)

func newScript(handlers map[string]func(*call) (string, error)) *script {
	return &script{handlers: handlers, names: make(map[uint64]string)}
}

// serve starts a run of s that serves w.
func (s *script) serve(w *World) *scriptRun {
	r := &scriptRun{script: s, w: w}
	r.gone, r.lose = context.WithCancelCause(context.Background())
	return r
}

func (s *script) Class(name string) (wire.Class, bool) {
	return wire.Class{Name: name, Fetch: true, Alarm: name == "Lab"}, name == "Lab" || name == "Mute"
}

func (s *script) Scheduled() bool     { return s.handlers["scheduled"] != nil }
func (r *scriptRun) Lost() bool       { return r.gone.Err() != nil }
func (s *script) Attached() bool      { return false }
func (s *script) Stack(*Event) string { return "" }

// Responds gives the goroutines of handlers time, as the answer of a process does.
func (s *script) Responds() bool {
	spin()
	return true
}

func (s *script) Spared(time.Duration) bool { return false }

func (s *script) Destroy(inst *Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.destroyed = append(s.destroyed, s.names[inst.Number()])
}

func (s *script) Forget(*Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten++
}

// Ask runs the handler for m.
func (r *scriptRun) Ask(inst *Instance, _ wire.Method, m wire.Message, sent func()) error {
	c := &call{run: r, instance: inst.Number()}
	var name string
	switch m := m.(type) {
	case *wire.Construct:
		r.mu.Lock()
		r.names[m.Instance] = m.Name
		r.jurisdictions = append(r.jurisdictions, m.Jurisdiction)
		r.mu.Unlock()
		c.event, name = m.Event, "construct"
	case *wire.Alarm:
		c.event, c.alarm, name = m.Event, *m, "alarm"
	case *wire.Scheduled:
		c.event, c.cron, name = m.Event, *m, "scheduled"
	default:
		return fmt.Errorf("the script does not know %T", m)
	}
	if r.Lost() {
		return context.Cause(r.gone)
	}
	if r.asked != nil {
		r.asked(name, inst)
	}
	if sent != nil {
		sent()
	}
	f := r.handlers[name]
	if f == nil && name == "construct" {
		return nil
	}
	_, err := r.run(inst, c, f)
	return err
}

// run runs a handler. It returns when the handler does, or when its instance or the script is gone.
func (r *scriptRun) run(inst *Instance, c *call, f func(*call) (string, error)) (string, error) {
	ev, err := r.w.Ask(r, c.event)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	c.object = r.names[c.instance]
	r.mu.Unlock()
	c.ctx, c.canceled = r.gone, ev.Context().Done()
	if f == nil {
		return "", remote(fmt.Errorf("no handler for %s", c.path))
	}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := f(c)
		done <- result{text, err}
	}()
	var res result
	select {
	case res = <-done:
	case <-inst.Context().Done():
	case <-r.gone.Done():
	}
	switch {
	case inst.Context().Err() != nil: // the error of a reset replaces the handler's own
		return "", context.Cause(inst.Context())
	case r.Lost(): // so does that of a crash
		if r.failing != nil {
			r.failing(c)
		}
		return "", context.Cause(r.gone)
	}
	return res.text, remote(res.err)
}

// remote converts the error of a handler into an error of the protocol.
func remote(err error) error {
	if err == nil {
		return nil
	}
	var w *wire.Error
	if !errors.As(err, &w) {
		w = &wire.Error{Message: err.Error(), Remote: true}
	}
	return w
}

// work is what the worker does: it passes the request on to the object.
func (r *scriptRun) work(ev *Event, name, path string) (string, error) {
	if f := r.handlers["worker"]; f != nil {
		return r.run(ev.workerInstance(), &call{run: r, event: ev.Number(), path: path}, f)
	}
	return r.fetch(ev.Context(), ev, name, path)
}

// workerInstance stands for the worker, which has no instance.
func (ev *Event) workerInstance() *Instance { return workerInstance }

// fetch sends a request of the handler of caller to an object.
func (r *scriptRun) fetch(ctx context.Context, caller *Event, name, path string) (string, error) {
	class := "Lab"
	if rest, ok := strings.CutPrefix(name, "mute:"); ok {
		name, class = rest, "Mute"
	}
	ns := r.w.currentNamespaces()[class]
	return r.fetchAt(ctx, caller, ns.At(ns.Named(name)), path)
}

func (r *scriptRun) fetchAt(ctx context.Context, caller *Event, to *Address, path string) (text string, err error) {
	if err := caller.Pause(ctx); err != nil {
		return "", err
	}
	goOn := func(ev *Event) error {
		ev.Answered(caller)
		return caller.ResumeFor(ctx, ev)
	}
	answered, started := false, time.Now()
	failure := r.w.Deliver(&Delivery{
		Kind: "fetch", Context: ctx, Program: r, Object: to, Caller: caller,
		Request: &wire.Request{Method: "GET", URL: "http://lab" + path},
		Handle: func(ev *Event, inst *Instance) (err error) {
			c := &call{run: r, event: ev.Number(), instance: inst.Number(), path: path}
			if text, err = r.run(inst, c, r.handlers[path]); err != nil {
				return err
			}
			if err := ev.Finish(); err != nil {
				return err
			}
			answered = true
			err = goOn(ev)
			ev.Complete()
			return err
		},
		Ended: func(ev *Event, failed error) {
			if err = CallerError(ev, failed); err != nil && !answered {
				if e := goOn(ev); e != nil {
					err = e
				}
			}
			ev.PublishFetch(200, time.Since(started), failed)
		},
		Told: func() {
			if err != nil && r.told != nil {
				r.told(path)
			}
		},
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return "", WireError(err) // as the protocol carries it
	}
	return text, nil
}

// discarded returns how many instances the program has discarded.
func (s *script) discarded() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.destroyed)
}

// note adds to the log.
func (s *script) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

func (s *script) forgettings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgotten
}

// notes returns the log so far.
func (s *script) notes() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, " ")
}

// A call is one event as the script sees it.
type call struct {
	run      *scriptRun
	ctx      context.Context // ends when the script is gone
	event    uint64
	instance uint64
	object   string // name
	path     string
	alarm    wire.Alarm
	cron     wire.Scheduled
	canceled <-chan struct{} // closed when nobody waits for the event
}

// ask calls f with the event of c, as an operation that the handler asks for.
func (c *call) ask(f func(*Event) error) error {
	ev, err := c.run.w.Ask(c.run, c.event)
	if err == nil {
		err = f(ev)
	}
	if err != nil {
		return WireError(err) // as the protocol carries it
	}
	return nil
}

func (c *call) load(key string) string {
	var value []byte
	err := c.ask(func(ev *Event) (err error) {
		value, _, err = ev.Get(key)
		return err
	})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(value)
}

func (c *call) store(key, value string) error {
	return c.ask(func(ev *Event) error { return ev.Put(key, []byte(value)) })
}

func (c *call) now() (now time.Time) {
	must(c.ask(func(ev *Event) error {
		now = ev.w.clock.Now()
		return nil
	}))
	return now.Truncate(time.Millisecond).UTC()
}

func (c *call) nowOrError() (now time.Time, err error) {
	err = c.ask(func(ev *Event) error {
		now = ev.w.clock.Now().Truncate(time.Millisecond).UTC()
		return nil
	})
	return now, err
}

func (c *call) sinceScheduled() time.Duration { return c.now().Sub(time.UnixMilli(c.alarm.Scheduled)) }

// background starts work that outlives the handler of c. The work gets its own call.
func (c *call) background(work func(*call) error) error {
	return c.ask(func(caller *Event) error {
		begun := make(chan error, 1)
		step := caller.HoldStep()
		c.run.w.Go(func() {
			err := c.run.w.Deliver(&Delivery{
				Kind: "waitUntil", Context: c.ctx, Program: c.run, Object: caller.Object().Address(),
				Instance: caller.Instance(), Step: step,
				Handle: func(ev *Event, inst *Instance) error {
					if err := ev.QueueUp(); err != nil {
						return err
					}
					begun <- nil
					next := &call{run: c.run, event: ev.Number(), instance: c.instance}
					_, err := c.run.run(inst, next, func(c *call) (string, error) {
						err := c.plain(wire.MethodResume)
						if err == nil {
							err = work(c)
						}
						return "", err
					})
					return err
				},
			})
			select {
			case begun <- err:
			default:
			}
		})
		return <-begun
	})
}

func (c *call) sleep(d time.Duration) error {
	return c.ask(func(ev *Event) (err error) {
		ev.Sleep(c.ctx, d, func(e error) { err = e })
		return err
	})
}

func (c *call) setAlarm(in time.Duration) error { return c.setAlarmAt(c.now().Add(in)) }

func (c *call) setAlarmAt(at time.Time) error {
	return c.ask(func(ev *Event) error { return ev.SetAlarm(at) })
}

// alarmIn returns in how long the object's alarm is due, as the handler sees it.
func (c *call) alarmIn() string {
	text := "none"
	must(c.ask(func(ev *Event) error {
		at, set, err := ev.GetAlarm()
		if set {
			text = at.Sub(c.now()).String()
		}
		return err
	}))
	return text
}

func (c *call) fetch(object, path string) (text string, err error) {
	err = c.ask(func(ev *Event) (err error) {
		text, err = c.run.fetch(context.Background(), ev, object, path)
		return err
	})
	return text, err
}

func (c *call) reset(reason string) error { return c.resetBy(reason, false) }

func (c *call) resetBy(reason string, ofBlock bool) error {
	return c.ask(func(ev *Event) error {
		ev.Abort(reason, false, ofBlock)
		return nil
	})
}

// plain asks for an operation that has no arguments.
func (c *call) plain(method wire.Method) error {
	f, ok := map[wire.Method]func(*Event) error{
		wire.MethodDeleteAll:   (*Event).DeleteAll,
		wire.MethodDeleteAlarm: (*Event).DeleteAlarm,
		wire.MethodSync: func(ev *Event) error {
			wait, err := ev.Sync()
			if wait != nil {
				err = wait()
			}
			return err
		},
		wire.MethodBegin:    (*Event).Begin,
		wire.MethodCommit:   (*Event).Commit,
		wire.MethodRollback: (*Event).Rollback,
		wire.MethodDatabaseSize: func(ev *Event) error {
			_, err := ev.DatabaseSize()
			return err
		},
		wire.MethodBlock:   (*Event).Block,
		wire.MethodUnblock: (*Event).Unblock,
		wire.MethodPause:   func(ev *Event) error { return ev.Pause(context.Background()) },
		wire.MethodResume:  func(ev *Event) error { return ev.Resume(context.Background()) },
	}[method]
	if !ok {
		return fmt.Errorf("method %d has arguments", method)
	}
	return c.ask(f)
}

func (c *call) list(o store.ListOptions) (listed *wire.Listed, err error) {
	err = c.ask(func(ev *Event) (err error) {
		listed, err = ev.List(o)
		return err
	})
	return listed, err
}

func (c *call) exec(query string, args ...any) (rows *wire.Rows, err error) {
	err = c.ask(func(ev *Event) (err error) {
		rows, err = ev.Exec(query, args)
		return err
	})
	return rows, err
}

func (c *call) nextRows(cursor uint64) (rows *wire.Rows, err error) {
	err = c.ask(func(ev *Event) (err error) {
		rows, err = ev.NextRows(cursor)
		return err
	})
	return rows, err
}
