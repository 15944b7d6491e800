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

// ExternalSources lists what a program is built from outside the folders that are watched anyway.
// It has packages of a module that go.mod replaces by a folder or that go.work uses, packages of
// the program's own module beside its folder, and targets of symbolic links. All paths are
// absolute, sorted, and free of symbolic links.
type ExternalSources struct {
	Folders []string // of packages; the folders below them do not count
	Files   []string
}

// goPackage is a package as `go list` describes it.
type goPackage struct {
	Dir        string
	Standard   bool
	Module     *goModule
	GoFiles    []string
	CgoFiles   []string
	CFiles     []string
	HFiles     []string
	SFiles     []string
	EmbedFiles []string
}

type goModule struct {
	Main    bool
	Version string
	GoMod   string
	Replace *goModule
}

// editable reports whether the user may edit the package: it is not in the standard library, and
// go did not download it.
func (p *goPackage) editable() bool {
	m := p.Module
	return !p.Standard && p.Dir != "" && m != nil && (m.Main || m.Replace != nil && m.Replace.Version == "")
}

// ExternalSources lists what the program is built from outside roots. It costs as much as a build
// that has nothing to do. It leaves out packages that can't be loaded, so the list is useful even
// when the program does not build.
func (b *Builder) ExternalSources(ctx context.Context, roots []string) (ExternalSources, error) {
	out, err := b.runGo(ctx, "list", "-e", "-deps",
		"-json=Dir,Standard,Module,GoFiles,CgoFiles,CFiles,HFiles,SFiles,EmbedFiles", "--", b.Package)
	if err != nil {
		return ExternalSources{}, fmt.Errorf("list packages of %s: %w", b.Package, err)
	}
	work, err := b.runGo(ctx, "env", "GOWORK")
	if err != nil {
		return ExternalSources{}, fmt.Errorf("find go.work: %w", err)
	}
	o := newExternalSet(roots)
	for packages := json.NewDecoder(strings.NewReader(out)); ; {
		var p goPackage
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return ExternalSources{}, fmt.Errorf("list packages of %s: %w", b.Package, err)
		}
		if p.editable() {
			o.add(&p)
		}
	}
	if work := strings.TrimSpace(work); work != "" && work != "off" {
		o.file(work)
		o.file(strings.TrimSuffix(work, ".work") + ".work.sum")
	}
	return ExternalSources{slices.Sorted(maps.Keys(o.folders)), slices.Sorted(maps.Keys(o.files))}, nil
}

// runGo runs the go command and returns its output.
func (b *Builder) runGo(ctx context.Context, args ...string) (string, error) {
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

// externalSet collects paths that are not below its roots.
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

func (s *externalSet) add(p *goPackage) {
	s.folder(p.Dir)
	for _, names := range [][]string{p.GoFiles, p.CgoFiles, p.CFiles, p.HFiles, p.SFiles, p.EmbedFiles} {
		for _, name := range names {
			path := filepath.Join(p.Dir, name)
			if filepath.Dir(name) != "." { // an embedded file
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

// folder adds a folder if it exists and is external.
func (s *externalSet) folder(path string) {
	if target, err := filepath.EvalSymlinks(path); err == nil && s.external(target) {
		s.folders[target] = true
	}
}

// file adds a file if its folder is external. The file need not exist.
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
