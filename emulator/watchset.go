package emulator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"devtool.internal/emulator/plugin"
)

// A watchSet watches all files whose change may make another program. It watches the project's
// files from the start. After each build it adds the files outside of the project that the program
// is built from, such as a dependency that go.mod replaces by a folder.
type watchSet struct {
	e       *Emulator
	ctx     context.Context
	roots   []string
	noticed func(paths []string)
	// changes receives the reports of all watchers.
	changes chan []string
	running sync.WaitGroup
	project *plugin.Watcher

	// refreshing is held during refresh, and guards known.
	refreshing sync.Mutex
	known      plugin.ExternalSources

	// mu guards what follows.
	mu      sync.Mutex
	outside *plugin.Watcher // nil while there is nothing outside
}

// newWatchSet begins to watch. The caller ends ctx and calls close to stop it. noticed receives
// each change at once, before it is reported in changes.
func (e *Emulator) newWatchSet(ctx context.Context, configuration []string, noticed func([]string)) (*watchSet, error) {
	s := &watchSet{e: e, ctx: ctx, roots: []string{e.project}, noticed: noticed, changes: make(chan []string)}
	if main := filepath.Join(e.project, e.builder.Package); !within(main, e.project) {
		s.roots = append(s.roots, main)
	}
	var err error
	s.project, err = s.watch(plugin.WatchOptions{Roots: s.roots, Files: configuration})
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	return s, nil
}

// watch starts a watcher and forwards its reports.
func (s *watchSet) watch(o plugin.WatchOptions) (*plugin.Watcher, error) {
	o.Ignore = func(path string) bool { return within(path, s.e.options.State) }
	o.OnChange = s.noticed
	w, err := plugin.Watch(s.ctx, o)
	if err != nil {
		return nil, err
	}
	said := s.sayPolling(w, "")
	s.running.Go(func() {
		for paths := range w.Changes() {
			said = s.sayPolling(w, said)
			s.report(paths)
		}
	})
	return w, nil
}

// sayPolling logs why w polls, unless said is the same reason. It returns the reason, or empty if w
// does not poll.
func (s *watchSet) sayPolling(w *plugin.Watcher, said string) string {
	reason := w.Polling()
	if reason != said {
		s.e.log.Warn("polling for changes twice a second: file notifications are unavailable: " + reason)
	}
	return reason
}

func (s *watchSet) report(paths []string) {
	select {
	case s.changes <- paths:
	case <-s.ctx.Done():
	}
}

// refresh finds the files outside of the project that b's program is built from, and watches them
// too. It reports which of them have changed since the build began. A failed build may hide some of
// these files, so after one the files watched before stay watched.
func (s *watchSet) refresh(ctx context.Context, b plugin.Builder, built bool, since time.Time) {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	found, err := b.ExternalSources(ctx, s.roots)
	if err != nil {
		if ctx.Err() == nil {
			s.e.log.Debug("files outside of the project are not watched", "err", err)
		}
		return
	}
	if !built {
		found.Folders = union(s.known.Folders, found.Folders)
		found.Files = union(s.known.Files, found.Files)
	}
	if slices.Equal(found.Folders, s.known.Folders) && slices.Equal(found.Files, s.known.Files) {
		return
	}
	var next *plugin.Watcher
	if len(found.Folders)+len(found.Files) > 0 {
		next, err = s.watch(plugin.WatchOptions{Folders: found.Folders, Files: found.Files})
		if err != nil {
			s.e.log.Warn("watch files outside of the project: " + err.Error())
			return
		}
	}
	s.known = found
	s.mu.Lock()
	before := s.outside
	s.outside = next
	s.mu.Unlock()
	if before != nil {
		before.Close()
	}
	if len(found.Folders) > 0 {
		s.e.log.Info("watching outside of the project, too: " + strings.Join(found.Folders, ", "))
	}
	if changed := changedSince(found, since); len(changed) > 0 && s.ctx.Err() == nil {
		s.noticed(changed)
		s.report(changed)
	}
}

// settling reports whether a change is about to be reported.
func (s *watchSet) settling() bool {
	s.mu.Lock()
	outside := s.outside
	s.mu.Unlock()
	return s.project.Settling() || outside != nil && outside.Settling()
}

// close returns when the watchers have ended. The context of newWatchSet must have ended before.
func (s *watchSet) close() {
	s.refreshing.Lock() // ctx has ended, so refresh starts no watcher any more
	defer s.refreshing.Unlock()
	s.project.Close()
	if s.outside != nil {
		s.outside.Close()
	}
	s.running.Wait()
}

// union merges two lists of files, sorts them and drops those whose folder does not exist any more.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	all = slices.DeleteFunc(all, func(path string) bool {
		_, err := os.Stat(filepath.Dir(path))
		return err != nil
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// changedSince returns the existing files of o that were written after since.
func changedSince(o plugin.ExternalSources, since time.Time) []string {
	files := slices.Clone(o.Files)
	for _, folder := range o.Folders {
		if entries, err := os.ReadDir(folder); err == nil {
			for _, entry := range entries {
				files = append(files, filepath.Join(folder, entry.Name()))
			}
		}
	}
	return slices.DeleteFunc(files, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.IsDir() || !info.ModTime().After(since)
	})
}
