package emulator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/plugin"
)

// newReloader begins to watch the files of the program and of the configuration. A change from now
// on is either part of the first version or makes another.
func (e *Emulator) newReloader() (r *reloader, err error) {
	r = &reloader{
		e: e, crons: e.world.CronExpressions(), configuration: e.configurationFiles(),
		stopInspecting: func() {},
	}
	r.ctx, r.cancel = context.WithCancel(e.world.Context())
	if r.files, err = e.newWatchSet(r.ctx, r.configuration, r.noticed); err != nil {
		r.cancel()
		return nil, err
	}
	return r, nil
}

// start makes new versions of later changes, until stop is called. unserved is why the first
// version is not served, or nil.
func (r *reloader) start(unserved error) {
	r.ready = true
	r.report(unserved)
	r.e.host.ExpectNoMore(r.files.settling)
	r.running.Go(r.run)
}

// stop ends the reloader. It may be called more than once, and without start.
func (r *reloader) stop() {
	r.stopping.Do(func() {
		r.cancel()
		r.running.Wait()
		r.files.close()
	})
}

// configurationFiles returns the files that make the configuration. A missing file is among them if
// its folder exists, because it may be created later.
func (e *Emulator) configurationFiles() []string {
	s := e.currentSettings()
	files := []string{s.path}
	for _, f := range s.varFiles {
		if _, err := os.Stat(filepath.Dir(f.Path)); err == nil {
			files = append(files, f.Path)
		}
	}
	return files
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// A reloader turns saved files into versions of the program, beginning with the first.
type reloader struct {
	e        *Emulator
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
	stopping sync.Once
	// ready is set after the attempt to serve the first version.
	ready bool
	// hash is that of the serving program's binary, and welcome what it knows of the configuration.
	// hash is empty while none has served.
	hash    string
	welcome wire.Welcome
	crons   []string // of the configuration
	// files watches all files. configuration are the files among them that make the configuration.
	files         *watchSet
	configuration []string
	// stopInspecting ends the goroutines of inspect.
	stopInspecting context.CancelFunc
	// reported is the error that was reported last, and sourceChanged is set when source has
	// changed since. The same error is not reported again without such a change. Otherwise a
	// program whose log is a watched file would cause reports without end.
	reported      string
	sourceChanged bool
	// stale is set while a changed file of the configuration has not been read, and unprepared
	// while Options.Prepare has not been called after a change of go.mod.
	stale, unprepared bool
	// postponed is set while changes wait to be built because an attached program serves.
	postponed bool
}

// run handles changes, one after the other, until stop is called.
func (r *reloader) run() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case paths := <-r.files.changes:
			r.noteChanges(paths)
		case <-r.e.host.BuildWanted:
			if !r.postponed && r.e.host.Serving() != nil {
				continue
			}
			r.sourceChanged = true
		}
		if !r.postpone() {
			if err := r.build(r.ctx); r.ctx.Err() == nil {
				r.report(err)
			}
		}
		r.e.host.ExpectNoMore(r.files.settling)
	}
}

// build makes a version of the saved files and serves it. A change meanwhile starts the build over;
// the end of ctx ends it. The error says why the version is not served. If no other version serves,
// requests fail with it until a later build succeeds.
func (r *reloader) build(ctx context.Context) error {
	for {
		r.stopInspecting()
		r.e.host.Fail(nil)
		began := time.Now()
		building, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- r.reload(building) }()
		select {
		case err := <-done:
			cancel()
			if ctx.Err() != nil {
				return err
			}
			failure := r.e.record.changed(err)
			if err != nil {
				r.e.host.Fail(&unservedError{cause: err, failure: failure})
			}
			r.inspect(err == nil, began)
			return err
		case more := <-r.files.changes:
			cancel()
			<-done
			r.noteChanges(more)
		}
	}
}

// mendable reports whether an edit may fix err, the first version's. An edit fixes neither a
// missing go command nor a file that can't be written or started.
func (r *reloader) mendable(err error) bool {
	var build *plugin.BuildError
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil, r.stale: // the configuration is wrong
		return true
	case errors.As(err, &build):
		return !build.NoGo
	}
	return !errors.As(err, &path) && !errors.As(err, &link)
}

// noticed makes requests wait for the next version if the changed paths are likely to make one.
// Watchers call it.
func (r *reloader) noticed(paths []string) {
	if !r.e.host.AttachedServes() && slices.ContainsFunc(paths, r.makesVersion) {
		r.e.host.Expect()
	}
}

