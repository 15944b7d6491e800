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

// A watchSet watches all files whose change may make another program, and no other. It knows them
// from the go command, which lists them after each build. Where go can't list them, each source
// file in the project counts.
type watchSet struct {
	e       *Emulator
	ctx     context.Context
	roots   []string
	noticed func(paths []string)
	// changes receives the reports of all watchers.
	changes chan []string
	running sync.WaitGroup
	project *plugin.Watcher
	// configuration are the files that make the configuration.
	configuration []string

	// refreshing is held during refresh.
	refreshing sync.Mutex

	// mu guards what follows.
	mu     sync.Mutex
	inputs *plugin.Inputs
	// anywhere is set while each source file in the project counts, besides the inputs.
	anywhere bool
	// failed is set after a build that failed, perhaps because of a test.
	failed bool
	// outside watches the inputs that project does not, or is nil without any.
	outside        *plugin.Watcher
	folders, files []string // what outside watches
	said           []string // the folders outside of the project that the log has named
	// passed are changed files that were no inputs, since the build began whose inputs are not
	// known yet. It is nil without such a build.
	passed map[string]bool
}

// maxPassed bounds watchSet.passed. A program whose inputs change among so many other files is
// built again when the next one changes.
const maxPassed = 10_000

// newWatchSet begins to watch. The caller ends ctx and calls close to stop it. noticed receives
// each change at once, before it is reported in changes.
func (e *Emulator) newWatchSet(ctx context.Context, configuration []string, noticed func([]string)) (*watchSet, error) {
	s := &watchSet{
		e: e, ctx: ctx, roots: []string{e.project}, noticed: noticed, changes: make(chan []string),
		configuration: configuration,
	}
	if main := filepath.Join(e.project, e.builder.Package); !within(main, e.project) {
		if _, err := os.Stat(main); err == nil {
			s.roots = append(s.roots, main)
		}
	}
	s.inputs = e.builder.AssumedInputs(s.roots)
	var err error
	s.project, err = s.watch(plugin.WatchOptions{Roots: s.roots, Files: configuration})
	if err == nil {
		err = s.watchOutside()
	}
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	return s, nil
}

// countsLocked reports whether the file at path is an input of the build.
func (s *watchSet) countsLocked(path string) bool {
	if slices.Contains(s.configuration, path) || s.inputs.Has(path) {
		return true
	}
	return s.anywhere && s.inputs.Anywhere().Has(path) || s.failed && s.inputs.HasTest(path)
}

// relevant returns those of the changed paths that are inputs. Watchers call it.
func (s *watchSet) relevant(paths []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(paths, func(path string) bool {
		if s.countsLocked(path) {
			return false
		}
		if s.passed != nil && len(s.passed) < maxPassed {
			s.passed[path] = true
		}
		return true
	})
}

// building notes that a build begins, which may show that other files are inputs.
func (s *watchSet) building() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed = make(map[string]bool)
}

// anySource makes each source file in the project count besides the inputs, or ends that. While the
// configuration is wrong, nobody knows which folder has the program.
func (s *watchSet) anySource(anywhere bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anywhere = anywhere
}

// watch starts a watcher and forwards its reports.
func (s *watchSet) watch(o plugin.WatchOptions) (*plugin.Watcher, error) {
	o.Ignore = s.ignores
	o.Only, o.OnChange = s.relevant, s.noticed
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

// refresh asks go what b's program is built from, and watches that. It reports those of the new
// inputs that have changed since the build began. A failed build may hide some inputs, so after one
// the inputs known before still count.
func (s *watchSet) refresh(ctx context.Context, b plugin.Builder, built bool, since time.Time) {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	found, err := b.Inputs(ctx, s.roots)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.e.log.Debug("go does not list the program's files, so each source file in the project counts", "err", err)
		found = b.AssumedInputs(s.roots).Anywhere()
	}
	s.mu.Lock()
	if !built {
		found = found.And(s.inputs)
	}
	s.inputs, s.failed = found, !built
	var changed []string
	for path := range s.passed {
		if s.countsLocked(path) {
			changed = append(changed, path)
		}
	}
	s.passed = nil
	before := slices.Concat(s.folders, s.files)
	s.mu.Unlock()

	if err := s.watchOutside(); err != nil {
		s.e.log.Warn("watch files outside of the project: " + err.Error())
	}
	s.mu.Lock()
	folders, files := without(s.folders, before), without(s.files, before)
	s.mu.Unlock()
	for _, path := range changedSince(folders, files, since) {
		if found.Has(path) {
			changed = append(changed, path)
		}
	}
	if len(changed) > 0 && s.ctx.Err() == nil {
		slices.Sort(changed)
		changed = slices.Compact(changed)
		s.noticed(changed)
		s.report(changed)
	}
}

// watchOutside watches the inputs that the project's watcher does not see.
func (s *watchSet) watchOutside() error {
	s.mu.Lock()
	folders, files := s.inputs.Unwatched(s.ignores)
	outside := s.inputs.Outside()
	same := s.outside != nil && slices.Equal(folders, s.folders) && slices.Equal(files, s.files)
	s.mu.Unlock()
	if same {
		return nil
	}
	var next *plugin.Watcher
	if len(folders)+len(files) > 0 {
		var err error
		if next, err = s.watch(plugin.WatchOptions{Folders: folders, Files: files}); err != nil {
			return err
		}
	}
	s.mu.Lock()
	before, more := s.outside, without(outside, s.said)
	s.outside, s.folders, s.files, s.said = next, folders, files, outside
	s.mu.Unlock()
	if before != nil {
		before.Close()
	}
	if len(more) > 0 {
		s.e.log.Info("watching outside of the project, too: " + strings.Join(more, ", "))
	}
	return nil
}

// ignores reports whether the project's watcher ignores path.
func (s *watchSet) ignores(path string) bool { return within(path, s.e.options.State) }

// settling reports whether a change is about to be reported.
func (s *watchSet) settling() bool {
	s.mu.Lock()
	outside := s.outside
	s.mu.Unlock()
	return s.project.Settling() || outside != nil && outside.Settling()
}

// vendoring reports whether go fills a vendor folder, or has done so since that time. On a busy
// machine, the watchers notice that later than a build that fails because of it.
func (s *watchSet) vendoring(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inputs.Vendoring(since)
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

// without returns those of paths that are not among others.
func without(paths, others []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return slices.Contains(others, path) })
}

// changedSince returns the existing files in folders and among files that were written after since.
func changedSince(folders, files []string, since time.Time) []string {
	files = slices.Clone(files)
	for _, folder := range folders {
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
