package emulator

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/plugin"
)

// Programs that were started by hand, in an IDE or a debugger perhaps, dial in at a socket and serve in
// place of the one that was built: by the same swap as after a reload, so that no request is lost. When
// such a program ends the built one serves again or, where nothing is built, events wait for the next.
// What is saved meanwhile is not built (reload.go), and nothing that is bound in real time counts while
// a debugger has stopped the program (pulse.go).

// Attach says which programs serve.
type Attach int

// What an emulator attaches.
const (
	AttachNone Attach = iota // the built program alone serves
	AttachToo                // so does an attached one, as long as it runs
	AttachOnly               // nothing is built, and only attached programs serve
)

// listenForPrograms opens the socket, and leads programs of the project there.
func (e *Emulator) listenForPrograms() error {
	if e.options.Attach == AttachNone {
		return nil
	}
	socket, err := plugin.Listen()
	if err != nil {
		if e.options.Attach == AttachOnly {
			return err
		}
		e.log.Warn("programs that are started by hand can't serve: " + err.Error())
		return nil
	}
	e.socket = socket
	e.release = append(e.release, socket.Close)
	if e.options.Apart {
		return nil
	}
	remove, err := publishSocket(filepath.Join(e.project, filepath.FromSlash(wire.AttachFile)), socket.Path)
	if err != nil {
		return fmt.Errorf("lead programs that are started by hand here: %w", err)
	}
	e.release = append(e.release, remove)
	return nil
}

// publishSocket writes the path of a socket into file, in one step. remove takes it away, unless another
// emulator has put its own there.
func publishSocket(file, path string) (remove func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	if before, err := os.ReadFile(file); err == nil { // of an emulator that was killed, perhaps
		plugin.RemoveStale(strings.TrimSpace(string(before)))
	}
	temporary := fmt.Sprintf("%s-%d.tmp", file, os.Getpid())
	content := path + "\n"
	err = os.WriteFile(temporary, []byte(content), 0o600)
	if err == nil {
		err = os.Rename(temporary, file)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(temporary))
	}
	return func() error {
		if now, err := os.ReadFile(file); err != nil || string(now) != content {
			return nil
		}
		return os.Remove(file)
	}, nil
}

// takePrograms lets the programs that dial in serve, until the socket is closed.
func (e *Emulator) takePrograms() {
	if e.socket == nil {
		return
	}
	e.world.Go(func() {
		for {
			conn, err := e.socket.Accept()
			if err != nil {
				return
			}
			e.world.Go(func() { e.attach(conn) })
		}
	})
}

// attach lets the program at the other end of conn serve. It waits for it to introduce itself as long as
// the connection lasts, for the program may stand in a debugger already.
func (e *Emulator) attach(conn net.Conn) {
	p, hello := e.host.NewProgram(conn, nil, e.currentSettings().program)
	p.MarkAttached()
	err := p.Meet(e.world.Context(), hello)
	if err == nil {
		if err = e.settleMigrations(); err != nil {
			p.End(err)
		}
	}
	if err != nil {
		switch {
		case e.world.Context().Err() != nil:
		case !p.Introduced():
			e.log.Debug("a program that was started by hand has gone before it introduced itself")
		default:
			e.log.Error("a program that was started by hand can't serve: " + err.Error())
		}
		return
	}
	if !e.host.Swap(p) {
		return // the emulator ends
	}
	e.record.serves(true)
	e.host.Say("a program that was started by hand serves now (" + p.SDK() + ")")
}
