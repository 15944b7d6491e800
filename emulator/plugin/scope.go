package plugin

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// scope decides which paths a watcher looks at. All its paths are absolute and clean.
type scope struct {
	roots  []string        // folders, watched with all folders below them
	flat   map[string]bool // folders, watched without the folders below them
	files  map[string]bool // single files, reported whatever their names
	ignore func(path string) bool
	exact  bool // the names of files do not matter, because somebody knows better
}

// newScope checks the options and makes their paths absolute.
func newScope(o WatchOptions) (*scope, error) {
	s := &scope{
		flat: make(map[string]bool), files: make(map[string]bool), ignore: o.Ignore, exact: o.Only != nil,
	}
	for _, root := range o.Roots {
		abs, err := existingFolder(root)
		if err != nil {
			return nil, err
		}
		s.roots = append(s.roots, abs)
	}
	for _, name := range o.Folders {
		folder, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		s.flat[folder] = true
	}
	for _, name := range o.Files {
		file, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		s.files[file] = true
	}
	return s, nil
}

// existingFolder returns the absolute path of a folder.
func existingFolder(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", &fs.PathError{Op: "watch", Path: name, Err: errors.New("not a folder")}
	}
	return filepath.Abs(name)
}

// folders returns the flat folders and the folders of the single files.
func (s *scope) folders() map[string]bool {
	folders := maps.Clone(s.flat)
	for file := range s.files {
		folders[filepath.Dir(file)] = true
	}
	return folders
}

// root reports whether path is a folder that the watcher can't do without.
func (s *scope) root(path string) bool { return slices.Contains(s.roots, path) }

// filesIn returns the existing files that are watched in one of folders, apart from the roots.
func (s *scope) filesIn(folders []string) []string {
	var found []string
	s.flatFiles(func(path string, _ fs.DirEntry) {
		if slices.Contains(folders, filepath.Dir(path)) {
			found = append(found, path)
		}
	})
	for file := range s.files {
		if _, err := os.Stat(file); err == nil && slices.Contains(folders, filepath.Dir(file)) {
			found = append(found, file)
		}
	}
	return found
}

// covers reports whether a folder is a root or below one, and not ignored. The names of folders
// above a root do not matter: a project may well be in ~/.work.
func (s *scope) covers(folder string) bool {
	for _, root := range s.roots {
		rel, err := filepath.Rel(root, folder)
		if err == nil && filepath.IsLocal(rel) && s.enters(root, rel) {
			return true
		}
	}
	return false
}

// enters reports whether no folder on the way from root to rel is ignored.
func (s *scope) enters(root, rel string) bool {
	if rel == "." {
		return true
	}
	path := root
	for _, name := range strings.Split(rel, string(filepath.Separator)) {
		path = filepath.Join(path, name)
		if s.skipsFolder(path) {
			return false
		}
	}
	return true
}

// reports reports whether the watcher reports changes of the file at path.
func (s *scope) reports(path string) bool {
	if s.files[path] {
		return true
	}
	folder := filepath.Dir(path)
	return (s.flat[folder] || s.covers(folder)) && !s.skipsFile(path)
}

// flatFiles calls file for each file in the flat folders. Where names do not matter, it does so for
// folders, too.
func (s *scope) flatFiles(file func(path string, entry fs.DirEntry)) {
	for folder := range s.flat {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, entry := range entries {
			if path := filepath.Join(folder, entry.Name()); (s.exact || !entry.IsDir()) && !s.skipsFile(path) {
				file(path, entry)
			}
		}
	}
}

// skipsFile reports whether the file at path, in a covered folder, is ignored.
func (s *scope) skipsFile(path string) bool {
	return !s.exact && ignoredFile(filepath.Base(path)) || s.ignored(path)
}

// skipsFolder reports whether the folder at path is ignored, with everything below it.
func (s *scope) skipsFolder(path string) bool {
	return ignoredFolder(filepath.Base(path)) || s.ignored(path)
}

func (s *scope) ignored(path string) bool { return s.ignore != nil && s.ignore(path) }

// walk visits a folder and everything below it: each folder first, then its files. So a watch that
// enter sets sees every file that the listing after it misses. Like go, walk does not follow links;
// folder itself may be one. It passes over folders that are gone or not readable, since go can't
// compile their files. It passes over such an error of enter too; any other error ends the walk.
func (s *scope) walk(folder string, enter func(path string) error, file func(path string, entry fs.DirEntry)) error {
	if err := enter(folder); err != nil {
		return exceptGone(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return exceptGone(err)
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		switch {
		case !entry.IsDir() && (s.files[path] || !s.skipsFile(path)):
			file(path, entry)
		case entry.IsDir() && !s.skipsFolder(path):
			if err := s.walk(path, enter, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// exceptGone returns err, or nil if err means that a path is gone or not readable.
func exceptGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}

// ignoredFolder reports whether folders of this name never hold the source of a program. These are
// version control, devtool's own state and wrangler's, other tools' state, and dependencies that do
// not change by editing.
func ignoredFolder(name string) bool {
	return strings.HasPrefix(name, ".") || name == "node_modules" || name == "vendor"
}

// ignoredFile reports whether files of this name belong to an editor, or are tests, which are not
// part of the program.
func ignoredFile(name string) bool {
	switch {
	case strings.HasSuffix(name, "_test.go"),
		strings.HasSuffix(name, "~"),                                     // backups
		strings.HasPrefix(name, ".#"),                                    // Emacs: locks
		strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"),     // Emacs: unsaved text
		strings.HasSuffix(name, ".swp"), strings.HasSuffix(name, ".swx"), // Vim: swap files
		name == "4913",                   // Vim: a test whether the folder is writable
		strings.Contains(name, ".tmp."),  // VS Code and others: before the rename
		strings.Contains(name, "___jb_"): // JetBrains: before the rename
		return true
	}
	return false
}
