package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ExternalSources is what a program is built from outside of the folders that are watched anyway: packages of a module that
// go.mod replaces by a folder or that go.work uses, packages of the program's own module beside its folder, and
// what symbolic links lead to. All paths are absolute, sorted, and lead to what is really there.
type ExternalSources struct {
	Folders []string // of packages: the files right in them
	Files   []string
}

// listed is what `go list` tells of a package.
type listed struct {
	Dir        string
	Standard   bool
	Module     *listedModule
	GoFiles    []string
	CgoFiles   []string
	CFiles     []string
	HFiles     []string
	SFiles     []string
	EmbedFiles []string
}

type listedModule struct {
	Main    bool
	Version string
	GoMod   string
	Replace *listedModule
}

// edited reports whether the package is one that people edit, and not one that was downloaded.
func (p *listed) edited() bool {
	m := p.Module
	return !p.Standard && p.Dir != "" && m != nil && (m.Main || m.Replace != nil && m.Replace.Version == "")
}

// ExternalSources finds out what the program is built from outside of roots. It costs as much as a build that has nothing
// to do. A package that can't be loaded is left out, so the answer is worth something also when the program does not build.
func (b *Builder) ExternalSources(ctx context.Context, roots []string) (ExternalSources, error) {
	out, err := b.ask(ctx, "list", "-e", "-deps",
		"-json=Dir,Standard,Module,GoFiles,CgoFiles,CFiles,HFiles,SFiles,EmbedFiles", "--", b.Package)
	if err != nil {
		return ExternalSources{}, fmt.Errorf("list packages of %s: %w", b.Package, err)
	}
	work, err := b.ask(ctx, "env", "GOWORK")
	if err != nil {
		return ExternalSources{}, fmt.Errorf("find go.work: %w", err)
	}
	o := newExternalSet(roots)
	for packages := json.NewDecoder(strings.NewReader(out)); ; {
		var p listed
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return ExternalSources{}, fmt.Errorf("list packages of %s: %w", b.Package, err)
		}
		if p.edited() {
			o.add(&p)
		}
	}
	if work := strings.TrimSpace(work); work != "" && work != "off" {
		o.file(work)
		o.file(strings.TrimSuffix(work, ".work") + ".work.sum")
	}
	return ExternalSources{slices.Sorted(maps.Keys(o.folders)), slices.Sorted(maps.Keys(o.files))}, nil
}

// ask runs the go command and returns what it prints.
func (b *Builder) ask(ctx context.Context, args ...string) (string, error) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, goTool, args...)
	cmd.Dir = b.Dir
	cmd.Env = append(os.Environ(), b.Env...)
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) && len(failed.Stderr) > 0 {
		err = errors.New(strings.TrimSpace(string(failed.Stderr)))
	}
	return string(out), err
}

// externalSet collects paths and leaves out what is below its roots.
type externalSet struct {
	roots          []string // with links resolved
	folders, files map[string]bool
}

func newExternalSet(roots []string) *externalSet {
	s := &externalSet{folders: make(map[string]bool), files: make(map[string]bool)}
	for _, root := range roots {
		if target, err := filepath.EvalSymlinks(root); err == nil {
			s.roots = append(s.roots, target)
		}
	}
	return s
}

func (s *externalSet) add(p *listed) {
	s.folder(p.Dir)
	for _, names := range [][]string{p.GoFiles, p.CgoFiles, p.CFiles, p.HFiles, p.SFiles, p.EmbedFiles} {
		for _, name := range names {
			path := filepath.Join(p.Dir, name)
			if filepath.Dir(name) != "." { // an embedded one
				s.folder(filepath.Dir(path))
			}
			if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
				s.file(path)
			}
		}
	}
	module := p.Module
	if module.Replace != nil {
		module = module.Replace
	}
	if module.GoMod != "" {
		s.file(module.GoMod)
		s.file(strings.TrimSuffix(module.GoMod, ".mod") + ".sum")
	}
}

// folder adds a folder if it is there and outside.
func (s *externalSet) folder(path string) {
	if target, err := filepath.EvalSymlinks(path); err == nil && s.external(target) {
		s.folders[target] = true
	}
}

// file adds a file, which need not be there, if its folder is outside.
func (s *externalSet) file(path string) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return
		}
		target = filepath.Join(folder, filepath.Base(path))
	}
	if s.external(target) {
		s.files[target] = true
	}
}

func (s *externalSet) external(path string) bool {
	return !slices.ContainsFunc(s.roots, func(root string) bool {
		rel, err := filepath.Rel(root, path)
		return err == nil && filepath.IsLocal(rel)
	})
}
