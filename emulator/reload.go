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

	"devtool.internal/config"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/door"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/program"
	"devtool.internal/emulator/world"
)

// newReloader begins to watch the files of the program and of the configuration. A change from now
// on is either part of the first version or makes another.
func (e *Emulator) newReloader() (r *reloader, err error) {
	r = &reloader{
		e: e, crons: e.world.CronExpressions(), configuration: e.configurationFiles(),
		stopInspecting: func() {}, asked: make(chan chan<- error),
		brake: brake{requests: &e.requests}, dev: e.currentSettings().dev,
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

// configurationFiles returns the files that make the configuration. Missing ones are among them,
// because they may be created later.
func (e *Emulator) configurationFiles() []string {
	s := e.currentSettings()
	files := []string{s.path}
	for _, f := range s.varFiles {
		files = append(files, f.Path)
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
	// program that embeds its log would cause reports without end.
	reported      string
	sourceChanged bool
	// unchanged is set if the last build made what serves already.
	unchanged bool
	brake     brake
	dev       config.Dev // where the emulator listens
	// stale is set while a changed file of the configuration has not been read, and unprepared
	// while Options.Prepare has not been called after a change of go.mod.
	stale, unprepared bool
	// migrates is the configuration if its migrations wait for the next swap, or nil.
	migrates *config.Config
	// postponed is set while changes wait to be built because an attached program serves.
	postponed bool
	// asked receives requests to build and start the program, whatever has changed.
	asked chan chan<- error
}

// run handles changes, one after the other, until stop is called.
func (r *reloader) run() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case paths := <-r.files.changes:
			if r.isBraked(paths) {
				r.e.host.ExpectNoMore(r.files.settling)
				continue
			}
			r.noteChanges(paths)
		case <-r.e.host.BuildWanted:
			if !r.postponed && r.e.host.Serving() != nil {
				continue
			}
			r.sourceChanged = true
		case answer := <-r.asked:
			answer <- r.startAgain()
			continue
		}
		r.buildAndReport()
	}
}

// buildAndReport makes a version, unless an attached program serves.
func (r *reloader) buildAndReport() {
	if !r.postpone() {
		if err := r.build(r.ctx); r.ctx.Err() == nil {
			r.report(err)
		}
	}
	r.e.host.ExpectNoMore(r.files.settling)
}

// isBehind reports whether what is saved does not serve although a program does.
func (r *reloader) isBehind() bool {
	e := r.e
	if e.host.AttachedServes() || e.host.Serving() == nil {
		return false
	}
	e.record.mu.Lock()
	defer e.record.mu.Unlock()
	return e.record.Failure != nil || r.brake.holds()
}

// ask makes run start the program again, built from what is saved. It returns when that is done.
func (r *reloader) ask(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case r.asked <- answer:
	case <-r.ctx.Done():
		return world.ErrEnding
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-answer:
		return err
	case <-r.ctx.Done():
		return world.ErrEnding
	}
}

// startAgain builds what is saved. If that can't be served, the version before is started again.
func (r *reloader) startAgain() error {
	r.brake.release()
	r.stale, r.unprepared, r.sourceChanged = true, true, true
	before := r.e.host.Serving()
	r.buildAndReport()
	if r.e.host.Serving() != before {
		return nil
	}
	return r.e.host.Restart()
}

// build makes a version of the saved files and serves it. A change meanwhile starts the build over;
// the end of ctx ends it. The error says why the version is not served. If no other version serves,
// requests fail with it until a later build succeeds.
func (r *reloader) build(ctx context.Context) error {
	for repeats := 0; ; {
		r.stopInspecting()
		r.files.building()
		r.e.host.Fail(nil)
		began := time.Now()
		building, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			defer close(done)
			done <- r.reload(building)
		}()
		var changed []string
		for changed == nil {
			select {
			case err := <-done:
				cancel()
				if err != nil && repeats < maxRepeats {
					repeats++
					changed = r.savedMeanwhile(ctx, began, err)
				}
				if changed == nil {
					return r.conclude(ctx, err, began)
				}
			case paths := <-r.files.changes:
				if !r.isBraked(paths) {
					changed = paths
				}
			}
		}
		cancel()
		<-done // from here on, nothing else uses what noteChanges changes
		r.noteChanges(changed)
	}
}

// maxRepeats bounds how often a build is repeated that has failed during a save.
const maxRepeats = 5

