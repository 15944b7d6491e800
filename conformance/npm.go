package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// fetch returns the folder name in the folder cache, where npm has installed pinned,
// "package@version". It installs the package if the folder is missing. If npm can't, the error is
// an unavailable.
func fetch(ctx context.Context, cache, name, pinned string, unavailable error) (string, error) {
	dir := filepath.Join(cache, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	// npm works in another folder, so that the cache has the whole package or nothing.
	fresh, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	defer os.RemoveAll(fresh)
	npm := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
		"--fetch-retries", "1", "--fetch-retry-mintimeout", "1000", "--prefix", fresh, pinned)
	if output, err := npm.CombinedOutput(); ctx.Err() != nil {
		return "", fmt.Errorf("fetch %s: %w", pinned, context.Cause(ctx))
	} else if err != nil {
		return "", fmt.Errorf("%w: npm install %s: %w\n%s", unavailable, pinned, err, output)
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, missing := os.Stat(dir); missing != nil { // otherwise another run was faster
			return "", fmt.Errorf("keep %s: %w", pinned, err)
		}
	}
	return dir, nil
}
