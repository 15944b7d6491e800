package plugin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
)

// A Socket is where programs dial in: those that can't inherit a descriptor, and those that were
// started by hand. It is a Unix socket that only this user can reach.
type Socket struct {
	Path string // absolute

	listener net.Listener
	folder   string // of the socket alone
}

// socketName is that of a socket in its folder, and ownFolder what the folder is called.
const socketName = "s"

var ownFolder = regexp.MustCompile(`^dt[0-9]+$`)

// Listen makes a socket in a folder of its own. The path is as short as can be, since systems allow it
// about a hundred bytes: if that of the folder for temporary files is too long already, the socket is in
// the usual one.
func Listen() (*Socket, error) {
	parents := []string{os.TempDir()}
	if usual := "/tmp"; runtime.GOOS != "windows" && !slices.Contains(parents, usual) {
		parents = append(parents, usual)
	}
	var errs []error
	for _, parent := range parents {
		s, err := listenIn(parent)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func listenIn(parent string) (*Socket, error) {
	folder, err := os.MkdirTemp(parent, "dt") // which nobody else may enter
	if err != nil {
		return nil, fmt.Errorf("create socket folder: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(folder, socketName))
	var listener net.Listener
	if err == nil {
		listener, err = net.Listen("unix", path)
	}
	if err == nil {
		if err = os.Chmod(path, 0o600); err != nil {
			_ = listener.Close()
		}
	}
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &Socket{Path: path, listener: listener, folder: folder}, nil
}

// RemoveStale removes the socket at path, which Listen has made once, if its owner was killed: nobody listens there
// any more. It leaves everything else alone.
func RemoveStale(path string) {
	folder := filepath.Dir(path)
	if filepath.Base(path) != socketName || !ownFolder.MatchString(filepath.Base(folder)) {
		return
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.RemoveAll(folder)
	}
}

// Accept returns the connection of the next program that dials in. It fails when the socket is closed.
func (s *Socket) Accept() (net.Conn, error) { return s.listener.Accept() }

// Close removes the socket. Connections that were accepted stay. It may be called again.
func (s *Socket) Close() error {
	_ = s.listener.Close()
	return os.RemoveAll(s.folder)
}
