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

// surroundings are all files whose change may make another program: those of the project, which are watched from the start,
// and those outside that the program turns out to be built from, such as a dependency that go.mod replaces by a folder.
type surroundings struct {
	e       *Emulator
	ctx     context.Context
	roots   []string
	noticed func(paths []string)
	// changes has the reports of all watchers.
	changes chan []string
	running sync.WaitGroup
	project *plugin.Watcher

	// looking is held while the outside is looked at again.
	looking sync.Mutex
	known   plugin.ExternalSources

	// mu guards what follows.
	mu      sync.Mutex
	outside *plugin.Watcher // nil while there is nothing outside
}

// watchSurroundings begins to watch, until ctx ends and close is called. noticed receives each change at once.
func (e *Emulator) watchSurroundings(ctx context.Context, configuration []string, noticed func([]string)) (*surroundings, error) {
	s := &surroundings{e: e, ctx: ctx, roots: []string{e.project}, noticed: noticed, changes: make(chan []string)}
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

// watch passes on what a new watcher reports.
func (s *surroundings) watch(o plugin.WatchOptions) (*plugin.Watcher, error) {
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

// sayPolling tells once why w polls, if it does.
func (s *surroundings) sayPolling(w *plugin.Watcher, said string) string {
	reason := w.Polling()
	if reason != said {
		s.e.log.Warn("looking for changed files twice a second, for the system does not tell: " + reason)
	}
	return reason
}

func (s *surroundings) report(paths []string) {
	select {
	case s.changes <- paths:
	case <-s.ctx.Done():
	}
}

// look finds out what the program of b is built from outside of the project, and watches that too. What has changed there since
// the program's build began is reported. A program that does not build may have hidden some of it, so then what was
// watched still is.
func (s *surroundings) look(ctx context.Context, b plugin.Builder, built bool, since time.Time) {
	s.looking.Lock()
	defer s.looking.Unlock()
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

// stirring reports whether something has changed that is about to be reported.
func (s *surroundings) stirring() bool {
	s.mu.Lock()
	outside := s.outside
	s.mu.Unlock()
	return s.project.Settling() || outside != nil && outside.Settling()
}

// close returns when the watchers have ended. The context of watchSurroundings must have.
func (s *surroundings) close() {
	s.looking.Lock() // ctx has ended, so nobody begins to watch any more
	defer s.looking.Unlock()
	s.project.Close()
	if s.outside != nil {
		s.outside.Close()
	}
	s.running.Wait()
}

// union merges two sorted lists and drops what is not there any more.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	all = slices.DeleteFunc(all, func(path string) bool {
		_, err := os.Stat(filepath.Dir(path))
		return err != nil
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// changedSince returns the files that were written after a time.
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
