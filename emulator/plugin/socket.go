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

// A Socket is a Unix socket that handler programs dial and that only this user can reach. Programs
// dial it if they can't inherit a descriptor, or if devtool did not start them.
type Socket struct {
	Path string // absolute

	listener net.Listener
	folder   string // holds nothing but the socket
}

// socketName is the name of a socket in its folder, and socketFolder matches the folder's name.
const socketName = "s"

var socketFolder = regexp.MustCompile(`^dt[0-9]+$`)

// Listen creates a socket in a folder of its own, below parent. Systems allow the path of a socket
// about a hundred bytes. If parent is empty or its path too long, the socket is in the folder for
// temporary files, and if that has a long path, too, below /tmp.
func Listen(parent string) (*Socket, error) {
	parents := []string{os.TempDir()}
	if parent != "" {
		parents = []string{parent, os.TempDir()}
	}
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
	folder, err := os.MkdirTemp(parent, "dt") // only this user may enter it
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

// RemoveStale removes a socket made by Listen whose owner was killed, so that nobody listens on it.
// It leaves everything else alone.
func RemoveStale(path string) {
	folder := filepath.Dir(path)
	if filepath.Base(path) != socketName || !socketFolder.MatchString(filepath.Base(folder)) {
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

// Accept waits for the next program to dial, and returns the connection. It fails once the socket
// is closed.
func (s *Socket) Accept() (net.Conn, error) { return s.listener.Accept() }

// Close removes the socket. Accepted connections stay open. Close may be called again.
func (s *Socket) Close() error {
	_ = s.listener.Close()
	return os.RemoveAll(s.folder)
}
