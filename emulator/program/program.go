// Package program runs handler programs for a world.
//
// A Runner (runner.go) is the Programs of a world. It keeps one program running:
//
//  1. LaunchNew starts a new build. NewProgram and Meet let it introduce itself, check it against
//     the configuration and welcome it.
//  2. Swap makes it current: new events wait until the old program's events have ended.
//  3. Events enter the current program by Enter, and wait there while a version is being built.
//  4. After a crash the runner starts the program again, from a copy of the binary.
//  5. An attached program, which the user has started, takes the built one's place as long as
//     it runs (attached.go).
//
// A Program (program.go) is one running program, and is what a world sees of it. Read on in
// operations.go, a table of everything that handlers may ask for. Requests are in fetch.go, timers
// in timer.go, work that outlives its handler in background.go, and a test's visits in visit.go.
// crash.go describes how a program ended, stuck.go finds handlers that hang, and pulse.go detects
// that a debugger has stopped a program.
package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/world"
	"devtool.internal/internal/spelling"
)

// helloTimeout is how long a program may take until it is ready for events, in real time.
const helloTimeout = 10 * time.Second

// errLate is the cause of a context that ends after helloTimeout.
var errLate = fmt.Errorf("after %s", helloTimeout)

// A Program is a running handler program, connected and introduced.
type Program struct {
	w       *world.World
	host    *Runner
	conn    *wire.Conn
	process *plugin.Process // nil for an attached program
	hello   wire.Hello
	classes map[string]wire.Class
	// settings are those of the welcome.
	settings Settings
	watchdog *watchdog
	pulse    *pulse // of an attached program, else nil

	report crashReport

	// mu guards what follows.
	mu sync.Mutex
	// ended is the error of the program's events after End; nil means that End was not called.
	ended error
	// broken are the rules of the protocol that the log has named (see broke).
	broken map[string]bool
	// waits are the handlers that wait for another event of their object, by their tokens.
	waits map[uint64]*world.CondWait

	// inflight counts the events that entered through the host or stayed. host.mu guards it.
	inflight int
}

// connect returns the program at the other end of conn, once it is ready for events. It fails after
// helloTimeout, or if the program does not fit c or can't start.
func (h *Runner) connect(ctx context.Context, conn net.Conn, process *plugin.Process, c Settings) (*Program, error) {
	p, hello := h.NewProgram(conn, process, c)
	ctx, cancel := context.WithTimeoutCause(ctx, helloTimeout, errLate)
	defer cancel()
	if err := p.Meet(ctx, hello); err != nil {
		return nil, err
	}
	return p, nil
}

// NewProgram returns the program at the other end of conn, and the channel that receives its Hello
// and its Ready. process is nil for a program that the runner has not started. The caller calls
// Meet.
func (h *Runner) NewProgram(conn net.Conn, process *plugin.Process, c Settings) (*Program, <-chan *wire.Stream) {
	p := &Program{
		w:        h.world,
		host:     h,
		process:  process,
		classes:  make(map[string]wire.Class),
		settings: c,
		waits:    make(map[uint64]*world.CondWait),
	}
	hello := make(chan *wire.Stream)
	p.conn = wire.NewConn(conn, wire.Emulator, wire.Callbacks{
		Serve: func(s *wire.Stream) {
			if s.Method != wire.MethodHello && s.Method != wire.MethodReady {
				p.serve(s)
				return
			}
			select {
			case hello <- s:
				<-s.Context().Done()
			case <-s.Context().Done(): // after Meet, nobody answers
			}
		},
		Manner: manner,
		Notice: p.notice,
		Ended:  func() { p.w.LineUpLost(p) },
	})
	return p, hello
}

