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
	"devtool/emulator/plugin"
)

// watchFiles rebuilds and swaps the program when its files or the configuration
// change, until the returned function is called. hash is of the program that runs.
func (e *Emulator) watchFiles(hash string) (stop func(), err error) {
	configuration := e.configurationFiles()
	roots := []string{e.project}
	if main := filepath.Join(e.project, e.builder.Package); !within(main, e.project) {
		roots = append(roots, main)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	w, err := plugin.Watch(ctx, plugin.WatchOptions{
		Roots:  roots,
		Files:  configuration,
		Ignore: func(path string) bool { return within(path, e.options.State) },
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("watch files: %w", err)
	}
	if reason := w.Polling(); reason != "" {
		e.log.Warn("looking for changed files twice a second, for the system does not tell: " + reason)
	}
	r := &reloader{e: e, hash: hash, welcome: e.currentSettings().welcome, crons: e.crons.exprs()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx, w.Changes(), configuration)
	}()
	return func() {
		cancel()
		<-done
		w.Close()
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
	// stopInspecting ends what Options.Built does.
	stopInspecting context.CancelFunc
	// stale is set when a file of the configuration has changed and was not yet read.
	stale bool
}

// run handles one change after the other. A change during a build cancels it.
func (r *reloader) run(ctx context.Context, changes <-chan []string, configuration []string) {
	r.inspect(ctx)
	for paths := range changes {
		for again := true; again; {
			again = false
			r.stale = r.stale || slices.ContainsFunc(paths, func(path string) bool { return slices.Contains(configuration, path) })
			r.stopInspecting()
			building, cancel := context.WithCancel(ctx)
			done := make(chan error, 1)
			go func() { done <- r.reload(building) }()
			select {
			case err := <-done:
				r.tell(ctx, err)
				if err == nil {
					r.inspect(ctx)
				}
			case more, ok := <-changes:
				cancel()
				<-done
				if ok {
					paths, again = more, true
				}
			}
			cancel()
		}
	}
}

// inspect lets Options.Built look at the sources until the next build begins.
func (r *reloader) inspect(ctx context.Context) {
	ctx, r.stopInspecting = context.WithCancel(ctx)
	if built := r.e.options.Built; built != nil {
		r.e.background.Go(func() { built(ctx) })
	}
}

func (r *reloader) tell(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
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
		if err := e.configure(c); err != nil {
			return err
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
	e.host.swap(next)
	r.hash, r.welcome = result.Hash, now.welcome
	e.log.Info(fmt.Sprintf("reloaded in %d ms (build %d)", time.Since(started).Milliseconds(), result.Took.Milliseconds()))
	return nil
}
