package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"devtool.internal/config"
	"devtool.internal/emulator"
	"devtool.internal/emulator/plugin"
)

// A project is a project for which `devtool dev` or `devtool exec` runs an emulator.
type project struct {
	s       Streams
	dev     devOptions
	given   devSettings
	config  *config.Config
	log     emulatorLog
	journal *emulator.Journal

	path  string // of the configuration
	notes configNotes
	using string // the line that last said which files with variables are used
}

// openProject reads the flags and the configuration, and updates the project's copy of the SDK.
// The emulator's log and every problem, now or later, go to out. What the handler program prints
// goes to printed.
func openProject(s Streams, o devOptions, out, printed io.Writer) (*project, error) {
	given, err := o.parse()
	if err != nil {
		return nil, err
	}
	journal := new(emulator.Journal)
	p := &project{
		s: s, dev: o, given: given, journal: journal,
		log: newEmulatorLog(o.logFormat, given.level, out, printed, journal, colored(s, s.Err)),
	}
	p.notes.log = p.log.Logger
	if p.path, err = s.configPath(o.config); err != nil {
		return nil, err
	}
	if o.config == "" {
		p.notes.found(s.Dir, p.path)
	}
	if p.config, err = p.load(); err != nil {
		return nil, s.explainDev(p.log.text, err)
	}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	return p, nil
}

// load reads the configuration and its variables, and logs its warnings and notes.
func (p *project) load() (*config.Config, error) {
	c, warnings, err := config.Load(p.path, config.Options{Env: p.s.environment(p.dev.env)})
	if err != nil {
		return nil, err
	}
	if err := p.s.warn(p.log.text, warnings, p.dev.strict); err != nil {
		return nil, err
	}
	if wrong := checkMain(c); wrong != nil && !p.dev.attach {
		return nil, wrong
	}
	p.notes.loaded(c)
	sources := config.VarSources{
		EnvFiles: p.dev.envFiles, NoFiles: p.dev.noDotFiles, Given: p.given.vars, Environ: p.s.Environ(),
	}
	if warnings, err = c.LoadVars(sources); err != nil {
		return nil, err
	}
	if err := p.s.warn(p.log.text, warnings, p.dev.strict); err != nil {
		return nil, err
	}
	if using := describeVarFiles(c.VarFiles); using != p.using {
		p.log.Info(cmp.Or(using, "no file with variables is there any more"))
		p.using = using
	}
	return c, nil
}

// prepare makes the project ready to be built: it updates the copy of the SDK, and refuses a
// module that can't use it.
func (p *project) prepare() error {
	if p.dev.built { // and with it its copy of the SDK
		return refuseOldModule(p.s, p.config.Dir())
	}
	if err := refuseModule(p.s, p.config.Dir()); err != nil {
		return err
	}
	updated, err := refreshSDK(p.s, p.config.Dir())
	for _, folder := range updated {
		fmt.Fprintf(p.log.text, "updated the SDK in %s to the one of this devtool\n", p.s.short(folder))
	}
	if old := oldVendoredSDK(p.s, p.config.Dir()); old != nil && err == nil {
		p.log.Warn(old.problem(p.s) + ": " + old.advice())
	}
	return err
}

// collectLess makes the garbage collector of a process with emulators run less often, because their
// heap is small.
func collectLess(s Streams) {
	if s.Env("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// options returns the options of an emulator of the project. They lack the listener and the
// folder of the state.
func (p *project) options() emulator.Options {
	logged := p.s // a later problem stands among the lines of the log
	logged.Err = p.log.text
	first := p.config // emulator.New gets what has been read, and does not repeat the warnings
	return emulator.Options{
		Load: func() (*config.Config, error) {
			if c := first; c != nil {
				first = nil
				return c, nil
			}
			return p.load()
		},
		Frozen:        p.dev.frozen == onValue,
		Running:       p.dev.frozen == offValue,
		Time:          p.given.start,
		Seed:          uint64(p.dev.seed),
		Missed:        p.given.missed,
		Grace:         p.given.grace,
		Limits:        p.given.limits,
		TestScheduled: p.dev.scheduled,
		Output:        p.log.output,
		Log:           p.log.Logger,
		Journal:       p.journal,
		Version:       Version,
		Prepare:       p.prepare,
		Progress:      func(b plugin.Progress) { fmt.Fprintln(p.log.text, progressText(b)) },
		Failed:        func(err error) { report(logged, p.explainBuild(err), false) },
	}
}

// warn shows warnings about the configuration. With --strict they are errors.
func (s Streams) warn(w io.Writer, warnings []config.Diagnostic, strict bool) error {
	if strict && len(warnings) > 0 {
		return &config.Error{Diagnostics: raised(warnings)}
	}
	config.Render(w, warnings, colored(s, s.Err))
	return nil
}

// checkMain returns what is wrong with main for all that has to find the handler program.
func checkMain(c *config.Config) *config.Error {
	if c.Main == "" {
		return &config.Error{Diagnostics: []config.Diagnostic{c.MissingMain()}}
	}
	if _, err := os.Stat(filepath.Join(c.Dir(), c.Main)); errors.Is(err, fs.ErrNotExist) {
		return &config.Error{Diagnostics: []config.Diagnostic{c.MainNotFound()}}
	}
	return nil
}

// explainDev shows err at length, where there is more to it than a line, and returns what is
// left to say in one.
func (s Streams) explainDev(w io.Writer, err error) error {
	var bad *config.Error
	var build *plugin.BuildError
	switch {
	case errors.As(err, &bad):
		config.Render(w, bad.Diagnostics, colored(s, s.Err))
		return failure("", "%s can't be used", filepath.Base(bad.Diagnostics[0].Position.File))
	case errors.As(err, &build):
		if err := build.Render(w, colored(s, s.Err)); err != nil {
			return err
		}
		return failure(importHint(s, s.Dir, build.Output), "the handler program does not build: %s", build)
	}
	return err
}

// explainBuild is explainDev for the project's program. An old copy of the SDK explains much.
func (p *project) explainBuild(err error) error {
	shown := p.s.explainDev(p.log.text, err)
	var bad *config.Error
	if shown == nil || p.config == nil || errors.As(err, &bad) {
		return shown
	}
	message, hint := explain(shown)
	if old := oldVendoredSDK(p.s, p.config.Dir()); old != nil && hint == "" {
		return failure(old.advice()+": "+old.problem(p.s), "%s", message)
	}
	return shown
}

// progressText is the line that dev repeats during a long build.
func progressText(p plugin.Progress) string {
	text := fmt.Sprintf("building… %d s", int(p.Elapsed.Seconds()))
	if p.Downloaded > 0 {
		text += ", " + plural(int64(p.Downloaded), "module") + " fetched"
	}
	if p.Compiled > 0 {
		text += ", " + plural(int64(p.Compiled), "package") + " compiled (the first build compiles Go's own, too)"
	}
	return text
}

// describeVarFiles names the files with variables that are used. It returns nothing if none is.
func describeVarFiles(files []config.VarFile) string {
	var used []string
	for _, f := range files {
		if f.Used {
			used = append(used, f.Name)
		}
	}
	if len(used) == 0 {
		return ""
	}
	return "using the variables of " + strings.Join(used, ", ")
}
