package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// An npmPackage is a package that npm fetches.
type npmPackage struct {
	name    string
	version string
	file    string // the needed file, slash-separated, in the package's folder
	instead string // what to do if the package is unavailable, besides checking the network
}

// peerCache returns the folder that keeps the peers between runs.
func peerCache() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(cache, "devtool-peer"), nil
}

// npmArchitecture returns the name of this machine's architecture in the packages of workerd.
func npmArchitecture() (string, error) {
	architecture, ok := map[string]string{"amd64": "64", "arm64": "arm64"}[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" {
		return "", fmt.Errorf("this machine is %s/%s: the comparison needs linux/amd64 or linux/arm64, "+
			"where npm has workerd and /proc reports memory", runtime.GOOS, runtime.GOARCH)
	}
	return architecture, nil
}

// fetch installs the package in dir, and returns the path of its file. If npm is missing or can't
// reach the network, fetch uses a package from an earlier run.
func (p npmPackage) fetch(ctx context.Context, dir string, notes io.Writer) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create folder for %s: %w", p.name, err)
	}
	file := filepath.Join(dir, "node_modules", filepath.FromSlash(p.name), filepath.FromSlash(p.file))
	_, err := output(exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund",
		"--loglevel", "error", p.name+"@"+p.version))
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	_, missing := os.Stat(file)
	switch {
	case err == nil && missing == nil:
		return file, nil
	case err != nil && missing == nil:
		fmt.Fprintf(notes, "npm can't fetch %s; using the one fetched before: %s\n", p.name, firstLine(err))
		return file, nil
	case err == nil:
		return "", fmt.Errorf("install %s: npm has not installed %s", p.name, file)
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("install %s: this machine has no npm: install Node.js, or %s", p.name, p.instead)
	}
	return "", fmt.Errorf("install %s: npm can't fetch it (%s): check the network, or %s",
		p.name, firstLine(err), p.instead)
}

// firstLine returns the first line of err without npm's prefixes.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(strings.TrimPrefix(line, "npm error "), "npm ERR! ")
}
