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
	// source is the file that is edited where saving it is measured.
	source(program string) string
	// command returns the command that serves program and keeps its state in the folder state. It writes lines to
	// ready, one of them when the server takes requests.
	command(ctx context.Context, program, state string, ready *os.File) *exec.Cmd
	// address finds the server's host:port in such a line. It is empty if another line is to tell.
	address(line []byte) (string, error)
}

// startLimit bounds how long a server may take until it is ready, and stopLimit how long until it has ended.
const (
	startLimit = 2 * time.Minute
	stopLimit  = 10 * time.Second
)

// A server is a side that serves one of the programs.
type server struct {
	address string
	source  string    // see side
	started time.Time // when its process was
	pid     int
	// stop ends the server and returns what it has said.
	stop func() string
}

// start starts a server with the empty folder state. The caller stops it. What it says counts only if it fails.
func start(ctx context.Context, s side, program, state string) (_ *server, err error) {
	fail := func(err error) (*server, error) {
		return nil, fmt.Errorf("start %s with %s: %w", s.name(), program, err)
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fail(err)
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var output bytes.Buffer
	cmd := s.command(ctx, program, state, theirs)
	cmd.Stderr = &output
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopLimit
	started := time.Now()
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		cancel()
		ready.Close()
		return fail(err)
	}
	stop := func() string {
		cancel()
		cmd.Wait() //nolint:errcheck // it was told to end; how it does is not what is measured
		ready.Close()
		return strings.TrimSpace(output.String())
	}
	if err := ready.SetReadDeadline(time.Now().Add(startLimit)); err != nil {
		stop()
		return fail(err)
	}
	address, err := lineThatTells(ready, s.address)
	if err != nil {
		return fail(quoting(err, stop()))
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		ready.SetReadDeadline(time.Time{}) //nolint:errcheck // it could be set before
		io.Copy(io.Discard, ready)         //nolint:errcheck // what else it says is of no interest
	}()
	return &server{address: address, source: s.source(program), started: started, pid: cmd.Process.Pid, stop: func() string {
		said := stop()
		<-read
		return said
	}}, nil
}

// quoting is err with what the server has said, if it has said anything.
func quoting(err error, said string) error {
	if said == "" {
		return err
	}
	return fmt.Errorf("%w; it said:\n%s", err, said)
}

// lineThatTells reads r up to the end of the first line of which parse makes something, and returns that.
func lineThatTells(r io.Reader, parse func([]byte) (string, error)) (string, error) {
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

// memory is the resident memory of the server's processes in MB. Pages that they share count for each of them.
func (s *server) memory() (float64, error) { return residentTree("/proc", s.pid) }

// residentTree reads from the folder proc, in the layout of Linux's /proc, what pid and all that descends from
// it have in memory, in MB.
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
			continue // it has ended meanwhile
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

// statusNumber is the number of a line like "VmRSS:  1234 kB", or 0: a process that has ended and was not waited
// for has no memory.
func statusNumber(status []byte, field string) int {
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return n
		}
	}
	return 0
}
