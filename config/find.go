package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNotFound is what Find returns, with the folder it started from, when there is no file to read.
var ErrNotFound = errors.New("no wrangler.json, wrangler.jsonc or wrangler.toml")

// fileNames in the order in which wrangler prefers them within one folder.
var fileNames = []string{"wrangler.json", "wrangler.jsonc", "wrangler.toml"}

// Find returns the absolute path of the configuration file in dir, or in the nearest folder above it that has one.
// Where a folder has several, wrangler.json goes before wrangler.jsonc and that before wrangler.toml.
//
// Wrangler itself looks for each name up to the root before it tries the next name, so that a wrangler.json far
// outside shadows the project's own wrangler.jsonc. Find does not follow it there.
func Find(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find config: %w", err)
	}
	for folder := start; ; folder = filepath.Dir(folder) {
		for _, name := range fileNames {
			path := filepath.Join(folder, name)
			info, err := os.Stat(path)
			switch {
			case err == nil && info.Mode().IsRegular():
				return path, nil
			case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
				return "", fmt.Errorf("find config: %w", err)
			}
		}
		if folder == filepath.Dir(folder) {
			return "", fmt.Errorf("%w in %s or any folder above it: run `devtool init` to write one, "+
				"or name a file with --config", ErrNotFound, start)
		}
	}
}
