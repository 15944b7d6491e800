//go:build !js

package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"devtool.internal/durable/wire"
	_ "devtool.internal/internal/inherited" // before any process is started
)

// dial returns the connection to the emulator. Usually the emulator has started the program with
// one. If not, an IDE or a debugger may have started it, and dial connects to the emulator that
// serves the project. Then attachFile is the file that led there; otherwise it is empty. The error
// is an *unattached if no emulator runs there.
func dial() (conn net.Conn, attachFile string, err error) {
	if s := os.Getenv(wire.EnvFD); s != "" {
		conn, err = inherited(s)
		return conn, "", err
	}
	if path := os.Getenv(wire.EnvSocket); path != "" {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return nil, "", fmt.Errorf("reach the emulator at %s: %w", wire.EnvSocket, err)
		}
		return conn, "", nil
	}
	return dialProject()
}

func inherited(s string) (net.Conn, error) {
	fd, err := strconv.Atoi(s)
	if err != nil || fd < 0 {
		return nil, fmt.Errorf("read %s: %q is not a file descriptor", wire.EnvFD, s)
	}
	f := os.NewFile(uintptr(fd), "emulator")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("use descriptor %d from %s: %w", fd, wire.EnvFD, err)
	}
	return conn, nil
}

// dialProject dials the emulator of the project that the working folder is in.
func dialProject() (conn net.Conn, attachFile string, err error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, "", fmt.Errorf("find the working folder: %w", err)
	}
	why := fmt.Sprintf("no emulator serves the project of %s", folder)
	for {
		socket, err := wire.ReadAttach(folder)
		file := filepath.Join(folder, filepath.FromSlash(wire.AttachFile))
		switch {
		case err == nil:
			conn, err := net.Dial("unix", socket)
			if err != nil {
				return nil, "", &unattached{fmt.Sprintf("the emulator that %s leads to is gone", file)}
			}
			return conn, file, nil
		case errors.Is(err, wire.ErrCopied):
			why += "; " + err.Error()
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid):
			return nil, "", fmt.Errorf("find the emulator: %w", err)
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return nil, "", &unattached{why}
		}
		folder = parent
	}
}

// An unattached error means that no emulator has started the program, and that none serves its
// project.
type unattached struct{ why string }

// Error explains what the program is, and how to run it.
func (e *unattached) Error() string {
	return fmt.Sprintf(`%s is a handler program of devtool and does not run by itself: %s.
  Start %[3]s in the project's folder, which builds and runs it.
  To run it yourself, for example in a debugger, do so while %[3]s runs there, or
  %[4]s, which builds nothing. The program then serves in place of the built one.`,
		filepath.Base(os.Args[0]), e.why, "`devtool dev`", "`devtool dev --attach`")
}
