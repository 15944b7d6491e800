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
	"strings"

	"devtool.internal/durable/wire"
)

// dial returns the connection to the emulator: the one that the program was started with or, where it
// was started by hand, in an IDE or a debugger perhaps, that to the emulator which serves the project. by
// is what led there, and empty for a program that was not started by hand. The error is an
// *unattached where there is no emulator.
func dial() (conn net.Conn, by string, err error) {
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
		return nil, fmt.Errorf("read %s: %q is no file descriptor", wire.EnvFD, s)
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
func dialProject() (conn net.Conn, by string, err error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, "", fmt.Errorf("find the working folder: %w", err)
	}
	for start := folder; ; {
		file := filepath.Join(folder, filepath.FromSlash(wire.AttachFile))
		path, err := os.ReadFile(file)
		switch {
		case err == nil:
			conn, err := net.Dial("unix", strings.TrimSpace(string(path)))
			if err != nil {
				return nil, "", &unattached{fmt.Sprintf("the emulator that %s leads to is gone", file)}
			}
			return conn, file, nil
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid):
			return nil, "", fmt.Errorf("find the emulator: %w", err)
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return nil, "", &unattached{fmt.Sprintf("no emulator serves the project of %s", start)}
		}
		folder = parent
	}
}

// An unattached program was started by hand where no emulator is.
type unattached struct{ why string }

// Error says what the program is, and how it comes to serve.
func (e *unattached) Error() string {
	return fmt.Sprintf(`%s is a handler program of devtool and does not run by itself: %s.
  Start `+"`devtool dev`"+` in the project's folder, which builds and runs it.
  To run it by hand, or in a debugger, do so while `+"`devtool dev`, or `devtool dev --attach`"+` which
  builds nothing, runs there: it then serves in place of the program that was built.`, filepath.Base(os.Args[0]), e.why)
}
