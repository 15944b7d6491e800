package cli

import (
	"bytes"
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	goversion "go/version"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"devtool.internal/internal/safefile"
)

// maxGoMod bounds a go.mod or go.work file, in bytes. It is the go command's own limit for those
// that it downloads.
const maxGoMod = 16 << 20

const (
	sdkModule    = "devtool.internal"
	oldSDKModule = "devtool" // the module's path in the first projects
)

// sdkGo is the version of Go that the SDK's go.mod names. The go line of a module that requires the
// SDK must not be older.
const sdkGo = "1.26"

// goModule is a Go module, as its go.mod describes it.
type goModule struct {
	dir    string
	source []byte // of go.mod
	file   *modfile.File
}

// findModule returns the module that dir belongs to, or nil if dir is outside of any.
// The error for a go.mod that can't be parsed names its lines.
func findModule(s Streams, dir string) (*goModule, error) {
	path := findUpwards(dir, "go.mod")
	if path == "" {
		return nil, nil
	}
	source, err := safefile.ReadSource(path, maxGoMod)
	if err != nil {
		return nil, fmt.Errorf("read go.mod: %w", err)
	}
	file, err := modfile.Parse(s.short(path), source, anyVersion)
	if err != nil {
		return nil, fmt.Errorf("read go.mod: %w", err)
	}
	if file.Module == nil {
		return nil, fmt.Errorf("read go.mod: %s has no module line", s.short(path))
	}
	return &goModule{dir: filepath.Dir(path), source: source, file: file}, nil
}

// findUpwards returns the path of the file called name in dir or the nearest folder above it, or
// "".
func findUpwards(dir, name string) string {
	for {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
		above := filepath.Dir(dir)
		if above == dir {
			return ""
		}
		dir = above
	}
}

// anyVersion accepts each version as it is written: the go command knows which ones exist.
func anyVersion(_, version string) (string, error) { return version, nil }

