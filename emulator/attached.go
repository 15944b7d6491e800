package emulator

import "devtool.internal/durable/wire"

// errDetached is what events fail with whose program, started by hand, has gone.
var errDetached = &wire.Error{Message: "the handler program, which was started by hand, has ended or let go of its connection", Retryable: true, Reset: true}

// detach goes on without the program that was started by hand, and has ended.
func (h *host) detach(p *program) {
	h.mu.Lock()
	h.crashes = 0
	kept := h.kept
	if !kept && h.current == p {
		h.current = nil
		h.changedLocked()
	}
	h.mu.Unlock()
	switch {
	case h.attachedOnly:
		h.say("the program that was started by hand has ended; requests and alarms wait for the next one: " + HowToAttach)
		return
	case kept:
		h.log.Info("the program that was started by hand has ended: the built one serves again")
		h.restart(p, errDetached)
	default:
		h.log.Info("the program that was started by hand has ended, and none has been built that could take its place: that is tried again")
	}
	h.want()
}

// HowToAttach says how a program comes to serve that is started by hand.
const HowToAttach = "start it in the project's folder, as by `go run .` or `dlv debug`, or in an IDE"

// attached reports whether a program that was started by hand serves.
func (h *host) attached() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current != nil && h.current.Attached() && !h.current.Lost()
}

// say logs which program serves.
func (h *host) say(line string) {
	if !h.private {
		h.log.Info(line)
	}
}

// takePulse makes p one that somebody else has started.
func (p *program) takePulse() { p.pulse = &pulse{conn: p.conn, timeout: p.host.pingTimeout} }

// introduced reports whether the program has said what it is.
func (p *program) introduced() bool { return p.hello.MaxVersion != 0 }
