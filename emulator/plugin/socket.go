package plugin

import (
	"errors"
	"fmt"
	"io/fs"
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
	remove   string // the socket, or its folder if that holds nothing else
}

// socketName is the name of a socket in its folder, and socketFolder matches the folder's name.
const socketName = "s"

var socketFolder = regexp.MustCompile(`^dt[0-9]+$`)

// Listen creates a socket in private, a folder that only this user can enter. Systems allow the
// path of a socket about a hundred bytes. If private is empty, or its path too long, the socket
// gets a folder of its own: in the folder for temporary files or, if that has a long path, too, in
// /tmp.
func Listen(private string) (*Socket, error) {
	var errs []error
	if private != "" {
		s, err := listenIn(private)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	parents := []string{os.TempDir()}
	if usual := "/tmp"; runtime.GOOS != "windows" && !slices.Contains(parents, usual) {
		parents = append(parents, usual)
	}
	for _, parent := range parents {
		s, err := listenBelow(parent)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// listenBelow creates a socket in a new folder below parent.
func listenBelow(parent string) (*Socket, error) {
	folder, err := os.MkdirTemp(parent, "dt") // only this user may enter it
	if err != nil {
		return nil, fmt.Errorf("create socket folder: %w", err)
	}
	s, err := listenIn(folder)
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	s.remove = folder
	return s, nil
}

// listenIn creates a socket in folder.
func listenIn(folder string) (*Socket, error) {
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
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &Socket{Path: path, listener: listener, remove: path}, nil
}

// RemoveStale removes a socket made by Listen whose owner was killed, so that nobody listens on it,
// and its folder. The path is from a file that somebody else may have made, so RemoveStale leaves
// everything else alone, also what somebody has put into that folder.
func RemoveStale(path string) {
	folder := filepath.Dir(path)
	if filepath.Base(path) != socketName || !socketFolder.MatchString(filepath.Base(folder)) {
		return
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSocket {
		return
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return
	}
	if errors.Is(err, syscall.ECONNREFUSED) && os.Remove(path) == nil {
		_ = os.Remove(folder)
	}
}

// Accept waits for the next program to dial, and returns the connection. It fails once the socket
// is closed.
func (s *Socket) Accept() (net.Conn, error) { return s.listener.Accept() }

// Close removes the socket. Accepted connections stay open. Close may be called again.
func (s *Socket) Close() error {
	_ = s.listener.Close()
	return os.RemoveAll(s.remove)
}