// Meet waits for the program's introduction, welcomes the program, and waits until it is ready for
// events. On an error it closes the connection: if ctx ends, if the program ends first, if it does
// not fit its settings, or if its worker has no handler to start with.
func (p *Program) Meet(ctx context.Context, hello <-chan *wire.Stream) error {
	s, err := p.hear(ctx, wire.MethodHello, hello, "introduce itself within %s (does main call durable.Serve?)")
	if err != nil {
		return err
	}
	welcome, err := p.welcome(s.Message, p.settings)
	if err != nil {
		s.Fail(world.WireError(err))
		p.conn.Close()
		return err
	}
	p.watchdog = newWatchdog(p, p.host.stuckAfter)
	if err := s.Answer(welcome, true); err != nil {
		return err
	}

	s, err = p.hear(ctx, wire.MethodReady, hello, "become ready within %s (does the worker's Handler return?)")
	if err != nil {
		return err
	}
	var ready wire.Ready
	err = wire.Decode(s.Message, &ready)
	if err == nil && ready.Failure != "" {
		err = &wire.Error{Message: ready.Failure, Remote: true, Detail: ready.Detail}
	}
	if err != nil {
		s.Fail(world.WireError(err))
		p.conn.Close()
		return err
	}
	return s.Answer(&wire.Empty{}, true)
}

// hear waits for a question of the program before it takes events. what completes "it did not …"
// if the question does not come within helloTimeout.
func (p *Program) hear(
	ctx context.Context, method wire.Method, questions <-chan *wire.Stream, what string,
) (*wire.Stream, error) {
	select {
	case s := <-questions:
		if s.Method != method {
			p.conn.Close()
			return nil, fmt.Errorf("%s: it has asked a question (%s) where another comes (%s)",
				brokenProtocol, s.Method, method)
		}
		return s, nil
	case <-p.conn.Done():
		crash := p.crash()
		if p.brokeProtocol() {
			return nil, crash
		}
		if p.process != nil && p.process.Err() == nil && !p.Introduced() {
			return nil, errors.New("the handler program has ended (exit status 0) before it introduced itself: " +
				"does main call durable.Serve?")
		}
		return nil, crash
	case <-ctx.Done():
		p.conn.Close()
		err := context.Cause(ctx)
		if errors.Is(err, errLate) {
			err = fmt.Errorf("it did not "+what, helloTimeout)
		}
		return nil, fmt.Errorf("start handler program: %w", err)
	}
}

// welcome checks the program's introduction against the configuration c, and returns the answer.
func (p *Program) welcome(message []byte, c Settings) (*wire.Welcome, error) {
	if err := wire.Decode(message, &p.hello); err != nil {
		return nil, fmt.Errorf("read the program's introduction: %w", err)
	}
	if p.hello.MinVersion > wire.MaxVersion || p.hello.MaxVersion < wire.MinVersion {
		return nil, fmt.Errorf(
			"the program (%s) speaks protocol %d to %d, this devtool %d to %d: bring both to the same version",
			p.hello.SDK, p.hello.MinVersion, p.hello.MaxVersion, wire.MinVersion, wire.MaxVersion)
	}
	if n := len(p.hello.Classes); n > wire.MaxClasses {
		return nil, fmt.Errorf("the program registers %d classes, the limit is %d", n, wire.MaxClasses)
	}
	var known []string
	for _, class := range p.hello.Classes {
		p.classes[class.Name] = class
		known = append(known, class.Name)
	}
	if err := missingClasses(c, known); err != nil {
		return nil, err
	}
	for _, v := range c.Welcome.Vars {
		if !utf8.ValidString(v.Name) || !utf8.ValidString(v.Value) {
			return nil, fmt.Errorf("variable %q is not UTF-8 text, and handlers get no other: "+
				"correct it where it is set, in %s or by --var", v.Name, c.Path)
		}
	}
	w := c.Welcome
	w.Version = min(wire.MaxVersion, p.hello.MaxVersion)
	w.MaxEntry = uint64(p.w.MaxEntry())
	return &w, nil
}

