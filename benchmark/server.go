package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A side is one of the two that are compared.
type side interface {
	name() string
	version() string
	// source returns the file to edit when a save is measured.
	source(program string) string
	// command returns the command that serves program and keeps its state in the folder state. It
	// writes lines to ready, one of them when the server takes requests.
	command(ctx context.Context, program, state string, ready *os.File) *exec.Cmd
	// address returns the server's host:port from such a line, or "" if it is in another line.
	address(line []byte) (string, error)
}

// startLimit bounds how long a server may take to start, and stopLimit how long to end.
const (
	startLimit = 2 * time.Minute
	stopLimit  = 10 * time.Second
)

// A server is a side that serves one of the programs.
type server struct {
	address string
	source  string    // see side
	started time.Time // when its process started
	pid     int
	// stop ends the server and returns its output.
	stop func() string
}

// start starts a server with the empty folder state. The caller stops it. The server's output only
// matters if it fails.
func start(ctx context.Context, s side, program, state string) (_ *server, err error) {
	fail := func(err error) (*server, error) {
		return nil, fmt.Errorf("start %s with %s: %w", s.name(), program, err)
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fail(err)
	}
	ready, writer, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var output bytes.Buffer
	cmd := s.command(ctx, program, state, writer)
	cmd.Stderr = &output
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopLimit
	started := time.Now()
	err = cmd.Start()
	writer.Close()
	if err != nil {
		cancel()
		ready.Close()
		return fail(err)
	}
	stop := func() string {
		cancel()
		cmd.Wait() //nolint:errcheck // it ends on request, and its status does not matter
		ready.Close()
		return strings.TrimSpace(output.String())
	}
	if err := ready.SetReadDeadline(time.Now().Add(startLimit)); err != nil {
		stop()
		return fail(err)
	}
	address, err := readAddress(ready, s.address)
	if err != nil {
		return fail(withOutput(err, stop()))
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		ready.SetReadDeadline(time.Time{}) //nolint:errcheck // setting it worked before
		io.Copy(io.Discard, ready)         //nolint:errcheck // the rest of the output does not matter
	}()
	stopAndDrain := func() string {
		printed := stop()
		<-read
		return printed
	}
	return &server{
		address: address, source: s.source(program), started: started, pid: cmd.Process.Pid, stop: stopAndDrain,
	}, nil
}

// withOutput returns err with the server's output, if there is any.
func withOutput(err error, printed string) error {
	if printed == "" {
		return err
	}
	return fmt.Errorf("%w; its output:\n%s", err, printed)
}

// readAddress reads r up to the end of the first line in which parse finds an address, and returns
// that.
func readAddress(r io.Reader, parse func([]byte) (string, error)) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; {
		_, err := io.ReadFull(r, b)
		switch {
		case errors.Is(err, io.EOF):
			return "", errors.New("it ended before it was ready")
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "", fmt.Errorf("it was not ready after %s", startLimit)
		case err != nil:
			return "", err
		case b[0] != '\n':
			line = append(line, b[0])
			continue
		}
		if found, err := parse(line); found != "" || err != nil {
			return found, err
		}
		line = line[:0]
	}
}

// memory returns the resident memory of the server's processes in MB. Shared pages count for each
// of them.
func (s *server) memory() (float64, error) { return residentTree("/proc", s.pid) }

// residentTree returns the resident memory, in MB, of pid and all its descendants. It reads the
// folder proc, in the layout of Linux's /proc.
func residentTree(proc string, pid int) (float64, error) {
	dirs, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return 0, err
	}
	children := map[int][]int{}
	kilobytes := map[int]int{}
	for _, dir := range dirs {
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue // the process has ended meanwhile
		}
		n, _ := strconv.Atoi(filepath.Base(dir))
		parent := statusNumber(status, "PPid")
		children[parent] = append(children[parent], n)
		kilobytes[n] = statusNumber(status, "VmRSS")
	}
	if kilobytes[pid] == 0 {
		return 0, fmt.Errorf("read memory of process %d: it is not running", pid)
	}
	sum := 0
	for tree := []int{pid}; len(tree) > 0; tree = tree[1:] {
		sum += kilobytes[tree[0]]
		tree = append(tree, children[tree[0]]...)
	}
	return float64(sum) / 1024, nil
}

// statusNumber returns the number in a line like "VmRSS:  1234 kB", or 0. A process that has ended
// and was not waited for has no memory.
func statusNumber(status []byte, field string) int {
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return n
		}
	}
	return 0
}
