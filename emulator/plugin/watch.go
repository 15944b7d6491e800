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

	// maxUnquiet bounds how long steady changes may put a report off: a program
	// that logs into its own folder must not keep a save from being seen.
	maxUnquiet = 2 * time.Second

	defaultPollInterval = 500 * time.Millisecond
)

// WatchOptions says what to watch.
type WatchOptions struct {
	// Roots are folders, watched with all below them except version control,
	// tools' folders (those that begin with a dot, node_modules, vendor), tests,
	// and editors' backup and swap files.
	Roots []string

	// Folders are watched without what is in folders below them, by the same rules.
	Folders []string

	// Files are single files, which need not exist yet in folders that do. They
	// are watched through their folder and reported whatever they are called.
	Files []string

	// Ignore leaves out further folders and files of the Roots. It is given
	// absolute paths, from one goroutine at a time. Nil leaves out no more.
	Ignore func(path string) bool

	// OnChange is told each change at once, before it is reported, on a goroutine of the watcher that must not be
	// kept waiting. Nil is not told.
	OnChange func(paths []string)

	// Quiet is how long, in real time, nothing must happen before a report.
	// Zero is 50 ms.
	Quiet time.Duration

	// poll makes the watcher poll at this interval, and busy is asked instead of gitAtWork. Only tests
	// set them.
	poll time.Duration
	busy func() bool
}

// Watcher reports changes of files. It is made by [Watch].
type Watcher struct {
	scope   *scope
	quiet   time.Duration
	busy    func() bool // somebody is at work who is about to change more
	changes chan []string
	cancel  context.CancelFunc
	done    chan struct{}

	onChange func([]string)

	mu       sync.Mutex
	polling  string // why, or ""
	settling bool   // something has changed, and no report is due for it yet
}

// source tells which paths have changed. It decides by the scope which of them
// matter; the watcher only collects them.
type source interface {
	// next waits for changes and returns their paths, which may be none, or
	// returns when ctx ends. An error means that the source is of no use any
	// more and that changes may have been missed.
	next(ctx context.Context) ([]string, error)

	close()
}

// Watch begins to watch; what changes after it has returned is reported. It goes
// on until ctx ends or [Watcher.Close] is called.
//
// It listens to the system's notices of changed folders. Where there are none to
// be had, because a limit is reached or the files are on another machine, or when
// they cease later, it goes on by comparing times and sizes of all files twice a
// second, and [Watcher.Polling] says why.
func Watch(ctx context.Context, o WatchOptions) (*Watcher, error) {
	s, err := newScope(o)
	if err != nil {
		return nil, fmt.Errorf("watch for changes: %w", err)
	}
	return startWatcher(ctx, s, o, func(w *Watcher) source {
		if o.poll != 0 {
			return w.poll("asked to", o.poll)
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

// startWatcher returns a running watcher whose first source is the one that
// open returns.
func startWatcher(ctx context.Context, s *scope, o WatchOptions, open func(*Watcher) source) *Watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &Watcher{
		scope:    s,
		quiet:    o.Quiet,
		busy:     o.busy,
		onChange: o.OnChange,
		changes:  make(chan []string),
		cancel:   cancel,
		done:     make(chan struct{}),
	}
	if w.quiet == 0 {
		w.quiet = defaultQuiet
	}
	if w.busy == nil {
		w.busy = func() bool { return gitAtWork(s.roots) }
	}
	go w.run(ctx, open(w))
	return w
}

// Changes delivers the absolute paths that have changed since the last report,
// sorted, each once. A changed path is a file that was written, created, renamed
// or removed; a folder that was renamed or removed is told by its own path, and
// the files that were in it are not always told one by one. When the system has
// lost track of events, every watched file is reported. What git changes in one go is
// reported as one. The channel is closed when the watcher ends.
func (w *Watcher) Changes() <-chan []string { return w.changes }

// Polling returns why the watcher polls, in words fit for a log line, or "" while
// it need not.
func (w *Watcher) Polling() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.polling
}

// Settling reports whether something has changed, and things have not yet gone quiet so that a report is due.
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

// poll returns a source that polls from now on.
func (w *Watcher) poll(reason string, interval time.Duration) *poller {
	w.mu.Lock()
	w.polling = reason
	w.mu.Unlock()
	return newPoller(w.scope, interval)
}

// run collects what the sources tell and reports it when things have gone quiet.
func (w *Watcher) run(ctx context.Context, from source) {
	defer close(w.done)
	defer close(w.changes)

	told := make(chan []string)
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() { w.listen(ctx, from, told) })

	pending := make(map[string]bool)
	var began time.Time // of the changes that no report is due for yet
	quiet := time.NewTimer(w.quiet)
	quiet.Stop()
	defer quiet.Stop()
	var out chan<- []string // w.changes when a report is due
	var report []string
	for {
		select {
		case <-ctx.Done():
			return
		case paths := <-told:
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
			// What nobody has fetched yet waits with the rest until all is quiet.
			out = nil
			quiet.Reset(max(0, min(w.quiet, maxUnquiet-time.Since(began))))
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

// listen passes on what from tells until ctx ends, and polls once from fails.
func (w *Watcher) listen(ctx context.Context, from source, told chan<- []string) {
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
		if len(paths) == 0 {
			continue
		}
		select {
		case told <- paths:
		case <-ctx.Done():
			return
		}
	}
}
