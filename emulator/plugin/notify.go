package plugin

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// notifier is the source that listens to the system's file notifications. Only this file knows
// fsnotify.
//
// It watches folders and never files: editors save by renaming a new file over the old one, and a
// watch on the old file would go with it. fsnotify watches one folder at a time, so the notifier
// follows the tree as it changes:
//
//   - It watches a new folder first and lists it second. The listing finds files made before the
//     watch, and the watch reports those made after it.
//   - When a folder is removed or renamed, the notifier drops the watches on all folders below it,
//     since they would go on reporting under the old names. A renamed folder then appears under
//     its new name like a new one.
//   - While a folder beside the roots does not exist, the notifier watches the nearest one above it
//     that does.
//
// The latter relies on order: fsnotify delivers events one by one without a buffer, so the watch on
// the old name is gone before the new name appears.
type notifier struct {
	scope  *scope
	fs     *fsnotify.Watcher
	lost   chan struct{} // has a token while lost events are not yet handled
	ended  chan struct{} // closed when drainErrors has ended
	folder map[string]bool
	// awaited leads from a folder that does not exist to the one above it that is watched instead.
	awaited map[string]string
}

var _ source = (*notifier)(nil)

// newNotifier watches all folders of s.
func newNotifier(s *scope) (*notifier, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	n := &notifier{
		scope:   s,
		fs:      watcher,
		lost:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
		folder:  make(map[string]bool),
		awaited: make(map[string]string),
	}
	go n.drainErrors()
	if _, err := n.followAll(); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// drainErrors receives fsnotify's errors as they come. It must be a goroutine of its own: fsnotify
// sends some errors while it holds the lock that Add and Remove need.
//
// An error means that events were lost, usually by an overflow. Which ones is never known.
func (n *notifier) drainErrors() {
	defer close(n.ended)
	for range n.fs.Errors {
		select {
		case n.lost <- struct{}{}:
		default: // a token is there already
		}
	}
}

// next returns the paths of the next event.
func (n *notifier) next(ctx context.Context) ([]string, error) {
	select {
	case <-ctx.Done():
		return nil, nil
	case <-n.lost:
		return n.followAll()
	case event, ok := <-n.fs.Events:
		if !ok {
			return nil, fsnotify.ErrClosed
		}
		return n.handle(event)
	}
}

// handle returns the paths that an event is about, and watches the folders that have come with it.
func (n *notifier) handle(event fsnotify.Event) ([]string, error) {
	changed, err := n.handleAlone(event)
	if err != nil || len(n.awaited) == 0 || !event.Has(fsnotify.Create) && !event.Has(fsnotify.Remove) &&
		!event.Has(fsnotify.Rename) {
		return changed, err
	}
	var reached []string
	for folder, above := range n.awaited {
		if !isBelow(folder, event.Name) && above != event.Name {
			continue
		}
		if above == event.Name && !n.folder[above] {
			_ = n.fs.Remove(above) // it may have another name now
		}
		if err := n.reach(folder); err != nil {
			return changed, err
		}
		if n.folder[folder] {
			reached = append(reached, folder)
		}
	}
	return append(changed, n.scope.filesIn(reached)...), nil
}

func (n *notifier) handleAlone(event fsnotify.Event) ([]string, error) {
	path := event.Name
	gone := event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename)
	info, err := os.Lstat(path)
	switch {
	case !gone && !event.Has(fsnotify.Create) && !event.Has(fsnotify.Write):
		return nil, nil // only the mode has changed
	case n.folder[path] && gone:
		n.forget(path)
		if n.scope.root(path) {
			return []string{path}, fmt.Errorf("%s was removed or renamed", path)
		}
		for folder := range n.scope.folders() {
			if isBelow(folder, path) {
				n.awaited[folder] = path // handle looks again
			}
		}
		return []string{path}, nil
	case n.folder[path] && !event.Has(fsnotify.Create):
		return nil, nil // some systems report a write to a folder when a file in it changes
	case event.Has(fsnotify.Create) && err == nil && info.IsDir():
		if !n.scope.covers(path) {
			if n.scope.exact && n.scope.flat[filepath.Dir(path)] {
				return []string{path}, nil
			}
			return nil, nil
		}
		n.forget(path) // an earlier folder of this name, if any
		return n.follow(path)
	case err != nil && !n.scope.exact && n.scope.skipsFolder(path) && !n.scope.files[path]:
		return nil, nil // already gone, but the name is that of a folder: rm -r node_modules
	case n.scope.reports(path):
		return []string{path}, nil
	}
	return nil, nil
}

// followAll watches all folders again and returns all files in them.
func (n *notifier) followAll() ([]string, error) {
	var found []string
	for _, root := range n.scope.roots {
		files, err := n.follow(root)
		if err != nil {
			return nil, err
		}
		found = append(found, files...)
	}
	folders := n.scope.folders()
	for folder := range folders {
		if err := n.reach(folder); err != nil {
			return nil, err
		}
	}
	return append(found, n.scope.filesIn(slices.Collect(maps.Keys(folders)))...), nil
}

// reach watches a folder or, while it does not exist, the nearest one above it that does.
func (n *notifier) reach(folder string) error {
	below := "" // the folder whose absence led to the one above it
	for at := folder; ; {
		err := n.fs.Add(at)
		above := filepath.Dir(at)
		switch {
		case err == nil && at == folder:
			n.folder[folder] = true
			delete(n.awaited, folder)
			return nil
		case err == nil:
			n.awaited[folder] = at
			if _, err := os.Lstat(below); err != nil || n.unusable(below) {
				return nil
			}
			at, below = folder, "" // it came before the watch
		case exceptGone(err) != nil || above == at:
			return fmt.Errorf("watch folder %s: %w", at, err)
		default:
			at, below = above, at
		}
	}
}

// unusable reports whether a path that exists can't be watched, because it is no folder or may not
// be read.
func (n *notifier) unusable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	return err != nil || !info.IsDir()
}

// follow watches a folder and all folders below it, and returns the files in them.
func (n *notifier) follow(folder string) ([]string, error) {
	var found []string
	err := n.scope.walk(folder, n.add, func(path string, _ fs.DirEntry) { found = append(found, path) })
	return found, err
}

// add watches one folder.
func (n *notifier) add(folder string) error {
	if err := n.fs.Add(folder); err != nil {
		return fmt.Errorf("watch folder %s: %w", folder, err)
	}
	n.folder[folder] = true
	return nil
}

// forget stops watching a folder and all folders below it.
func (n *notifier) forget(folder string) {
	below := folder + string(filepath.Separator)
	for path := range n.folder {
		if path == folder || strings.HasPrefix(path, below) {
			_ = n.fs.Remove(path) // often gone already
			delete(n.folder, path)
		}
	}
}

func (n *notifier) close() {
	_ = n.fs.Close()
	<-n.ended
}
