package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A wrangler is the peer `wrangler dev`, for the loop from a save to its answer.
type wrangler struct {
	node, script string
	released     string // its version
	project      string
}

var _ side = (*wrangler)(nil)

// wranglerNode is the version of Node.js for wrangler. npm supplies it, because many machines have
// one too old for wrangler.
const wranglerNode = "22"

// newWrangler creates a project of the twin below work, and fetches wrangler.
func newWrangler(ctx context.Context, work string, notes io.Writer) (*wrangler, error) {
	if _, err := npmArchitecture(); err != nil {
		return nil, err
	}
	w := &wrangler{project: filepath.Join(work, "wrangler")}
	if err := os.MkdirAll(w.project, 0o700); err != nil {
		return nil, fmt.Errorf("create folder for wrangler's project: %w", err)
	}
	for _, file := range []string{"bench.js", "wrangler.jsonc"} {
		b, err := peerFiles.ReadFile("peer/" + file)
		if err == nil {
			err = os.WriteFile(filepath.Join(w.project, file), b, 0o600)
		}
		if err != nil {
			return nil, fmt.Errorf("write wrangler's project: %w", err)
		}
	}
	cache, err := peerCache()
	if err != nil {
		return nil, err
	}
	const instead = "leave it out with -only workerd"
	// It needs a folder of its own: its dependencies would replace the workerd in the shared one.
	dir := filepath.Join(cache, "wrangler")
	script := npmPackage{name: "wrangler", version: "latest", file: "wrangler-dist/cli.js", instead: instead}
	if w.script, err = script.fetch(ctx, dir, notes); err != nil {
		return nil, err
	}
	node := npmPackage{name: "node", version: wranglerNode, file: "bin/node", instead: instead}
	if w.node, err = node.fetch(ctx, dir, notes); err != nil {
		return nil, err
	}
	if w.released, err = output(w.run(ctx, "--version")); err != nil {
		return nil, fmt.Errorf("ask wrangler for its version: %w", err)
	}
	w.released = "wrangler " + w.released
	return w, nil
}

// run returns wrangler without the process that usually starts it and waits, which only costs
// memory.
func (w *wrangler) run(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.node, append([]string{"--no-warnings", w.script}, args...)...)
	cmd.Dir = w.project
	// These settings keep it from fetching updates and sample requests from the network.
	cmd.Env = append(os.Environ(), "CI=1", "NO_COLOR=1", "WRANGLER_SEND_METRICS=false", "WRANGLER_HIDE_BANNER=true",
		"CLOUDFLARE_CF_FETCH_ENABLED=false", "CLOUDFLARE_ENV=")
	return cmd
}

func (w *wrangler) name() string { return "wrangler dev" }

func (w *wrangler) version() string { return w.released }

func (w *wrangler) source(string) string { return filepath.Join(w.project, "bench.js") }

func (w *wrangler) command(ctx context.Context, _, state string, ready *os.File) *exec.Cmd {
	cmd := w.run(ctx, "dev", "--ip", "127.0.0.1", "--port", "0", "--persist-to", state,
		"--show-interactive-dev-session=false")
	cmd.Stdout = ready
	return cmd
}

// address finds the address in the line "Ready on".
func (w *wrangler) address(line []byte) (string, error) {
	_, where, found := strings.Cut(string(line), "Ready on ")
	if !found {
		return "", nil
	}
	u, err := url.Parse(strings.TrimSpace(where))
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("read its address: %q", line)
	}
	return u.Host, nil
}
