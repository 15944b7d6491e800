package plugin

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
//
// The latter relies on order: fsnotify delivers events one by one without a buffer, so the watch on
// the old name is gone before the new name appears.
type notifier struct {
	scope  *scope
	fs     *fsnotify.Watcher
	lost   chan struct{} // has a token while lost events are not yet handled
	ended  chan struct{} // closed when drainErrors has ended
	folder map[string]bool
}

var _ source = (*notifier)(nil)

// newNotifier watches all folders of s.
func newNotifier(s *scope) (*notifier, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	n := &notifier{
		scope:  s,
		fs:     watcher,
		lost:   make(chan struct{}, 1),
		ended:  make(chan struct{}),
		folder: make(map[string]bool),
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

func (n *notifier) handle(event fsnotify.Event) ([]string, error) {
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
		return []string{path}, nil
	case n.folder[path] && !event.Has(fsnotify.Create):
		return nil, nil // some systems report a write to a folder when a file in it changes
	case event.Has(fsnotify.Create) && err == nil && info.IsDir():
		if !n.scope.covers(path) {
			return nil, nil
		}
		n.forget(path) // an earlier folder of this name, if any
		return n.follow(path)
	case err != nil && n.scope.skipsFolder(path) && !n.scope.files[path]:
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
	for folder := range n.scope.folders() {
		if err := n.add(folder); err != nil {
			return nil, err
		}
	}
	n.scope.flatFiles(func(path string, _ fs.DirEntry) { found = append(found, path) })
	for file := range n.scope.files {
		if _, err := os.Stat(file); err == nil {
			found = append(found, file)
		}
	}
	return found, nil
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