// missingClasses returns a *MissingClassError if c binds classes that are not among the known ones.
func missingClasses(c Settings, known []string) error {
	unbound := slices.Clone(known)
	for _, b := range c.Welcome.Bindings {
		unbound = slices.DeleteFunc(unbound, func(class string) bool { return class == b.Class })
	}
	var missing, meant []string
	for _, b := range c.Welcome.Bindings {
		if slices.Contains(known, b.Class) {
			continue
		}
		missing = append(missing, fmt.Sprintf("%s (bound as %s)", b.Class, b.Name))
		if like := spelling.Closest(b.Class, unbound); like != "" && !slices.Contains(meant, strconv.Quote(like)) {
			meant = append(meant, strconv.Quote(like))
		}
	}
	if missing == nil {
		return nil
	}
	registered := "no class at all"
	if len(known) > 0 {
		registered = strings.Join(known, ", ")
	}
	return &MissingClassError{missing, c.Path, registered, strings.Join(meant, " and ")}
}

// A MissingClassError says that the configuration binds classes that the program does not register.
type MissingClassError struct {
	Missing    []string // the classes, each with the name of its binding
	Config     string   // the path of the configuration file
	Registered string   // the classes that the program registers, for people
	Meant      string   // those of them that Missing may misspell, quoted, or ""
}

func (e *MissingClassError) Error() string {
	message := fmt.Sprintf("%s: the program has no class %s; its Worker.Classes registers %s",
		e.Config, strings.Join(e.Missing, ", "), e.Registered)
	if e.Meant != "" {
		message += ". Did you mean " + e.Meant + "?"
	}
	return message
}

// Ask sends a question without a body, as part of an event of inst, and waits for the answer. It
// calls sent, unless that is nil, when the question has left. The error is a *world.Undelivered if
// inst is the worker's and the program was gone before.
func (p *Program) Ask(inst *world.Instance, method wire.Method, m wire.Message, sent func()) error {
	s, err := p.conn.Open(method, m, true)
	switch {
	case inst.IsWorker() && errors.Is(err, wire.ErrClosed):
		return &world.Undelivered{Cause: err}
	case err != nil:
		return p.explain(err)
	}
	if sent != nil {
		sent()
	}
	_, err = p.await(inst, s)
	return err
}

// await waits for the answer to a question that is part of an event of inst. If inst is reset, the
// error is the reset's cause, whatever the handler answers.
func (p *Program) await(inst *world.Instance, s *wire.Stream) ([]byte, error) {
	b, err := s.Await(inst.Context())
	if err != nil && inst.Context().Err() != nil {
		return nil, context.Cause(inst.Context())
	}
	return b, p.explain(err)
}

// Destroy makes the program forget inst. It does not wait.
func (p *Program) Destroy(inst *world.Instance) {
	m := &wire.Destroy{Instance: inst.Number()}
	go p.conn.Open(wire.MethodDestroy, m, true) //nolint:errcheck // a lost program has forgotten it
}

// Forget makes the program drop its cache of the storage of inst, before it reads anything that is
// sent later.
func (p *Program) Forget(inst *world.Instance) {
	m := &wire.Forget{Instance: inst.Number()}
	p.conn.Notify(wire.MethodForget, m) //nolint:errcheck // a lost program has no cache
}

func (p *Program) event(number uint64) (*world.Event, error) { return p.w.Ask(p, number) }

// Class returns what the program has registered for a class, and whether it has registered the
// class at all.
func (p *Program) Class(name string) (wire.Class, bool) {
	class, ok := p.classes[name]
	return class, ok
}

// Scheduled reports whether the worker handles cron triggers.
func (p *Program) Scheduled() bool { return p.hello.Scheduled }

// explain replaces the error of a lost connection by the reason why it was lost.
func (p *Program) explain(err error) error {
	if !errors.Is(err, wire.ErrClosed) {
		return err
	}
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended != nil {
		return ended
	}
	return p.crash()
}

// Lost reports whether the connection to the program is gone. It returns true before any event
// fails because of that.
func (p *Program) Lost() bool { return p.conn.Err() != nil }

// endedByUs reports whether End was called.
func (p *Program) endedByUs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended != nil
}

// End ends the program. The events that it still handles fail with reason. A second call keeps the
// first reason.
func (p *Program) End(reason error) {
	p.mu.Lock()
	if p.ended == nil {
		p.ended = reason
	}
	p.mu.Unlock()
	p.conn.Close()
	if p.process != nil {
		p.process.Stop()
	}
}
