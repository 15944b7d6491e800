// Package program runs handler programs for a world.
//
// A Runner (runner.go) keeps one program running: it starts it, replaces it by a new build, starts
// it again after a crash, and lets programs serve that somebody else has started (attached.go). It
// is the Programs of a world.
//
// A Program is one of them, connected and introduced. What its handlers ask for arrives in a table
// of operations (operations.go). Requests travel in fetch.go, timers in timer.go, work that
// outlives its handler in background.go, a test's visits in visit.go. crash.go describes how a
// program ended, stuck.go finds handlers that hang, and pulse.go tells whether a debugger has
// stopped the program.
package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/world"
)

// helloTimeout is how long, in real time, a program may take to introduce itself.
const helloTimeout = 10 * time.Second

// A Program is a running handler program, connected and introduced.
type Program struct {
	w       *world.World
	host    *Runner
	conn    *wire.Conn
	process *plugin.Process // nil for a program that we did not start
	hello   wire.Hello
	classes map[string]wire.Class
	// settings are what it was welcomed with.
	settings Settings
	lookout  *lookout
	pulse    *pulse // nil but for an attached program

	report crashReport

	// mu guards what follows.
	mu sync.Mutex
	// ended is why the program's events fail when its connection is gone, if it
	// was us who ended it.
	ended error

	// inflight counts the events that entered through the host. host.mu guards it.
	inflight int
}

// connect speaks with the program at the other end of conn. The program is welcomed when
// it has what c needs.
func (h *Runner) connect(ctx context.Context, conn net.Conn, process *plugin.Process, c Settings) (*Program, error) {
	p, hello := h.NewProgram(conn, process, c)
	ctx, cancel := context.WithTimeoutCause(ctx, helloTimeout, fmt.Errorf("it did not introduce itself within %s (does main call durable.Serve?)", helloTimeout))
	defer cancel()
	if err := p.Meet(ctx, hello); err != nil {
		return nil, err
	}
	return p, nil
}

// NewProgram returns the program at the other end of conn, and where its introduction arrives.
func (h *Runner) NewProgram(conn net.Conn, process *plugin.Process, c Settings) (*Program, <-chan *wire.Stream) {
	p := &Program{
		w:        h.world,
		host:     h,
		process:  process,
		classes:  make(map[string]wire.Class),
		settings: c,
	}
	hello := make(chan *wire.Stream, 1)
	p.conn = wire.NewConn(conn, wire.Emulator, wire.Callbacks{
		Serve: func(s *wire.Stream) {
			if s.Method != wire.MethodHello {
				p.serve(s)
				return
			}
			select {
			case hello <- s:
				<-s.Context().Done()
			default: // a second hello is left without an answer
			}
		},
		Manner: manner,
		Notice: p.notice,
	})
	return p, hello
}

// Meet waits for the program's introduction, and welcomes it.
func (p *Program) Meet(ctx context.Context, hello <-chan *wire.Stream) error {
	select {
	case s := <-hello:
		welcome, err := p.welcome(s.Message, p.settings)
		if err != nil {
			s.Fail(world.WireError(err))
			p.conn.Close()
			return err
		}
		p.lookout = newLookout(p, p.host.stuckAfter)
		return s.Answer(welcome, true)
	case <-p.conn.Done():
		crash := p.crash()
		if p.process != nil && p.process.Err() == nil {
			return errors.New("the handler program has ended (exit status 0) before it introduced itself: does main call durable.Serve?")
		}
		return crash
	case <-ctx.Done():
		p.conn.Close()
		return fmt.Errorf("start handler program: %w", context.Cause(ctx))
	}
}

