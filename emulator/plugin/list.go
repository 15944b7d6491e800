package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// goPackage is a package as `go list` describes it.
type goPackage struct {
	Dir           string
	ImportPath    string
	Standard      bool
	DepOnly       bool
	Module        *goModule
	GoFiles       []string
	CgoFiles      []string
	CFiles        []string
	CXXFiles      []string
	MFiles        []string
	HFiles        []string
	FFiles        []string
	SFiles        []string
	SwigFiles     []string
	SwigCXXFiles  []string
	SysoFiles     []string
	EmbedPatterns []string
	EmbedFiles    []string
}

const packageFields = "-json=Dir,ImportPath,Standard,DepOnly,Module,GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles," +
	"FFiles,SFiles,SwigFiles,SwigCXXFiles,SysoFiles,EmbedPatterns,EmbedFiles"

type goModule struct {
	Path    string
	Main    bool
	Version string
	Dir     string
	GoMod   string
	Replace *goModule
}

// local returns the module, or the one that replaces it, if the user may edit it: go has not
// downloaded it.
func (m *goModule) local() *goModule {
	switch {
	case m == nil:
		return nil
	case m.Main:
		return m
	case m.Replace != nil && m.Replace.Version == "":
		return m.Replace
	}
	return nil
}

// files returns the names of the files that go compiles or embeds, relative to the package.
func (p *goPackage) files() []string {
	return slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.HFiles, p.FFiles, p.SFiles,
		p.SwigFiles, p.SwigCXXFiles, p.SysoFiles, p.EmbedFiles)
}

// AssumedInputs returns the inputs that are known without asking go: the program's own folder, and
// the files that decide where the modules are.
func (b *Builder) AssumedInputs(roots []string) *Inputs {
	in := newInputs(roots)
	l := listing{b: b, dir: realPath(b.dir()), in: in}
	l.addPlaces()
	l.addWorkspaces()
	if work := lookup(b.environ(), "GOWORK"); work != "" && work != "off" {
		l.addWork(work)
	}
	return in
}

// Inputs asks go what the program is built from. roots are the folders that are watched with
// everything below them. It costs about as much as a build that has nothing to do. It also works
// for a program that does not build. The error says why go could not even list the packages.
func (b *Builder) Inputs(ctx context.Context, roots []string) (*Inputs, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("list packages of %s: %w", b.Package, err)
	}
	out, err := b.runGo(ctx, "list", "-e", "-deps", packageFields, "--", b.Package)
	if err != nil {
		return nil, fmt.Errorf("list packages of %s: %w", b.Package, err)
	}
	packages, err := decodeAll[goPackage](out)
	if err != nil {
		return nil, fmt.Errorf("list packages of %s: %w", b.Package, err)
	}
	env, err := b.runGo(ctx, "env", "-json", "GOWORK")
	if err != nil {
		return nil, fmt.Errorf("find go.work: %w", err)
	}
	var settings struct{ GOWORK string }
	if err := json.Unmarshal([]byte(env), &settings); err != nil {
		return nil, fmt.Errorf("find go.work: %w", err)
	}
	l := listing{b: b, dir: realPath(b.dir()), in: newInputs(roots), modules: make(map[string]string)}
	l.addPlaces()
	switch settings.GOWORK {
	case "off":
	case "":
		l.addWorkspaces()
	default:
		l.addWorkspaces()
		l.addWork(settings.GOWORK)
	}
	for _, p := range packages {
		l.addModule(p.Module)
	}
	for _, p := range packages {
		if p.Dir != "" && !p.Standard && l.editable(&p) {
			l.addPackage(&p)
		}
	}
	if err := l.addMissing(ctx, packages); err != nil {
		return nil, err
	}
	return l.in, nil
}

// decodeAll decodes JSON values that follow each other.
func decodeAll[T any](text string) ([]T, error) {
	var all []T
	for values := json.NewDecoder(strings.NewReader(text)); ; {
		var v T
		if err := values.Decode(&v); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
}

// dir returns the folder in which go runs.
func (b *Builder) dir() string {
	if dir, err := filepath.Abs(b.Dir); err == nil {
		return dir
	}
	return b.Dir
}

// runGo runs the go command and returns its output.
func (b *Builder) runGo(ctx context.Context, args ...string) (string, error) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, goTool, args...)
	cmd.Dir, cmd.Env = b.Dir, b.environ()
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) && len(failed.Stderr) > 0 {
		err = errors.New(strings.TrimSpace(string(failed.Stderr)))
	}
	return string(out), err
}

// listing collects the inputs of a builder's program.
type listing struct {
	b       *Builder
	dir     string // in which go runs, as a real path
	in      *Inputs
	modules map[string]string // from the path of a module that the user may edit to its folder
	vendors []string          // folders with copies of dependencies
}

// addPlaces adds what go looks for before it knows any package: the program's own folder, and the
// nearest go.mod in or above the folder in which go runs.
func (l *listing) addPlaces() {
	main := absolute(l.dir, filepath.FromSlash(l.b.Package))
	l.in.folder(main, nil)
	l.in.file(filepath.Join(main, "default.pgo"))
	for _, f := range goFlags(l.b.environ()) {
		switch path := absolute(l.dir, f.value); {
		case f.value == "":
		case f.name == "modfile":
			l.in.file(path)
			l.in.file(strings.TrimSuffix(path, ".mod") + ".sum")
		case f.name == "overlay", f.name == "pgo" && f.value != "auto" && f.value != "off":
			l.in.file(path)
		}
	}
	root := nearest(l.dir, "go.mod")
	l.addModFiles(l.dir, root)
	if root != "" {
		l.addVendor(root)
	}
}

