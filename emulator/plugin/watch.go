package plugin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	defaultQuiet = 50 * time.Millisecond

	// maxDelay bounds how long steady changes may delay a report. A program that logs into its own
	// folder must not hide a save.
	maxDelay = 2 * time.Second

	defaultPollInterval = 500 * time.Millisecond
)

// WatchOptions describes what to watch.
type WatchOptions struct {
	// Roots are folders, watched with everything below them. The watcher ignores version control,
	// tools' folders (dot folders, node_modules, vendor), tests, and editors' backup and swap
	// files.
	Roots []string

	// Folders are watched without the folders below them, by the same rules. One need not exist:
	// the watcher waits for it.
	Folders []string

	// Files are single files, reported whatever their names. Neither a file nor its folder need
	// exist.
	Files []string

	// Ignore leaves out further folders and files of the Roots. It is called with absolute paths,
	// from one goroutine at a time. Nil leaves out no more.
	Ignore func(path string) bool

	// Only returns those of changed paths that matter; the others are not reported and delay no
	// report. It is called on a goroutine of the watcher. Nil means that all matter, except for
	// tests and the files of editors.
	Only func(paths []string) []string

	// OnChange is called with each change at once, before it is reported. It runs on a goroutine of
	// the watcher and must not block. It may be nil.
	OnChange func(paths []string)

	// Quiet is how long, in real time, nothing must change before a report. Zero means 50 ms.
	Quiet time.Duration

	// poll makes the watcher poll at this interval, and busy replaces gitAtWork. Only tests set
	// them.
	poll time.Duration
	busy func() bool
}

// Watcher reports changes of files. [Watch] makes one.
type Watcher struct {
	scope   *scope
	quiet   time.Duration
	busy    func() bool // reports whether more changes are about to follow
	only    func([]string) []string
	changes chan []string
	cancel  context.CancelFunc
	done    chan struct{}

	onChange func([]string)

	mu       sync.Mutex
	polling  string // why the watcher polls, or ""
	settling bool   // there are changes that no report is due for yet
}

// source finds out which paths have changed. It decides by the scope which paths matter; the
// watcher only collects them.
type source interface {
	// next waits for changes and returns their paths, which may be none. It also returns when ctx
	// ends. An error means that the source is of no further use and may have missed changes.
	next(ctx context.Context) ([]string, error)

	close()
}

// Watch starts a watcher, which reports every change made after Watch has returned. It runs until
// ctx ends or [Watcher.Close] is called.
//
// The watcher listens to the system's file notifications. These may be unavailable, because a limit
// is reached or the files are on another machine, or they may cease later. The watcher then
// compares times and sizes of all files twice a second, and [Watcher.Polling] returns the reason.
func Watch(ctx context.Context, o WatchOptions) (*Watcher, error) {
	s, err := newScope(o)
	if err != nil {
		return nil, fmt.Errorf("watch for changes: %w", err)
	}
	return startWatcher(ctx, s, o, func(w *Watcher) source {
		if o.poll != 0 {
			return w.poll("a test asked for it", o.poll)
		}
		for _, root := range slices.AppendSeq(slices.Clone(s.roots), maps.Keys(s.folders())) {
			if reason := remote(root); reason != "" {
				return w.poll(reason, defaultPollInterval)
			}
		}
		n, err := newNotifier(s)
		if err != nil {
			return w.poll(err.Error(), defaultPollInterval)
		}
		return n
	}), nil
}

// startWatcher returns a running watcher. open returns its first source.
func startWatcher(ctx context.Context, s *scope, o WatchOptions, open func(*Watcher) source) *Watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watcher{
		scope:    s,
		quiet:    o.Quiet,
		busy:     o.busy,
		only:     o.Only,
		onChange: o.OnChange,
		changes:  make(chan []string),
		cancel:   cancel,
		done:     make(chan struct{}),
	}
	if w.quiet == 0 {
		w.quiet = defaultQuiet
	}
	if w.busy == nil {
		w.busy = func() bool { return gitAtWork(s.roots) || vendorAtWork(s.files) }
	}
	go w.run(ctx, open(w))
	return w
}

// Changes delivers the absolute paths that have changed since the last report, sorted, each once. A
// changed path is a file that was written, created, renamed or removed. A folder that was renamed
// or removed is reported by its own path, and its files may not be reported one by one.
//
// When the system has lost events, every watched file is reported. All changes of one git command
// are one report. The channel is closed when the watcher ends.
func (w *Watcher) Changes() <-chan []string { return w.changes }

// Polling returns why the watcher polls, in words fit for a log line, or "" if it does not poll.
func (w *Watcher) Polling() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.polling
}

// Settling reports whether files have changed within the quiet period, so that no report is due
// yet.
func (w *Watcher) Settling() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settling
}

func (w *Watcher) setSettling(settling bool) {
	w.mu.Lock()
	w.settling = settling
	w.mu.Unlock()
}

// Close ends the watcher and waits until it has ended. It may be called twice.
func (w *Watcher) Close() {
	w.cancel()
	<-w.done
}

// poll returns a source that polls, and records the reason.
func (w *Watcher) poll(reason string, interval time.Duration) *poller {
	w.mu.Lock()
	w.polling = reason
	w.mu.Unlock()
	return newPoller(w.scope, interval)
}

// run collects changes from the source and reports them after the quiet period.
func (w *Watcher) run(ctx context.Context, from source) {
	defer close(w.done)
	defer close(w.changes)

	changed := make(chan []string)
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() { w.listen(ctx, from, changed) })

	pending := make(map[string]bool)
	var began time.Time // when the first of the changes came that no report is due for yet
	quiet := time.NewTimer(w.quiet)
	quiet.Stop()
	defer quiet.Stop()
	var out chan<- []string // w.changes when a report is due
	var report []string
	for {
		select {
		case <-ctx.Done():
			return
		case paths := <-changed:
			if len(pending) == 0 || out != nil {
				began = time.Now()
			}
			for _, path := range paths {
				pending[path] = true
			}
			w.setSettling(true)
			if w.onChange != nil {
				w.onChange(paths)
			}
			// A report that nobody has received yet waits for the new changes too.
			out = nil
			quiet.Reset(max(0, min(w.quiet, maxDelay-time.Since(began))))
		case <-quiet.C:
			if w.busy() {
				quiet.Reset(w.quiet)
				continue
			}
			out, report = w.changes, slices.Sorted(maps.Keys(pending))
			w.setSettling(false)
		case out <- report:
			out = nil
			clear(pending)
		}
	}
}

// listen passes on changes of the source until ctx ends. If the source fails, it goes on with a
// poller.
func (w *Watcher) listen(ctx context.Context, from source, changed chan<- []string) {
	defer func() { from.close() }()
	for {
		paths, err := from.next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			from.close()
			p := w.poll(err.Error(), defaultPollInterval)
			from, paths = p, append(paths, p.files()...)
		}
		if w.only != nil && len(paths) > 0 {
			paths = w.only(paths)
		}
		if len(paths) == 0 {
			continue
		}
		select {
		case changed <- paths:
		case <-ctx.Done():
			return
		}
	}
}
