package conformance

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// workerdVersion is the runtime that the cases were written for. Another version may rightly
// differ.
const workerdVersion = "1.20261117.1"

//go:embed twin.js
var twin []byte

// workerdConfig has the same worker, classes and compatibility date as the configuration of the Go
// program. The unique keys are wrangler's, so both sides derive the same ids.
const workerdConfig = `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "disk", disk = (path = "state", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "twin.js", esModule = embed "twin.js")],
  compatibilityDate = "2026-10-01",
  durableObjectNamespaces = [
    (className = "Probe", uniqueKey = "conformance-Probe", enableSql = true),
    (className = "Mute", uniqueKey = "conformance-Mute", enableSql = true),
    (className = "Plain", uniqueKey = "conformance-Plain"),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [
    (name = "PROBE", durableObjectNamespace = "Probe"),
    (name = "MUTE", durableObjectNamespace = "Mute"),
    (name = "PLAIN", durableObjectNamespace = "Plain"),
  ],
);
`

// ErrNoWorkerd is returned if nothing was compared, because the platform's runtime is missing and
// can't be fetched.
var ErrNoWorkerd = errors.New("workerd can't be fetched")

// fetchWorkerd returns the path of the platform's runtime in the folder cache. The first time, npm
// installs it there.
func fetchWorkerd(ctx context.Context, cache string) (string, error) {
	name, err := workerdPackage(runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return "", err
	}
	dir, err := fetch(ctx, cache, "workerd-"+workerdVersion, name+"@"+workerdVersion, ErrNoWorkerd)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "node_modules", filepath.FromSlash(name), "bin", "workerd"), nil
}

// workerdPackage returns npm's package of the runtime for a system.
func workerdPackage(system, machine string) (string, error) {
	names := map[string]string{
		"linux/amd64":  "@cloudflare/workerd-linux-64",
		"linux/arm64":  "@cloudflare/workerd-linux-arm64",
		"darwin/amd64": "@cloudflare/workerd-darwin-64",
		"darwin/arm64": "@cloudflare/workerd-darwin-arm64",
	}
	name, ok := names[system+"/"+machine]
	if !ok {
		return "", fmt.Errorf("%w: this suite can't run it for %s on %s", ErrNoWorkerd, system, machine)
	}
	return name, nil
}

// startWorkerd starts the runtime at the path binary with the twin program and fresh state below
// dir.
func startWorkerd(ctx context.Context, binary, dir string) (*server, error) {
	if err := os.MkdirAll(filepath.Join(dir, "state"), 0o755); err != nil {
		return nil, fmt.Errorf("make folder for workerd: %w", err)
	}
	for name, content := range map[string][]byte{"config.capnp": []byte(workerdConfig), "twin.js": twin} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("write configuration of workerd: %w", err)
		}
	}
	command := exec.CommandContext(ctx, binary, "serve", "--control-fd=3", "config.capnp")
	command.Dir = dir
	var address struct{ Port int }
	s, err := serve(ctx, command, func(f *os.File) { command.ExtraFiles = []*os.File{f} }, &address)
	if err != nil {
		return nil, err
	}
	s.url = fmt.Sprintf("http://127.0.0.1:%d/", address.Port)
	return s, nil
}
