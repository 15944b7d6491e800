package program

import (
	"errors"

	"devtool.internal/durable/wire"
)

// errDetached is returned to the events of an attached program that has ended.
var errDetached = &wire.Error{
	Message:   "the attached handler program has ended or closed its connection",
	Retryable: true, Reset: true,
}

// detach goes on after the end of the attached program p.
func (h *Runner) detach(p *Program) {
	h.mu.Lock()
	h.crashes = 0
	kept := h.kept
	if !kept && h.current == p {
		h.current = nil
		h.changedLocked()
	}
	h.mu.Unlock()
	switch {
	case h.AttachedOnly:
		h.LogServing("the attached program has ended; requests and alarms wait for the next one: " + HowToAttach)
		return
	case kept:
		h.Log.Info("the attached program has ended: the built one serves again")
		h.restart(p, errDetached)
	default:
		h.Log.Info("the attached program has ended, and there is no built one to take its place: building again")
	}
	h.want()
}

// HowToAttach is what messages say about attaching a program.
const HowToAttach = "start it in the project's folder, as by `go run .` or `dlv debug`, or in an IDE"

// AttachedServes reports whether an attached program serves now.
func (h *Runner) AttachedServes() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current != nil && h.current.Attached() && !h.current.Lost()
}

// LogServing logs a line about which program serves, unless the runner is private.
func (h *Runner) LogServing(line string) {
	if !h.Private {
		h.Log.Info(line)
	}
}

// MarkAttached marks p as a program that the runner has not started. It must be called before Meet.
func (p *Program) MarkAttached() { p.pulse = &pulse{conn: p.conn, timeout: p.host.pingTimeout} }

// Introduced reports whether the program's introduction has arrived.
func (p *Program) Introduced() bool { return p.hello.MaxVersion != 0 }

// Vanished reports whether the program has closed its connection before it introduced itself. A
// program that has broken the protocol has not: its author must learn the rule.
func (p *Program) Vanished() bool {
	return !p.Introduced() && !p.brokeProtocol() && !errors.Is(p.conn.Err(), wire.ErrClosed)
}

// SDK returns the name and version of the SDK that the program was built with.
func (p *Program) SDK() string { return p.hello.SDK }