// conclude notes the outcome err of a build that began at began, and returns it.
func (r *reloader) conclude(ctx context.Context, err error, began time.Time) error {
	if ctx.Err() != nil {
		return err
	}
	failure := r.e.record.changed(err)
	if err != nil {
		r.e.host.Fail(&door.Unserved{Cause: err, Failure: failure})
	}
	r.files.anySource(r.stale)
	r.inspect(err == nil, began)
	return err
}

// vendorPatience bounds the wait, in real time, for the report of a vendor folder that was filled
// during a build.
const vendorPatience = 5 * time.Second

// savedMeanwhile waits for a save that is under way, if there is one. It returns the changed files
// if they make another version, or nil. A build in the middle of a save fails for no reason of its
// own: `go mod vendor` leaves half a folder for a while. The build began at began and failed with
// failure.
func (r *reloader) savedMeanwhile(ctx context.Context, began time.Time, failure error) (changed []string) {
	if ctx.Err() != nil {
		return nil
	}
	select {
	case changed = <-r.files.changes: // its report came together with the failure
	default:
		limit := make(<-chan time.Time)
		if !r.files.settling() {
			if !strings.Contains(failure.Error(), "vendor") || !r.files.vendoring(began) {
				return nil
			}
			limit = time.After(vendorPatience)
		}
		select {
		case changed = <-r.files.changes:
		case <-limit:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	if r.isBraked(changed) {
		return nil
	}
	return changed
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
	return decidesModules(path) || slices.Contains(r.configuration, path)
}

// isBraked reports whether changed inputs of the build make no new version.
func (r *reloader) isBraked(paths []string) bool {
	stops, written := r.brake.stops(paths, r.makesVersion)
	if written != nil {
		r.e.log.Warn(fmt.Sprintf("%s changed at each of the last %d starts, so the program seems to write it: "+
			"it is not built again for that, until you save another file or press r",
			r.e.listed(written), braking))
	}
	return stops
}

// noteChanges notes that inputs of the build have changed. No reload is under way.
func (r *reloader) noteChanges(paths []string) {
	r.e.log.Debug("changed: " + r.e.listed(paths))
	r.sourceChanged = r.sourceChanged || slices.ContainsFunc(paths, r.makesVersion)
	r.unprepared = r.unprepared || slices.ContainsFunc(paths, decidesModules)
	r.stale = r.stale || slices.ContainsFunc(paths, func(path string) bool {
		return slices.Contains(r.configuration, path)
	})
}

// decidesModules reports whether the file or folder at path says from which modules go builds.
func decidesModules(path string) bool {
	return slices.Contains([]string{"go.mod", "go.work", "modules.txt", "vendor"}, filepath.Base(path))
}

// maxListed is how many files a line names.
const maxListed = 3

// listed names files as the user knows them.
func (e *Emulator) listed(paths []string) string {
	var names []string
	for _, path := range paths[:min(len(paths), maxListed)] {
		if rel, err := filepath.Rel(e.project, path); err == nil && filepath.IsLocal(rel) {
			path = rel
		}
		names = append(names, path)
	}
	if more := len(paths) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
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

// report reports the outcome of a build. The same error as before is one line.
func (r *reloader) report(err error) {
	if err == nil {
		if r.reported != "" && r.unchanged {
			r.e.log.Info("what is saved is what is served: nothing to reload")
		}
		r.reported, r.sourceChanged = "", false
		return
	}
	failure := failureOf(err)
	text := failure.Message + "\n" + failure.Text
	again := text == r.reported
	if again && !r.sourceChanged {
		return
	}
	r.reported, r.sourceChanged = text, false
	next := "the version before is still being served"
	if r.e.host.Failing() != nil {
		next = door.UnservedTitle + ": it is built again when a file is saved"
	}
	if again {
		line, _, _ := strings.Cut(failure.Message, "\n")
		r.e.log.Warn("the error is the same as before (" + line + "); " + next)
		return
	}
	r.e.options.Failed(err)
	r.e.log.Warn(next)
}

// reload builds the program and, if it or its configuration is new, serves it in place of the
// running one. The end of ctx cancels it only until events begin to wait for the swap.
func (r *reloader) reload(ctx context.Context) error {
	e := r.e
	started := time.Now()
	r.unchanged = false
	before := e.host.Serving()
	newCrons, err := r.readConfiguration()
	if err == nil {
		err = r.prepare()
	}
	if err != nil {
		return err
	}
	result, err := e.builder.Build(ctx, e.options.Progress)
	if err != nil {
		return err
	}
	e.record.built(result.Took)
	next, err := r.nextVersion(result.Hash)
	if err != nil {
		return err
	}
	if next == nil {
		if err := e.settleMigrations(); err != nil {
			return err
		}
		r.unchanged = true
		e.log.Debug("nothing to reload", "build", result.Took)
		if newCrons {
			e.host.WarnOfCrons(e.host.Serving())
		}
		return nil
	}
	if swapped, err := r.serve(ctx, next); err != nil || !swapped {
		return err
	}
	switch {
	case !r.ready: // Run's caller reports the first version
	case before == nil:
		e.log.Info(fmt.Sprintf("ready on %s, built in %d ms", e.URL(), result.Took.Milliseconds()))
	default:
		e.log.Info(fmt.Sprintf("reloaded in %d ms (build %d)",
			time.Since(started).Milliseconds(), result.Took.Milliseconds()))
	}
	return nil
}

// readConfiguration reads and applies the configuration if one of its files has changed. It reports
// whether the configuration has cron triggers that it did not have before.
func (r *reloader) readConfiguration() (newCrons bool, err error) {
	if !r.stale {
		return false, nil
	}
	e := r.e
	c, err := e.options.Load()
	if err != nil {
		return false, err
	}
	was := e.currentSettings().dev
	postponed, err := e.configure(c)
	if err != nil {
		return false, err
	}
	r.migrates = nil
	if postponed {
		r.migrates = c
	}
	switch {
	case sameAddress(c.Dev, was):
	case sameAddress(c.Dev, r.dev):
		e.log.Info("the dev address in the configuration is again the one in use")
	default:
		e.log.Warn("the dev address changed in the configuration; restart devtool to apply it")
	}
	if !slices.Equal(c.Crons, r.crons) {
		r.crons, newCrons = c.Crons, len(c.Crons) > 0
		e.log.Info(fmt.Sprintf("cron triggers of the configuration: %q", c.Crons))
	}
	e.builder.Package = mainPackage(c)
	r.stale = false
	return newCrons, nil
}

// prepare prepares the project's folder for a build, if the user has changed what decides about the
// modules.
func (r *reloader) prepare() error {
	if prepare := r.e.options.Prepare; prepare != nil && r.unprepared {
		if err := prepare(); err != nil {
			return err
		}
	}
	r.unprepared = false
	return nil
}

// A version is a built program that is to serve, with the settings that it gets.
type version struct {
	hash     string // of the binary
	settings program.Settings
	// migrations is the configuration whose migrations change which class has existing objects, or
	// nil. They need the world for themselves.
	migrations *config.Config
}

// nextVersion returns the version that the program with this hash makes, or nil if it is the one
// that serves.
func (r *reloader) nextVersion(hash string) (*version, error) {
	v := &version{hash: hash, settings: r.e.currentSettings().program, migrations: r.migrates}
	if v.migrations == nil {
		if hash == r.hash && reflect.DeepEqual(r.welcome, v.settings.Welcome) {
			return nil, nil
		}
		return v, nil
	}
	planned, err := r.e.planFor(v.migrations)
	if err != nil {
		return nil, err
	}
	v.settings = planned.settings.program
	v.settings.Bindings = make(map[string]*world.Namespace) // reconfigure fills it in
	return v, nil
}

// serve launches a version, and makes it serve in place of the one before. It reports false if an
// attached program serves instead.
func (r *reloader) serve(ctx context.Context, v *version) (swapped bool, err error) {
	e := r.e
	r.brake.launches()
	defer r.brake.serves()
	next, err := e.host.LaunchNew(ctx, e.builder.Output, v.settings)
	if err != nil {
		return false, err
	}
	if v.migrations != nil {
		change := func() error { return e.reconfigure(v.migrations, v.settings.Bindings) }
		swapped, err = e.host.SwapAlone(next, change)
	} else if err = e.settleMigrations(); err == nil {
		swapped = e.host.Swap(next)
	} else {
		next.End(err)
	}
	if err != nil {
		return false, err
	}
	if !swapped { // an attached one was faster
		r.postponed = true
		e.log.Info(postponedLine)
		return false, nil
	}
	e.record.serves(true)
	r.hash, r.welcome, r.migrates = v.hash, v.settings.Welcome, nil
	return true, nil
}

// sameAddress reports whether a and b listen at the same place.
func sameAddress(a, b config.Dev) bool {
	return a.IP == b.IP && a.Port == b.Port && a.LocalProtocol == b.LocalProtocol
}
