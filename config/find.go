package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNotFound is the error of Find when it finds no file. Find wraps it with the folder it started
// from.
var ErrNotFound = errors.New("no wrangler.json, wrangler.jsonc or wrangler.toml")

// fileNames are in the order in which wrangler prefers them within one folder.
var fileNames = []string{"wrangler.json", "wrangler.jsonc", "wrangler.toml"}

// Find returns the absolute path of the configuration file in dir, or in the nearest folder above
// that has one. If a folder has several, wrangler.json takes precedence over wrangler.jsonc, and
// that over wrangler.toml.
//
// Wrangler does not always choose the same file: see WranglersChoice.
func Find(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find config: %w", err)
	}
	path, err := nearestFile(start, fileNames)
	if err != nil {
		return "", fmt.Errorf("find config: %w", err)
	}
	if path == "" {
		return "", fmt.Errorf("%w in %s or any folder above it: run `devtool init` to write one, "+
			"or name a file with --config", ErrNotFound, start)
	}
	return path, nil
}

// redirectFile is where build tools write the path of a configuration that they have generated.
var redirectFile = filepath.Join(".wrangler", "deploy", "config.json")

// WranglersChoice returns the file that `wrangler dev` would read in dir, and why, if that is not
// the file at path, which Find returned. It returns "" if both agree. They differ in two cases:
//
//   - Wrangler looks for each name up to the root before it tries the next name. So a wrangler.json
//     far outside shadows the project's own wrangler.jsonc.
//   - A build tool has written .wrangler/deploy/config.json, which redirects wrangler to a file
//     that the tool has generated for JavaScript.
func WranglersChoice(dir, path string) (choice, why string) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", ""
	}
	choice = path
	for _, name := range fileNames {
		if first, err := nearestFile(start, []string{name}); err == nil && first != "" {
			choice, why = first, "it looks for "+name+" in all folders first"
			break
		}
	}
	if redirect, err := nearestFile(start, []string{redirectFile}); err == nil && redirect != "" {
		if target := redirectTarget(redirect); target != "" {
			choice, why = target, redirect+" redirects it"
		}
	}
	if choice == path {
		return "", ""
	}
	return choice, why
}

// redirectTarget returns the path in a redirect file, or "" if it can't be read: wrangler reports
// that itself.
func redirectTarget(path string) string {
	data, err := readFile(path)
	if err != nil {
		return ""
	}
	var redirect struct {
		ConfigPath string `json:"configPath"`
	}
	if err := json.Unmarshal(data, &redirect); err != nil || redirect.ConfigPath == "" {
		return ""
	}
	if filepath.IsAbs(redirect.ConfigPath) {
		return redirect.ConfigPath
	}
	return filepath.Join(filepath.Dir(path), redirect.ConfigPath)
}

// nearestFile returns the first of names in start, or in the nearest folder above that has one, or
// "".
func nearestFile(start string, names []string) (string, error) {
	for folder := start; ; folder = filepath.Dir(folder) {
		for _, name := range names {
			path := filepath.Join(folder, name)
			info, err := os.Stat(path)
			switch {
			case err == nil && info.Mode().IsRegular():
				return path, nil
			case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
				return "", err
			}
		}
		if folder == filepath.Dir(folder) {
			return "", nil
		}
	}
}