// makesVersion reports whether path is source of the program or of the configuration. Any other
// file may be embedded in the program, or be its log, so no request waits for it.
func (r *reloader) makesVersion(path string) bool {
	switch filepath.Ext(path) {
	case ".go", ".mod", ".sum", ".work", ".s", ".c", ".h":
		return true
	}
	return slices.Contains(r.configuration, path)
}

// noteChanges notes that files have changed.
func (r *reloader) noteChanges(paths []string) {
	r.sourceChanged = r.sourceChanged || slices.ContainsFunc(paths, r.makesVersion)
	r.unprepared = r.unprepared || slices.Contains(paths, filepath.Join(r.e.project, "go.mod"))
	r.stale = r.stale || slices.ContainsFunc(paths, func(path string) bool {
		return slices.Contains(r.configuration, path)
	})
}

const postponedLine = "an attached program serves: what is saved is built when it has ended"

// postpone reports whether an attached program serves. Nothing is built before it ends.
func (r *reloader) postpone() bool {
	said := r.postponed
	r.postponed = r.e.host.AttachedServes()
	if r.postponed && !said {
		r.e.log.Info(postponedLine)
	}
	return r.postponed
}

// inspect updates the watched files after a build that began at began and, if the build succeeded,
// calls Options.Built. Both run in the background until the next build begins.
func (r *reloader) inspect(built bool, began time.Time) {
	ctx, stop := context.WithCancel(r.ctx)
	r.stopInspecting = stop
	builder := *r.e.builder
	r.e.world.Go(func() { r.files.refresh(ctx, builder, built, began) })
	if look := r.e.options.Built; look != nil && built {
		r.e.world.Go(func() { look(ctx) })
	}
}

// report reports the outcome of a build.
func (r *reloader) report(err error) {
	if err == nil {
		r.reported, r.sourceChanged = "", false
		return
	}
	if err.Error() == r.reported && !r.sourceChanged {
		return
	}
	r.reported, r.sourceChanged = err.Error(), false
	r.e.options.Failed(err)
	if r.e.host.Failing() != nil {
		r.e.log.Warn(unservedTitle + ": it is built again when a file is saved")
		return
	}
	r.e.log.Warn("the version before is still being served")
}

// reload builds the program and, if it or its configuration is new, serves it in place of the
// running one. The end of ctx cancels it only until events begin to wait for the swap.
func (r *reloader) reload(ctx context.Context) error {
	e := r.e
	started := time.Now()
	before := e.host.Serving()
	var crons []string // the configuration's, if they have changed
	if r.stale {
		c, err := e.options.Load()
		if err != nil {
			return err
		}
		was := e.currentSettings().dev
		if err := e.configure(c); err != nil {
			return err
		}
		if c.Dev.IP != was.IP || c.Dev.Port != was.Port || c.Dev.LocalProtocol != was.LocalProtocol {
			e.log.Warn("the dev address changed in the configuration; restart devtool to apply it")
		}
		if !slices.Equal(c.Crons, r.crons) {
			r.crons, crons = c.Crons, c.Crons
			e.log.Info(fmt.Sprintf("cron triggers of the configuration: %q", crons))
		}
		e.builder.Package = mainPackage(c)
		r.stale = false
	}
	if r.unprepared && e.options.Prepare != nil {
		if err := e.options.Prepare(); err != nil {
			return err
		}
	}
	r.unprepared = false
	result, err := e.builder.Build(ctx, e.options.Progress)
	if err != nil {
		return err
	}
	e.record.built(result.Took)
	now := e.currentSettings().program
	if result.Hash == r.hash && reflect.DeepEqual(r.welcome, now.Welcome) {
		if err := e.settleMigrations(); err != nil {
			return err
		}
		e.log.Debug("nothing to reload", "build", result.Took)
		if len(crons) > 0 {
			e.host.WarnOfCrons(e.host.Serving())
		}
		return nil
	}
	next, err := e.host.LaunchNew(ctx, e.builder.Output, now)
	if err != nil {
		return err
	}
	if err := e.settleMigrations(); err != nil {
		next.End(err)
		return err
	}
	if !e.host.Swap(next) { // an attached one was faster
		r.postponed = true
		e.log.Info(postponedLine)
		return nil
	}
	e.record.serves(true)
	r.hash, r.welcome = result.Hash, now.Welcome
	switch {
	case !r.ready: // Run's caller reports the first version
		return nil
	case before == nil:
		e.log.Info(fmt.Sprintf("ready on %s, built in %d ms", e.URL(), result.Took.Milliseconds()))
		return nil
	}
	e.log.Info(fmt.Sprintf("reloaded in %d ms (build %d)",
		time.Since(started).Milliseconds(), result.Took.Milliseconds()))
	return nil
}
