package emulator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"devtool/durable/wire"
)

// watchFiles rebuilds and swaps the program when its files or the configuration
// change, until the returned function is called. hash is of the program that runs.
func (e *Emulator) watchFiles(hash string) (stop func(), err error) {
	ctx, cancel := context.WithCancel(e.ctx)
	r := &reloader{
		e: e, hash: hash, welcome: e.currentSettings().welcome, crons: e.crons.exprs(),
		configuration: e.configurationFiles(),
	}
	if r.files, err = e.watchSurroundings(ctx, r.configuration, r.noticed); err != nil {
		cancel()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx)
	}()
	return func() {
		cancel()
		<-done
		r.files.close()
	}, nil
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

// A reloader turns changes of files into new versions of the program.
type reloader struct {
	e *Emulator
	// hash and welcome are of the program that runs: what it was built to, and what
	// it was told of the configuration.
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
	// stale is set when a file of the configuration has changed and was not yet read.
	stale bool
	// postponed is set when there are changes to build as soon as no program serves that was started by hand.
	postponed bool
}

// run handles one change after the other until ctx ends. A change during a build cancels it.
func (r *reloader) run(ctx context.Context) {
	r.inspect(ctx, true, r.e.started)
	for {
		select {
		case <-ctx.Done():
			return
		case paths := <-r.files.changes:
			r.take(paths)
		case <-r.e.host.detached:
			if !r.postponed {
				continue
			}
		}
		for again := !r.postpone(); again; {
			again = false
			r.stopInspecting()
			began := time.Now()
			building, cancel := context.WithCancel(ctx)
			done := make(chan error, 1)
			go func() { done <- r.reload(building) }()
			select {
			case err := <-done:
				r.tell(ctx, err)
				r.inspect(ctx, err == nil, began)
			case more := <-r.files.changes:
				cancel()
				<-done
				r.take(more)
				again = true
			}
			cancel()
		}
		r.e.host.expectNoMore(r.files.stirring)
	}
}

// noticed has requests wait for the version to come when paths, which have just changed, are likely to make
// one. It is called by watchers.
func (r *reloader) noticed(paths []string) {
	if !r.e.host.attached() && slices.ContainsFunc(paths, r.makesVersion) {
		r.e.host.expect()
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
	r.stale = r.stale || slices.ContainsFunc(paths, func(path string) bool { return slices.Contains(r.configuration, path) })
}

const postponedLine = "a program that was started by hand serves: what is saved is built when it has ended"

// postpone reports whether a program serves that was started by hand, so that nothing is built before it
// ends.
func (r *reloader) postpone() bool {
	said := r.postponed
	r.postponed = r.e.host.attached()
	if r.postponed && !said {
		r.e.log.Info(postponedLine)
	}
	return r.postponed
}

// inspect finds out what else is to be watched after a build that began at a time, and if it has succeeded lets
// Options.Built look at the sources. Both have until the next build begins.
func (r *reloader) inspect(ctx context.Context, built bool, began time.Time) {
	ctx, r.stopInspecting = context.WithCancel(ctx)
	builder := *r.e.builder
	r.e.background.Go(func() { r.files.look(ctx, builder, built, began) })
	if look := r.e.options.Built; look != nil && built {
		r.e.background.Go(func() { look(ctx) })
	}
}

func (r *reloader) tell(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.e.record.changed(err)
	if err == nil {
		r.told, r.news = "", false
		return
	}
	if err.Error() == r.told && !r.news {
		return
	}
	r.told, r.news = err.Error(), false
	r.e.options.Failed(err)
	r.e.log.Warn("the version before is still being served")
}

// reload builds the program and, if it or its configuration is new, starts it in
// place of the one that runs. After the point where events begin to wait, it
// does not let itself be cancelled.
func (r *reloader) reload(ctx context.Context) error {
	e := r.e
	started := time.Now()
	var crons []string // new ones
	if r.stale {
		c, err := e.options.Load()
		if err != nil {
			return err
		}
		before := e.currentSettings().dev
		if err := e.configure(c); err != nil {
			return err
		}
		if c.Dev.IP != before.IP || c.Dev.Port != before.Port || c.Dev.LocalProtocol != before.LocalProtocol {
			e.log.Warn("where dev listens has changed in the configuration: that takes effect when devtool is started again")
		}
		if !slices.Equal(c.Crons, r.crons) {
			r.crons, crons = c.Crons, c.Crons
			e.log.Info(fmt.Sprintf("cron triggers of the configuration: %q", crons))
		}
		e.builder.Package = mainPackage(c)
		r.stale = false
	}
	result, err := e.builder.Build(ctx, e.options.Progress)
	if err != nil {
		return err
	}
	e.record.built(result.Took)
	now := e.currentSettings()
	if result.Hash == r.hash && reflect.DeepEqual(r.welcome, now.welcome) {
		if err := e.settleMigrations(); err != nil {
			return err
		}
		e.log.Debug("nothing to reload", "build", result.Took)
		if len(crons) > 0 {
			e.warnOfCrons(e.host.running())
		}
		return nil
	}
	next, err := e.host.launchNew(ctx, e.builder.Output, now)
	if err != nil {
		return err
	}
	if err := e.settleMigrations(); err != nil {
		next.end(err)
		return err
	}
	if !e.host.swap(next) { // one that was started by hand was faster
		r.postponed = true
		e.log.Info(postponedLine)
		return nil
	}
	e.record.serves(true)
	r.hash, r.welcome = result.Hash, now.welcome
	e.log.Info(fmt.Sprintf("reloaded in %d ms (build %d)", time.Since(started).Milliseconds(), result.Took.Milliseconds()))
	return nil
}
