package cli

import (
	"bytes"
	"errors"
	"fmt"
	goversion "go/version"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// sdkGo is the version of Go that the SDK's go.mod names. The go line of a module that requires the
// SDK must not be older.
const sdkGo = "1.26"

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
	return nil // the module has the SDK elsewhere
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
	source, err := os.ReadFile(filepath.Join(a.sdk(), "go.mod"))
	if err != nil || modfile.ModulePath(source) != sdkModule {
		return failure("move it away: devtool keeps the SDK there", "%s exists and is not the SDK", a.sdk())
	}
	return nil
}

// path returns the module's own path.
func (m *goModule) path() string { return m.file.Module.Mod.Path }

// replaces reports whether go.mod replaces the module called path.
func (m *goModule) replaces(path string) bool {
	return slices.ContainsFunc(m.file.Replace, func(r *modfile.Replace) bool { return r.Old.Path == path })
}

// withSDK returns go.mod as `go get` would leave it after it had added the SDK, and what has
// changed. Comments and line endings stay.
func (m *goModule) withSDK() (after []byte, changes []string, err error) {
	f, err := modfile.Parse("go.mod", m.source, anyVersion)
	if err != nil {
		return nil, nil, err
	}
	required := []*modfile.Require{{Mod: module.Version{Path: sdkModule, Version: "v0.0.0"}}}
	for _, r := range f.Require {
		if r.Mod.Path == sdkModule {
			required = nil
			break
		}
		required = append(required, &modfile.Require{Mod: r.Mod, Indirect: r.Indirect})
	}
	if required != nil {
		f.SetRequireSeparateIndirect(required)
		changes = append(changes, "requires "+sdkModule)
	}
	if !m.replaces(sdkModule) {
		if err := f.AddReplace(sdkModule, "", "./"+sdkDir, ""); err != nil {
			return nil, nil, err
		}
		changes = append(changes, "replaces it by ./"+sdkDir)
	}
	if was := goVersion(f.Go); goversion.Compare("go"+was, "go"+sdkGo) < 0 {
		if err := f.AddGoStmt(sdkGo); err != nil {
			return nil, nil, err
		}
		changes = append(changes, fmt.Sprintf("go %s -> %s, which the SDK needs", was, sdkGo))
	}
	f.Cleanup()
	if after, err = f.Format(); err != nil {
		return nil, nil, err
	}
	if bytes.Contains(m.source, []byte("\r\n")) {
		after = bytes.ReplaceAll(after, []byte("\n"), []byte("\r\n"))
	}
	return after, changes, nil
}

// goVersion returns the version of a go line, or the one that the go command assumes without it.
func goVersion(line *modfile.Go) string {
	if line == nil {
		return "1.16"
	}
	return line.Version
}

// planIgnored plans the lines of dir's .gitignore that are missing.
func (a *addition) planIgnored(dir string) error {
	path := filepath.Join(dir, ".gitignore")
	before, err := os.ReadFile(path)
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
