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

// newReloader begins to watch the files of the program and of the configuration. What changes from now on is in the first
// version, or leads to another.
func (e *Emulator) newReloader() (r *reloader, err error) {
	r = &reloader{e: e, crons: e.world.CronExpressions(), configuration: e.configurationFiles(), stopInspecting: func() {}}
	r.ctx, r.cancel = context.WithCancel(e.world.Context())
	if r.files, err = e.watchSurroundings(r.ctx, r.configuration, r.noticed); err != nil {
		r.cancel()
		return nil, err
	}
	return r, nil
}

// start lets changes lead to new versions from now on, until stop is called. unserved is what is wrong with the first one.
func (r *reloader) start(unserved error) {
	r.ready = true
	r.tell(unserved)
	r.e.host.ExpectNoMore(r.files.stirring)
	r.running.Go(r.run)
}

// stop may be called more than once, and without start.
func (r *reloader) stop() {
	r.stopping.Do(func() {
		r.cancel()
		r.running.Wait()
		r.files.close()
	})
}

// configurationFiles are the files that make the configuration. One that may come to be is among them if it would have
// a folder.
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

// A reloader turns what was saved into versions of the program, beginning with the first.
type reloader struct {
	e        *Emulator
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
	stopping sync.Once
	// ready is set when the first version has been tried.
	ready bool
	// hash and welcome are of the program that runs: what it was built to, and what
	// it was told of the configuration. There is none yet while hash is empty.
	hash    string
	welcome wire.Welcome
	crons   []string // of the configuration
	// files are watched, and configuration are those among them that make the configuration.
	files         *surroundings
	configuration []string
	// stopInspecting ends what Options.Built does.
	stopInspecting context.CancelFunc
	// told is what was last told to be wrong, and news is set when source has changed since. What has been told is not
	// told again for nothing: if the file that changes is this program's own log, there would be no end of it.
	told string
	news bool
	// stale is set when a file of the configuration has changed and was not yet read, and unprepared when go.mod has and
	// Options.Prepare was not yet called.
	stale, unprepared bool
	// postponed is set when there are changes to build as soon as no attached program serves.
	postponed bool
}

// run handles one change after the other until stop is called.
func (r *reloader) run() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case paths := <-r.files.changes:
			r.take(paths)
		case <-r.e.host.BuildWanted:
			if !r.postponed && r.e.host.Serving() != nil {
				continue
			}
			r.news = true
		}
		if !r.postpone() {
			if err := r.build(r.ctx); r.ctx.Err() == nil {
				r.tell(err)
			}
		}
		r.e.host.ExpectNoMore(r.files.stirring)
	}
}

// build makes a version of what was saved, and lets it serve. A change meanwhile starts over, and the end of ctx ends it.
// The error is why what was saved is not served; until it is put right requests fail with it if no other version serves.
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
			r.take(more)
		}
	}
}

// mendable reports whether an edit may put right what was wrong with the first version: not that there is no go, or that
// a file can't be written or started.
func (r *reloader) mendable(err error) bool {
	var build *plugin.BuildError
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil, r.stale: // it is the configuration that is wrong
		return true
	case errors.As(err, &build):
		return !build.NoGo
	}
	return !errors.As(err, &path) && !errors.As(err, &link)
}

// noticed has requests wait for the version to come when paths, which have just changed, are likely to make
// one. It is called by watchers.
func (r *reloader) noticed(paths []string) {
	if !r.e.host.AttachedServes() && slices.ContainsFunc(paths, r.makesVersion) {
		r.e.host.Expect()
	}
}

// makesVersion reports whether path is source of the program or of the configuration. Another file may be embedded in
// the program, or be its log: no request waits because of one.
func (r *reloader) makesVersion(path string) bool {
	switch filepath.Ext(path) {
	case ".go", ".mod", ".sum", ".work", ".s", ".c", ".h":
		return true
	}
	return slices.Contains(r.configuration, path)
}

// take notes that files have changed.
func (r *reloader) take(paths []string) {
	r.news = r.news || slices.ContainsFunc(paths, r.makesVersion)
	r.unprepared = r.unprepared || slices.Contains(paths, filepath.Join(r.e.project, "go.mod"))
	r.stale = r.stale || slices.ContainsFunc(paths, func(path string) bool { return slices.Contains(r.configuration, path) })
}

const postponedLine = "a program that was started by hand serves: what is saved is built when it has ended"

// postpone reports whether a program serves that was started by hand, so that nothing is built before it
// ends.
func (r *reloader) postpone() bool {
	said := r.postponed
	r.postponed = r.e.host.AttachedServes()
	if r.postponed && !said {
		r.e.log.Info(postponedLine)
	}
	return r.postponed
}

// inspect finds out what else is to be watched after a build that began at a time, and if it has succeeded lets
// Options.Built look at the sources. Both have until the next build begins.
func (r *reloader) inspect(built bool, began time.Time) {
	ctx, stop := context.WithCancel(r.ctx)
	r.stopInspecting = stop
	builder := *r.e.builder
	r.e.world.Go(func() { r.files.look(ctx, builder, built, began) })
	if look := r.e.options.Built; look != nil && built {
		r.e.world.Go(func() { look(ctx) })
	}
}

// tell says what became of what was saved.
func (r *reloader) tell(err error) {
	if err == nil {
		r.told, r.news = "", false
		return
	}
	if err.Error() == r.told && !r.news {
		return
	}
	r.told, r.news = err.Error(), false
	r.e.options.Failed(err)
	if r.e.host.Failing() != nil {
		r.e.log.Warn(unservedTitle + ": it is built again when a file is saved")
		return
	}
	r.e.log.Warn("the version before is still being served")
}

// reload builds the program and, if it or its configuration is new, starts it in
// place of the one that runs. After the point where events begin to wait, it
// does not let itself be cancelled.
func (r *reloader) reload(ctx context.Context) error {
	e := r.e
	started := time.Now()
	before := e.host.Serving()
	var crons []string // new ones
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
			e.log.Warn("where dev listens has changed in the configuration: that takes effect when devtool is started again")
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
	case !r.ready: // that will be said
		return nil
	case before == nil:
		e.log.Info(fmt.Sprintf("ready on %s, built in %d ms", e.URL(), result.Took.Milliseconds()))
		return nil
	}
	e.log.Info(fmt.Sprintf("reloaded in %d ms (build %d)", time.Since(started).Milliseconds(), result.Took.Milliseconds()))
	return nil
}
