package plugin

import (
	"context"
	"io"
	"sync"
	"time"
)

// SetInterval sets how often Build reports progress.
func (b *Builder) SetInterval(d time.Duration) { b.interval = d }

// UseSocket makes the program dial DEVTOOL_SOCKET, as on systems where it can't inherit
// descriptors.
func (o *LaunchOptions) UseSocket() { o.endpoint = newSocketEndpoint }

// Poll makes the watcher poll.
func (o *WatchOptions) Poll(interval time.Duration) { o.poll = interval }

// Busy makes the watcher ask f whether git is at work.
func (o *WatchOptions) Busy(f func() bool) { o.busy = f }

var (
	ParseOutput  = parseOutput
	CopyProgram  = copyProgram
	ProgramHash  = programHash
	MaxTail      = maxTail
	MaxPartial   = maxPartial
	EnvFD        = envFD
	EnvSocket    = envSocket
	PrivateLink  = privateLink
	MaxBuildText = maxBuildOutput
)

// WatchSource is Watch with a source that the test supplies.
func WatchSource(ctx context.Context, o WatchOptions, next func(context.Context) ([]string, error)) (*Watcher, error) {
	s, err := newScope(o)
	if err != nil {
		return nil, err
	}
	return startWatcher(ctx, s, o, func(*Watcher) source { return fakeSource{next} }), nil
}

type fakeSource struct {
	nextFunc func(context.Context) ([]string, error)
}

func (s fakeSource) next(ctx context.Context) ([]string, error) { return s.nextFunc(ctx) }
func (s fakeSource) close()                                     {}

// LineWriter is a lineWriter with a lock of its own.
type LineWriter struct{ *lineWriter }

func NewLineWriter(w io.Writer) LineWriter {
	return LineWriter{&lineWriter{w: w, mu: new(sync.Mutex)}}
}

func (l LineWriter) Flush() { l.flush() }

// Tail is a tail.
type Tail = tail

// BuildOutput is a buildOutput.
type BuildOutput struct{ buildOutput }

func (o *BuildOutput) Text() string       { return o.text() }
func (o *BuildOutput) Progress() Progress { return o.progress() }

// MaxReport is how many bytes of a crash report are kept.
const MaxReport = maxReport

// NewCrashFilter returns the filter of a program's stderr.
func NewCrashFilter(w io.Writer, o LaunchOptions) *crashFilter { return newCrashFilter(w, o) }

// End tells the filter that the output has ended.
func (f *crashFilter) End() { f.end() }

// Report returns the last report.
func (f *crashFilter) Report() CrashReport { return f.report() }
