package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

//go:embed peer
var peerFiles embed.FS

// A workerd is the side that is compared with.
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
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the cache folder: %w", err)
		}
		if w.binary, err = fetchWorkerd(ctx, filepath.Join(cache, "devtool-peer"), notes); err != nil {
			return nil, err
		}
	}
	var err error
	if w.released, err = output(exec.CommandContext(ctx, w.binary, "--version")); err != nil {
		return nil, fmt.Errorf("ask workerd for its version: %w", err)
	}
	return w, nil
}

// fetchWorkerd brings the newest workerd into dir, and returns its path. When npm is not there or can't be reached, one
// that was fetched before is good enough.
func fetchWorkerd(ctx context.Context, dir string, notes io.Writer) (string, error) {
	architectures := map[string]string{"amd64": "64", "arm64": "arm64"}
	architecture, ok := architectures[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" {
		return "", fmt.Errorf("this machine is %s/%s: the comparison runs on linux/amd64 and linux/arm64, where npm has workerd and /proc tells memory",
			runtime.GOOS, runtime.GOARCH)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create folder for workerd: %w", err)
	}
	name := "@cloudflare/workerd-linux-" + architecture
	binary := filepath.Join(dir, "node_modules", filepath.FromSlash(name), "bin", "workerd")
	_, err := output(exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--loglevel", "error", name+"@latest"))
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	_, missing := os.Stat(binary)
	switch {
	case err == nil && missing == nil:
		return binary, nil
	case err != nil && missing == nil:
		fmt.Fprintf(notes, "npm can't fetch the latest workerd, so the one fetched before is used: %s\n", firstOf(err))
		return binary, nil
	case err == nil:
		return "", fmt.Errorf("install %s: npm has left no %s", name, binary)
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("install %s: there is no npm on this machine: install Node.js, or name a workerd with -workerd FILE", name)
	}
	return "", fmt.Errorf("install %s: npm can't fetch it (%s): check the network, or name a workerd with -workerd FILE", name, firstOf(err))
}

// firstOf is the first line of err without npm's prefixes.
func firstOf(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(strings.TrimPrefix(line, "npm error "), "npm ERR! ")
}

func (w *workerd) name() string { return "workerd" }

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
		return "", fmt.Errorf("read its control message: %s does not say where it listens", line)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(message.Port)), nil
}
