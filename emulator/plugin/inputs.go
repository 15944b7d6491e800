package plugin

import (
	"go/build"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Inputs are the files that a program is built from, and the places where a new file would become
// one. A change of any other file changes nothing in the program.
//
// An Inputs is not changed once it is made. So several goroutines may ask it.
type Inputs struct {
	// files are single inputs, whether they exist or not: go.mod, embedded files, targets of links.
	files map[string]bool
	// packages are the folders of the packages, each with its patterns of embedded files. Each
	// source file there is an input.
	packages map[string][]string
	// above are the folders above the inputs. One that is renamed or removed takes inputs along.
	above map[string]bool
	// aliases leads from a folder that is watched by a path with symbolic links to its real path.
	// The paths above are real ones.
	aliases map[string]string
	// anywhere are folders below which each source file counts, because the packages are not known.
	anywhere []string
}

// newInputs returns inputs without any. roots are the folders that are watched with everything
// below them.
func newInputs(roots []string) *Inputs {
	in := &Inputs{
		files: make(map[string]bool), packages: make(map[string][]string),
		above: make(map[string]bool), aliases: make(map[string]string),
	}
	for _, root := range roots {
		in.aliases[root] = realPath(root)
	}
	return in
}

// Has reports whether the file at path, which is absolute, is an input or would become one. It
// reports true for a folder with inputs, too.
func (in *Inputs) Has(path string) bool {
	path = in.real(path)
	folder, name := filepath.Split(path)
	folder = filepath.Clean(folder)
	if in.files[path] || in.above[path] {
		return true
	}
	if _, there := in.packages[folder]; there && isSource(name) {
		return true
	}
	return in.embeds(path) || in.mayCount(path)
}

// HasTest reports whether the file at path is a test of one of the packages. It is no input. But if
// it names another package, the go command refuses the folder.
func (in *Inputs) HasTest(path string) bool {
	path = in.real(path)
	_, there := in.packages[filepath.Dir(path)]
	return there && strings.HasSuffix(path, "_test.go")
}

// real returns path without the symbolic links above a watched folder.
func (in *Inputs) real(path string) string {
	for root, target := range in.aliases {
		if root == target {
			continue
		}
		if rel, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(rel) {
			return filepath.Join(target, rel)
		}
	}
	return path
}

// embeds reports whether a package embeds the file at path.
func (in *Inputs) embeds(path string) bool {
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		if patterns := in.packages[folder]; len(patterns) > 0 {
			rel, err := filepath.Rel(folder, path)
			if err == nil && slices.ContainsFunc(patterns, func(p string) bool {
				return matchesEmbed(p, filepath.ToSlash(rel))
			}) {
				return true
			}
		}
		if folder == filepath.Dir(folder) {
			return false
		}
	}
}

// mayCount reports whether path is a source file of a package that is not known.
func (in *Inputs) mayCount(path string) bool {
	return isSource(filepath.Base(path)) && slices.ContainsFunc(in.anywhere, func(root string) bool {
		s := scope{roots: []string{root}}
		return s.covers(filepath.Dir(path))
	})
}

// And returns the inputs of both, for a program that is not known well at the moment.
func (in *Inputs) And(other *Inputs) *Inputs {
	both := newInputs(nil)
	for _, one := range []*Inputs{in, other} {
		maps.Copy(both.files, one.files)
		maps.Copy(both.above, one.above)
		maps.Copy(both.aliases, one.aliases)
		for folder, patterns := range one.packages {
			all := slices.Concat(both.packages[folder], patterns)
			slices.Sort(all)
			both.packages[folder] = slices.Compact(all)
		}
	}
	both.anywhere = slices.Clone(in.anywhere)
	return both
}

// Anywhere returns inputs that have each source file below the watched folders besides those of in.
func (in *Inputs) Anywhere() *Inputs {
	all := *in
	all.anywhere = slices.Sorted(maps.Values(in.aliases))
	return &all
}