// addModFiles adds go.mod and go.sum of each folder from folder up to root: a new one there takes
// the packages below it out of root's module. Without a root it adds those of folder only.
func (l *listing) addModFiles(folder, root string) {
	for at := folder; ; at = filepath.Dir(at) {
		l.in.file(filepath.Join(at, "go.mod"))
		l.in.file(filepath.Join(at, "go.sum"))
		if at == root || root == "" || !isBelow(at, root) || at == filepath.Dir(at) {
			return
		}
	}
}

// addWorkspaces adds the places where go would find a go.work file: in each folder up to the one
// above the module, or up to the root of the repository if that is higher.
func (l *listing) addWorkspaces() {
	last := filepath.Dir(l.dir)
	if root := nearest(l.dir, "go.mod"); root != "" {
		last = filepath.Dir(root)
	}
	if repository := nearest(l.dir, ".git"); repository != "" && isBelow(last, repository) {
		last = repository
	}
	for at := l.dir; ; at = filepath.Dir(at) {
		l.addWork(filepath.Join(at, "go.work"))
		if at == last || at == filepath.Dir(at) {
			return
		}
	}
}

func (l *listing) addWork(path string) {
	l.in.file(path)
	l.in.file(path + ".sum")
	if _, err := os.Stat(path); err == nil {
		l.addVendor(filepath.Dir(path))
	}
}

// addVendor adds the list of the dependencies that folder may have a copy of. `go mod vendor`
// writes it last.
func (l *listing) addVendor(folder string) {
	vendor := filepath.Join(folder, "vendor")
	l.vendors = append(l.vendors, realPath(vendor))
	l.in.file(filepath.Join(vendor, modulesFile))
}

// addModule adds the files of a module that the user may edit.
func (l *listing) addModule(m *goModule) {
	own := m.local()
	if own == nil || own.Dir == "" || l.modules[m.Path] != "" {
		return
	}
	l.modules[m.Path] = own.Dir
	if own.GoMod != "" {
		l.in.file(own.GoMod)
		l.in.file(strings.TrimSuffix(own.GoMod, ".mod") + ".sum")
	}
	if m.Main {
		l.addVendor(own.Dir)
	}
}

// editable reports whether the user may edit the package, which is not of the standard library. A
// copy in a vendor folder is part of the project.
func (l *listing) editable(p *goPackage) bool {
	return p.Module == nil || p.Module.local() != nil ||
		slices.ContainsFunc(l.vendors, func(vendor string) bool { return isBelow(realPath(p.Dir), vendor) })
}

func (l *listing) addPackage(p *goPackage) {
	l.in.folder(p.Dir, p.EmbedPatterns)
	if isLink(p.Dir) {
		l.in.file(p.Dir)
	}
	for _, name := range p.EmbedFiles {
		l.in.file(filepath.Join(p.Dir, name))
	}
	for _, name := range p.files() {
		if path := filepath.Join(p.Dir, name); isLink(path) {
			l.in.file(path)
		}
	}
	if m := p.Module.local(); m != nil && m.Dir != "" {
		l.addModFiles(realPath(p.Dir), realPath(m.Dir))
	}
}

// absolute returns path, which may be relative to folder.
func absolute(folder, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(folder, path)
}

// isLink reports whether path is a symbolic link.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// addMissing adds the folders in which the packages would be that go has not found.
func (l *listing) addMissing(ctx context.Context, packages []goPackage) error {
	asked := false
	for _, p := range packages {
		if p.Dir != "" || p.Standard {
			continue
		}
		folder := l.folderOf(p.ImportPath)
		if folder == "" && !asked {
			// None of its module's packages is used so far. Go lists no modules where dependencies
			// are vendored. There, `go mod vendor` adds the package.
			asked = true
			out, err := l.b.runGo(ctx, "list", "-m", "-e", "-json=Path,Main,Version,Dir,GoMod,Replace", "all")
			if ctx.Err() != nil {
				return err
			}
			if modules, err := decodeAll[goModule](out); err == nil {
				for _, m := range modules {
					l.addModule(&m)
				}
			}
			folder = l.folderOf(p.ImportPath)
		}
		if folder != "" {
			l.in.folder(folder, nil)
		}
	}
	return nil
}

// folderOf returns the folder of a package by its import path, or "" if it is in no module that the
// user may edit.
func (l *listing) folderOf(path string) string {
	for module := path; module != "."; module = parent(module) {
		if dir := l.modules[module]; dir != "" {
			return filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(path, module)))
		}
	}
	return ""
}

// parent returns an import path without its last element, or ".".
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "."
}

// nearest returns the folder that has an entry of that name: folder or the nearest one above it. It
// returns "" if there is none.
func nearest(folder, name string) string {
	for {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return folder
		}
		above := filepath.Dir(folder)
		if above == folder {
			return ""
		}
		folder = above
	}
}