// requires reports whether go.mod requires or replaces the module called path.
func (m *goModule) requires(path string) bool {
	return slices.ContainsFunc(m.file.Require, func(r *modfile.Require) bool { return r.Mod.Path == path }) ||
		slices.ContainsFunc(m.file.Replace, func(r *modfile.Replace) bool { return r.Old.Path == path })
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
	sdk := new(modfile.Require)
	sdk.Mod.Path, sdk.Mod.Version = sdkModule, "v0.0.0"
	required := []*modfile.Require{sdk}
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

// isSDKCopy reports whether folder is a copy of the SDK, of whatever version.
func isSDKCopy(folder string) bool {
	source, err := safefile.ReadSource(filepath.Join(folder, "go.mod"), maxGoMod)
	return err == nil && modfile.ModulePath(source) == sdkModule
}

// oldLine returns the first line of go.mod that names the SDK by its old path, or 0.
func (m *goModule) oldLine() int {
	line := 0
	note := func(path string, at *modfile.Line) {
		if path == oldSDKModule && (line == 0 || at.Start.Line < line) {
			line = at.Start.Line
		}
	}
	for _, r := range m.file.Require {
		note(r.Mod.Path, r.Syntax)
	}
	for _, r := range m.file.Replace {
		note(r.Old.Path, r.Syntax)
	}
	return line
}

// replacedSDK returns the folder that replaces the SDK's module in a go.mod or go.work, which is in
// dir. It returns "" if none does.
func replacedSDK(dir string, replace []*modfile.Replace) string {
	for _, r := range replace {
		if r.Old.Path == sdkModule && modfile.IsDirectoryPath(r.New.Path) {
			return absolute(dir, r.New.Path)
		}
	}
	return ""
}

// absolute returns the folder that path, of a go.mod or go.work in dir, stands for.
func absolute(dir, path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// refuseModule returns an error if the go command, called in dir, could not find the SDK of this
// program. It leaves what else is wrong with the module to the go command.
func refuseModule(s Streams, dir string) error {
	if err := refuseOldModule(s, dir); err != nil {
		return err
	}
	if err := refuseWithoutSDK(s, dir); err != nil {
		return err
	}
	return refuseConflict(s, dir)
}

// refuseWithoutSDK returns an error if the module that dir belongs to imports the SDK, but does not
// require it. In a workspace, another module may provide the SDK.
func refuseWithoutSDK(s Streams, dir string) error {
	m, err := findModule(s, dir)
	if err != nil || m == nil || m.path() == sdkModule || m.requires(sdkModule) {
		return nil //nolint:nilerr // the go command says it better
	}
	if w := findWorkspace(s, dir); w != nil && goUses(w.path, dir) {
		return nil
	}
	at, path := m.firstImport(isSDK)
	if at == "" {
		return nil
	}
	return failure(fmt.Sprintf("run `devtool init --into` in %s to add it", m.dir),
		"%s lacks the SDK's module, %s, but %s imports %s", s.short(filepath.Join(m.dir, "go.mod")), sdkModule,
		s.short(filepath.Join(m.dir, at)), path)
}

func isSDK(path string) bool { return within(path, sdkModule) }

// importHint returns what to do about a complaint of the go command, called in dir, that comes from
// an import of the SDK. It is empty for other complaints.
func importHint(s Streams, dir, complaint string) string {
	if hint := oldImportHint(s, dir, complaint); hint != "" {
		return hint
	}
	if strings.Contains(complaint, "go.mod file not found in current directory") {
		return fmt.Sprintf("run `go mod init NAME` and then `devtool init --into` in %s", dir)
	}
	if !strings.Contains(complaint, sdkModule+"/") {
		return ""
	}
	m, err := findModule(s, dir)
	if err != nil || m == nil || (m.requires(sdkModule) && m.replaces(sdkModule)) {
		return ""
	}
	return fmt.Sprintf("run `devtool init --into` in %s to add the SDK's module, %s", m.dir, sdkModule)
}

// refuseOldModule returns an error if the module that dir belongs to names the SDK by its old path.
func refuseOldModule(s Streams, dir string) error {
	m, err := findModule(s, dir)
	if err != nil || m == nil || m.oldLine() == 0 {
		return nil //nolint:nilerr // the go command says it better
	}
	return failure(fmt.Sprintf("run `devtool init --upgrade` in %s to change go.mod and the imports", m.dir),
		"%s:%d: the SDK's module is called %s now, not %s",
		s.short(filepath.Join(m.dir, "go.mod")), m.oldLine(), sdkModule, oldSDKModule)
}

// oldImportHint returns what to do about a complaint of the go command, called in dir, that comes
// from an import with the old path. It is empty for other complaints.
func oldImportHint(s Streams, dir, complaint string) string {
	if !strings.Contains(complaint, oldSDKModule+"/") { // the complaint would quote the import
		return ""
	}
	m, err := findModule(s, dir)
	if err != nil || m == nil {
		return ""
	}
	at, path := m.firstImport(m.ofOldSDK)
	if at == "" {
		return ""
	}
	return fmt.Sprintf("the SDK's module is called %s now, but %s imports %s: run `devtool init --upgrade` in %s",
		sdkModule, s.short(filepath.Join(m.dir, at)), path, m.dir)
}

// firstImport returns the place, as file:line, and the path of the first import that wanted
// accepts. They are empty if there is none.
func (m *goModule) firstImport(wanted func(path string) bool) (at, path string) {
	names, err := m.goFiles()
	if err != nil {
		return "", ""
	}
	for _, name := range names {
		files := token.NewFileSet()
		parsed, err := parseGo(files, filepath.Join(m.dir, name), goparser.ImportsOnly)
		if err != nil {
			continue // the go command says so
		}
		for _, spec := range parsed.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil && wanted(path) {
				return fmt.Sprintf("%s:%d", name, files.PositionFor(spec.Pos(), false).Line), path
			}
		}
	}
	return "", ""
}

// parseGo is goparser.ParseFile for a file of the project. It reads no pipe and no endless file.
func parseGo(files *token.FileSet, path string, mode goparser.Mode) (*ast.File, error) {
	source, err := safefile.ReadSource(path, safefile.MaxSource)
	if err != nil {
		return nil, err
	}
	return goparser.ParseFile(files, path, source, mode)
}

// ofOldSDK reports whether path is that of a package of the SDK under its old path. Other modules
// may begin with the same word.
func (m *goModule) ofOldSDK(path string) bool {
	if !within(path, oldSDKModule) {
		return false
	}
	others := []string{m.file.Module.Mod.Path}
	for _, r := range m.file.Require {
		others = append(others, r.Mod.Path)
	}
	return !slices.ContainsFunc(others, func(other string) bool {
		return within(path, other) && (other != oldSDKModule || other == m.file.Module.Mod.Path)
	})
}

// within reports whether path is that of module or of a package in it.
func within(path, module string) bool {
	return path == module || strings.HasPrefix(path, module+"/")
}

// renamed returns the present form of a path of the old SDK.
func renamed(path string) string { return sdkModule + strings.TrimPrefix(path, oldSDKModule) }

// goFiles returns the Go files that ./... stands for, whatever system they are for, relative to the
// module. So other modules, vendor, testdata and folders that begin with a dot or underscore are
// left out.
func (m *goModule) goFiles() ([]string, error) {
	var names []string
	err := filepath.WalkDir(m.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == m.dir {
			return err
		}
		name := entry.Name()
		ignored := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
		switch {
		case entry.IsDir() && (ignored || name == "vendor" || name == "testdata" || isModule(path)):
			return fs.SkipDir
		case entry.IsDir() || ignored || filepath.Ext(name) != ".go" || !isFile(path):
			return nil
		}
		relative, err := filepath.Rel(m.dir, path)
		names = append(names, relative)
		return err
	})
	return names, err
}

func isModule(dir string) bool { return isFile(filepath.Join(dir, "go.mod")) }

// isFile reports whether path is a file, or a symbolic link to one.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
