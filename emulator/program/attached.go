package program

import "devtool.internal/durable/wire"

// errDetached is returned to the events of an attached program that has gone.
var errDetached = &wire.Error{Message: "the handler program, which was started by hand, has ended or let go of its connection", Retryable: true, Reset: true}

// detach goes on without an attached program, which has ended.
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
		h.LogServing("the program that was started by hand has ended; requests and alarms wait for the next one: " + HowToAttach)
		return
	case kept:
		h.Log.Info("the program that was started by hand has ended: the built one serves again")
		h.restart(p, errDetached)
	default:
		h.Log.Info("the program that was started by hand has ended, and none has been built that could take its place: that is tried again")
	}
	h.want()
}

// HowToAttach tells people how to attach a program.
const HowToAttach = "start it in the project's folder, as by `go run .` or `dlv debug`, or in an IDE"

// AttachedServes reports whether an attached program serves.
func (h *Runner) AttachedServes() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current != nil && h.current.Attached() && !h.current.Lost()
}

// LogServing logs which program serves.
func (h *Runner) LogServing(line string) {
	if !h.Private {
		h.Log.Info(line)
	}
}

// MarkAttached makes p one that somebody else has started.
func (p *Program) MarkAttached() { p.pulse = &pulse{conn: p.conn, timeout: p.host.pingTimeout} }

// Introduced reports whether the program has said what it is.
func (p *Program) Introduced() bool { return p.hello.MaxVersion != 0 }

// SDK says what the program was built with.
func (p *Program) SDK() string { return p.hello.SDK }
