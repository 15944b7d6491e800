package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

//go:embed peer
var peerFiles embed.FS

// A workerd is the peer of raw workerd.
type workerd struct {
	binary   string
	released string // its version
	config   string // file of the twins' configuration
}

var _ side = (*workerd)(nil)

// newWorkerd writes the twins below work, and fetches workerd unless binary names one.
func newWorkerd(ctx context.Context, work, binary string, notes io.Writer) (*workerd, error) {
	w := &workerd{binary: binary, config: filepath.Join(work, "peer", "config.capnp")}
	if err := os.CopyFS(work, peerFiles); err != nil {
		return nil, fmt.Errorf("write the twins: %w", err)
	}
	if binary == "" {
		cache, err := peerCache()
		if err != nil {
			return nil, err
		}
		if w.binary, err = fetchWorkerd(ctx, cache, notes); err != nil {
			return nil, err
		}
	}
	var err error
	if w.released, err = output(exec.CommandContext(ctx, w.binary, "--version")); err != nil {
		return nil, fmt.Errorf("ask workerd for its version: %w", err)
	}
	return w, nil
}

// fetchWorkerd installs the newest workerd in dir, and returns its path.
func fetchWorkerd(ctx context.Context, dir string, notes io.Writer) (string, error) {
	architecture, err := npmArchitecture()
	if err != nil {
		return "", err
	}
	p := npmPackage{
		name:    "@cloudflare/workerd-linux-" + architecture,
		version: "latest",
		file:    "bin/workerd",
		instead: "name a workerd with -workerd FILE",
	}
	return p.fetch(ctx, dir, notes)
}

func (w *workerd) name() string { return "workerd" }

func (w *workerd) source(string) string { return "" }

func (w *workerd) version() string { return w.released }

func (w *workerd) command(ctx context.Context, program, state string, ready *os.File) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.binary, "serve", w.config, program,
		"--socket-addr=http=127.0.0.1:0", "--directory-path=storage="+state, "--control-fd=3")
	cmd.ExtraFiles = []*os.File{ready}
	return cmd
}

func (w *workerd) address(line []byte) (string, error) {
	var message struct {
		Event string
		Port  int
	}
	if err := json.Unmarshal(line, &message); err != nil {
		return "", fmt.Errorf("read its control message: %w", err)
	}
	if message.Event != "listen" || message.Port == 0 {
		return "", fmt.Errorf("read its control message: %s has no address", line)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(message.Port)), nil
}