// Unwatched returns what a watcher of the roots passes over: folders and files outside of them, or
// in folders that such a watcher ignores. Not all of them exist. ignore is as in WatchOptions.
func (in *Inputs) Unwatched(ignore func(path string) bool) (folders, files []string) {
	watched := scope{roots: slices.Collect(maps.Values(in.aliases)), ignore: ignore}
	for folder := range in.packages {
		if !watched.covers(folder) {
			folders = append(folders, folder)
		}
	}
	for file := range in.files {
		folder := filepath.Dir(file)
		if watched.covers(folder) {
			continue
		}
		files = append(files, file)
		if in.embeds(file) {
			folders = append(folders, folder)
		}
	}
	for folder, patterns := range in.packages {
		for _, embedded := range embeddedFolders(folder, patterns) {
			if !watched.covers(embedded) {
				folders = append(folders, embedded)
			}
		}
	}
	slices.Sort(folders)
	slices.Sort(files)
	return slices.Compact(folders), files
}

// Outside returns the folders of packages outside of the watched folders.
func (in *Inputs) Outside() []string {
	var outside []string
	for folder := range in.packages {
		if !slices.ContainsFunc(slices.Collect(maps.Values(in.aliases)), func(root string) bool {
			return isBelow(folder, root)
		}) {
			outside = append(outside, folder)
		}
	}
	slices.Sort(outside)
	return outside
}

// file adds a single file. It need not exist. If it is a symbolic link, its target is one, too.
func (in *Inputs) file(path string) {
	in.addFile(filepath.Join(realPath(filepath.Dir(path)), filepath.Base(path)))
	in.addFile(realPath(path))
}

func (in *Inputs) addFile(path string) {
	in.files[path] = true
	in.addAbove(path)
}

// folder adds the folder of a package, which need not exist.
func (in *Inputs) folder(path string, embedded []string) {
	path = realPath(path)
	in.packages[path] = append(in.packages[path], embedded...)
	in.above[path] = true
	in.addAbove(path)
}

// addAbove notes the folders above path.
func (in *Inputs) addAbove(path string) {
	folder := filepath.Dir(path)
	for !in.above[folder] && folder != filepath.Dir(folder) {
		in.above[folder] = true
		folder = filepath.Dir(folder)
	}
}

// isBelow reports whether path is folder or below it.
func isBelow(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// realPath returns path without symbolic links. What does not exist has none.
func realPath(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	above := filepath.Dir(path)
	if above == path {
		return path
	}
	return filepath.Join(realPath(above), filepath.Base(path))
}

// isSource reports whether go would compile a file of this name on this system. Tests are not part
// of a program.
func isSource(name string) bool {
	if strings.HasSuffix(name, "_test.go") {
		return false
	}
	names := build.Default
	names.GOOS, names.GOARCH, names.CgoEnabled = runtime.GOOS, runtime.GOARCH, true
	names.OpenFile = func(string) (io.ReadCloser, error) { // no constraint but the name's
		return io.NopCloser(strings.NewReader("package p\n")), nil
	}
	matches, err := names.MatchFile(string(filepath.Separator), name)
	return matches && err == nil
}

// matchesEmbed reports whether a pattern of go:embed matches the file rel, which is relative to the
// package and slash-separated. A pattern matches a file, or a folder with the files below it. Those
// whose names begin with a dot or underscore count only if the pattern names them, or has "all:".
func matchesEmbed(pattern, rel string) bool {
	pattern, all := strings.CutPrefix(pattern, "all:")
	names := strings.Split(rel, "/")
	if slices.ContainsFunc(names, isVersionControl) {
		return false
	}
	for i := range names {
		matches, err := path.Match(pattern, strings.Join(names[:i+1], "/"))
		if err == nil && matches && (all || !slices.ContainsFunc(names[i+1:], isHidden)) {
			return true
		}
	}
	return false
}

// isHidden reports whether a folder that is embedded leaves out what has this name.
func isHidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// isVersionControl reports whether go embeds no folder of this name.
func isVersionControl(name string) bool {
	return slices.Contains([]string{".bzr", ".git", ".hg", ".svn"}, name)
}

// embeddedFolders returns the folders that patterns of the package in folder match, with all below.
func embeddedFolders(folder string, patterns []string) []string {
	var found []string
	for _, pattern := range patterns {
		matches, err := filepath.Glob(filepath.Join(folder, filepath.FromSlash(strings.TrimPrefix(pattern, "all:"))))
		if err != nil {
			continue
		}
		for _, match := range matches {
			if info, err := os.Lstat(match); err != nil || !info.IsDir() {
				continue
			}
			_ = filepath.WalkDir(match, func(path string, entry os.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					if isVersionControl(entry.Name()) {
						return filepath.SkipDir
					}
					found = append(found, path)
				}
				return nil
			})
		}
	}
	return found
}