// welcome checks what the program says of itself against the configuration.
func (p *Program) welcome(message []byte, c Settings) (*wire.Welcome, error) {
	if err := wire.Decode(message, &p.hello); err != nil {
		return nil, fmt.Errorf("read the program's introduction: %w", err)
	}
	if p.hello.MinVersion > wire.MaxVersion || p.hello.MaxVersion < wire.MinVersion {
		return nil, fmt.Errorf("the program (%s) speaks protocol %d to %d, this devtool %d to %d: bring both to the same version",
			p.hello.SDK, p.hello.MinVersion, p.hello.MaxVersion, wire.MinVersion, wire.MaxVersion)
	}
	var known []string
	for _, class := range p.hello.Classes {
		p.classes[class.Name] = class
		known = append(known, class.Name)
	}
	var missing []string
	for _, b := range c.Welcome.Bindings {
		if _, ok := p.classes[b.Class]; !ok {
			missing = append(missing, fmt.Sprintf("%s (bound as %s)", b.Class, b.Name))
		}
	}
	if len(missing) > 0 {
		registered := "no class at all"
		if len(known) > 0 {
			registered = strings.Join(known, ", ")
		}
		return nil, &MissingClassError{Missing: missing, Config: c.Path, Registered: registered}
	}
	for _, v := range c.Welcome.Vars {
		if !utf8.ValidString(v.Name) || !utf8.ValidString(v.Value) {
			return nil, fmt.Errorf("variable %q is not UTF-8 text, and handlers get no other: correct it where it is set, in %s or by --var", v.Name, c.Path)
		}
	}
	w := c.Welcome
	w.Version = min(wire.MaxVersion, p.hello.MaxVersion)
	w.MaxEntry = uint64(p.w.MaxEntry())
	return &w, nil
}

// A MissingClassError says that the configuration binds classes that the program does
// not have.
type MissingClassError struct {
	Missing    []string
	Config     string
	Registered string
}

func (e *MissingClassError) Error() string {
	return fmt.Sprintf("%s: the program has no class %s; its Worker.Classes registers %s", e.Config, strings.Join(e.Missing, ", "), e.Registered)
}

// Ask asks the program something that has no body, as part of an event of inst.
func (p *Program) Ask(inst *world.Instance, method wire.Method, m wire.Message) error {
	s, err := p.conn.Open(method, m, true)
	switch {
	case inst.IsWorker() && errors.Is(err, wire.ErrClosed):
		return &world.Undelivered{Cause: err}
	case err != nil:
		return p.explain(err)
	}
	_, err = p.await(inst, s)
	return err
}

// await waits for the answer to a question that is part of an event of inst. A reset of the
// instance goes before whatever the handler makes of it.
func (p *Program) await(inst *world.Instance, s *wire.Stream) ([]byte, error) {
	b, err := s.Await(inst.Context())
	if err != nil && inst.Context().Err() != nil {
		return nil, context.Cause(inst.Context())
	}
	return b, p.explain(err)
}

// Destroy makes the program forget inst. It does not wait.
func (p *Program) Destroy(inst *world.Instance) {
	go p.conn.Open(wire.MethodDestroy, &wire.Destroy{Instance: inst.Number()}, true) //nolint:errcheck // a program that is gone needs no telling
}

// Forget drops what the program remembers of the storage of inst, before it sees anything that is
// sent later.
func (p *Program) Forget(inst *world.Instance) {
	p.conn.Notify(wire.MethodForget, &wire.Forget{Instance: inst.Number()}) //nolint:errcheck // a program that is gone has forgotten
}

func (p *Program) event(number uint64) (*world.Event, error) { return p.w.Ask(p, number) }

// Class returns what the program has registered for a class.
func (p *Program) Class(name string) (wire.Class, bool) {
	class, ok := p.classes[name]
	return class, ok
}

// Scheduled reports whether the worker handles cron triggers.
func (p *Program) Scheduled() bool { return p.hello.Scheduled }

// explain replaces a lost connection by why it was lost.
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

// Lost reports whether the connection to the program is gone. It does so before anything
// fails because of that.
func (p *Program) Lost() bool { return p.conn.Err() != nil }

// endedByUs reports whether the program was asked to end.
func (p *Program) endedByUs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended != nil
}

// End ends the program; what it still handles fails with reason.
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
