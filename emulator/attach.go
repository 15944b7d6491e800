package emulator

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/plugin"
	"devtool.internal/internal/safefile"
)

// An attached program is one that the emulator has not started: it runs in an IDE or a debugger,
// say. It connects to a socket and takes the built program's place, by the same swap as after a
// reload, so no request is lost. When it ends, the built program serves again. Without a built
// program, events wait for the next attached one. While it serves, saved files are not built
// (reload.go). While a debugger has stopped it, limits in real time do not count
// (program/pulse.go).

// Attach says whether attached programs may serve.
type Attach int

// The values of Attach.
const (
	AttachNone Attach = iota // only the built program serves
	AttachToo                // an attached program takes the built one's place while it runs
	AttachOnly               // nothing is built; only attached programs serve
)

// listenForPrograms opens the socket for attached programs, and publishes its path in the project.
func (e *Emulator) listenForPrograms() error {
	if e.options.Attach == AttachNone {
		return nil
	}
	socket, err := plugin.Listen(e.options.Sockets)
	if err != nil {
		if e.options.Attach == AttachOnly {
			return err
		}
		e.log.Warn("programs can't attach: " + err.Error())
		return nil
	}
	e.socket = socket
	e.release = append(e.release, socket.Close)
	if e.options.Apart {
		return nil
	}
	remove, err := publishSocket(e.project, socket.Path)
	if isReadOnly(err) {
		e.log.Warn("programs find this emulator only by DEVTOOL_SOCKET=" + socket.Path + " (" + err.Error() + ")")
		return nil
	}
	if err != nil {
		return fmt.Errorf("publish the socket for attached programs: %w", err)
	}
	e.release = append(e.release, remove)
	return nil
}

// maxAttach bounds what is read of the file with the socket's path, in bytes.
const maxAttach = 64 << 10

// publishSocket writes the path of a socket into wire.AttachFile of a project, atomically. remove
// deletes the file, unless another emulator has replaced it.
func publishSocket(project, socket string) (remove func() error, err error) {
	folder, err := safefile.DotFolder(project, "")
	if err != nil {
		return nil, err
	}
	if before, err := wire.ReadAttach(project); err == nil { // of an emulator that was killed, perhaps
		plugin.RemoveStale(before)
	}
	content, err := wire.AttachContent(socket, project)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, filepath.Base(wire.AttachFile))
	if err := safefile.Replace(file, fmt.Sprintf("%s-%d.tmp", file, os.Getpid()), []byte(content)); err != nil {
		return nil, err
	}
	return func() error {
		if now, err := safefile.Read(file, maxAttach); err != nil || string(now) != content {
			return nil
		}
		return os.Remove(file)
	}, nil
}

// acceptPrograms attaches each program that connects, until the socket is closed.
func (e *Emulator) acceptPrograms() {
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

// attach makes the program at the other end of conn serve. It waits for the program's introduction
// as long as the connection lasts, because a debugger may have stopped the program.
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
		case p.Vanished():
			e.log.Debug("a program closed its connection before it introduced itself")
		default:
			e.log.Error("a program can't attach: " + err.Error())
		}
		return
	}
	if !e.host.Swap(p) {
		return // the emulator shuts down
	}
	e.record.serves(true)
	e.host.LogServing("an attached program serves now (" + p.SDK() + ")")
}
