package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devtool.internal/internal/safefile"
)

// planModule plans the lines of go.mod and checks that the SDK's copy has a place.
func (a *addition) planModule() error {
	after, changes, err := a.m.withSDK()
	if err != nil {
		return fmt.Errorf("edit go.mod: %w", err)
	}
	if len(changes) > 0 {
		path := filepath.Join(a.m.dir, "go.mod")
		if err := a.add(path, a.m.source, after, strings.Join(changes, "; ")); err != nil {
			return err
		}
	}
	if !a.m.replaces(sdkModule) || replacedSDK(a.m.dir, a.m.file.Replace) == a.sdk() {
		return a.refuseOccupied()
	}
	return a.refuseElsewhere()
}

// refuseElsewhere returns an error if go.mod names a folder for the SDK that does not have it.
func (a *addition) refuseElsewhere() error {
	folder := replacedSDK(a.m.dir, a.m.file.Replace)
	if folder == "" || isSDKCopy(folder) {
		return nil
	}
	return failure("remove that replace line from go.mod, and run the command again",
		"go.mod replaces %s by %s, which is not the SDK", sdkModule, folder)
}

// sdk returns the folder of the SDK's copy.
func (a *addition) sdk() string { return filepath.Join(a.m.dir, filepath.FromSlash(sdkDir)) }

// refuseOccupied returns an error if the SDK's folder is something else: writing the copy removes
// all other files in it.
func (a *addition) refuseOccupied() error {
	for _, folder := range []string{filepath.Dir(a.sdk()), a.sdk()} {
		if info, err := os.Stat(folder); err == nil && !info.IsDir() {
			return failure("move it away: devtool keeps the SDK below .devtool", "%s is a file", folder)
		}
	}
	entries, err := os.ReadDir(a.sdk())
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into folder: %w", err)
	}
	if !isSDKCopy(a.sdk()) {
		return failure("move it away: devtool keeps the SDK there", "%s exists and is not the SDK", a.sdk())
	}
	return nil
}

// planIgnored plans the lines of dir's .gitignore that are missing.
func (a *addition) planIgnored(dir string) error {
	path := filepath.Join(dir, ".gitignore")
	before, err := safefile.ReadSource(path, safefile.MaxSource)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read .gitignore: %w", err)
	}
	present := strings.Split(strings.ReplaceAll(string(before), "\r\n", "\n"), "\n")
	has := func(lines ...string) bool {
		return slices.ContainsFunc(lines, func(line string) bool { return slices.Contains(present, line) })
	}
	var missing []string
	if !has(".devtool/*", "/.devtool/*") ||
		!has("!.devtool/sdk", "!.devtool/sdk/", "!/.devtool/sdk", "!/.devtool/sdk/") {
		missing = append(missing, ignoreDevtool...)
	}
	if !slices.ContainsFunc(present, func(line string) bool { return strings.HasPrefix(line, ".dev.vars") }) {
		missing = append(missing, ignoreDevVars...)
	}
	if missing == nil {
		return nil
	}
	added := strings.Join(missing, "\n") + "\n"
	if len(before) == 0 {
		return a.add(path, before, []byte(added), plural(int64(len(missing)), "line"))
	}
	if before[len(before)-1] != '\n' {
		added = "\n" + added
	}
	return a.add(path, before, append(slices.Clip(before), added...), plural(int64(len(missing)), "line")+" added")
}
