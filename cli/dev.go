package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"devtool.internal/config"
	"devtool.internal/emulator"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/state"
)

// unset is the value of an option that was not given, where an empty one means
// something.
const unset = "\x00"

// unsetPort is the port that was not given.
const unsetPort = math.MinInt

// devOptions are the options of `devtool dev`.
type devOptions struct {
	config string
	env    string
	port   int
	ip     string
	urlOptions
	persistTo string
	envFiles  []string
	vars      []string
	strict    bool
	logLevel  string
	logFormat string
	frozen    bool
	missed    string
	time      string
	seed      int
	limits    string
	scheduled bool
	attach    bool
	apart     bool
	json      bool
}

// flags are those of `devtool dev`; other commands that run an emulator take some of them.
func (o *devOptions) flags() []flag {
	return slices.Concat([]flag{
		{name: "config", short: "c", value: "FILE", usage: "read this configuration", target: &o.config},
		{name: "env", short: "e", value: "NAME", usage: "environment of the configuration (also: CLOUDFLARE_ENV)", target: &o.env},
		{name: "port", value: "N", usage: "listen on this port; 0 takes any (default: 8787 or one of the next)", target: &o.port},
		{name: "ip", value: "ADDRESS", usage: "listen on this address (default: localhost)", target: &o.ip},
	}, o.urlOptions.flags(), []flag{
		{name: "persist-to", value: "DIR", usage: "keep the state there (default: .devtool/state in the project)", target: &o.persistTo},
		{name: "env-file", value: "FILE", usage: "read variables from it, not from .dev.vars and .env files; may be repeated", target: &o.envFiles},
		{name: "var", value: "KEY:VALUE", usage: "set a variable, over the configuration's and those of files; may be repeated", target: &o.vars},
		{name: "strict", usage: "take warnings about the configuration for errors", target: &o.strict},
		{name: "frozen", usage: "start with a clock that stands still", target: &o.frozen},
		{name: "missed", value: "POLICY", usage: "alarms that fell due while nothing ran: fire, skip or hold (default: fire)", target: &o.missed},
		{name: "time", value: "TIME", usage: "start the clock at that time, such as 2026-01-01T00:00:00Z", target: &o.time},
		{name: "seed", value: "N", usage: "shuffle what is due at the same time, by N (default: 0, not at all)", target: &o.seed},
		{name: "limits", value: "PROFILE", usage: "production (default), or local for those of the platform's local runtime", target: &o.limits},
		{name: "test-scheduled", usage: "run cron triggers by requests to /__scheduled?cron=EXPR, too", target: &o.scheduled},
		{name: "attach", usage: "follow the emulator that runs, or else wait for a program started by hand", target: &o.attach},
		{name: "apart", usage: "for tests: other commands do not find it, and it ends when its input does", target: &o.apart},
		{name: "log-level", value: "LEVEL", usage: "debug, info, warn, error or none (default: info)", target: &o.logLevel},
		{name: "log-format", value: "FORMAT", usage: "text, or json for a line of JSON each (default: text)", target: &o.logFormat},
		{name: "json", usage: "print one line of JSON when ready, instead of the start screen", target: &o.json},
	})
}

func newDevOptions() devOptions {
	return devOptions{env: unset, port: unsetPort, logLevel: "info", logFormat: logText, limits: "production", missed: "fire"}
}

func devCommand() *command {
	o := newDevOptions()
	return &command{
		name:    "dev",
		summary: "Build and serve the project, and reload it when a file is saved",
		about: `Builds the handler program that the configuration names, serves its worker, and
keeps its objects in .devtool/state. A save rebuilds and swaps the program without
losing a request; an edit that does not compile leaves the old version serving.
If the first version is broken, so that there is none, it waits for the next save.
The clock goes on from where it stood.`,
		args:  []argument{{name: "DIR", usage: "folder of the project (default: the one above with a wrangler file)", optional: true}},
		flags: o.flags(),
		examples: []example{
			{"devtool dev", ""},
			{"devtool dev my-app --port 0 --frozen", "for a test"},
			{"devtool dev --attach", "then run the program in an IDE or a debugger"},
			{"devtool dev --var UPSTREAM:http://localhost:9000", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			if len(args) > 0 {
				var err error
				if s, err = s.in(args[0]); err != nil {
					return misuse("", "%s is not a folder", args[0])
				}
			}
			return dev(ctx, s, o)
		},
	}
}

func dev(ctx context.Context, s Streams, o devOptions) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	out := newDisplay(s)
	if o.logFormat == logJSON {
		s.Env = withoutColor(s.Env)
	}
	running, err := runningOn(s, o)
	switch {
	case err != nil:
		return err
	case running != nil && o.attach:
		return follow(ctx, s, o, out, quit, *running)
	case running != nil: // before the port is tried, which may be the same
		return &state.InUseError{State: running.State, Owner: state.Owner{PID: running.PID, URL: running.URL, Started: running.Started}}
	}
	p, err := openProject(s, o, out, out.handler())
	if err != nil {
		return err
	}
	defer p.log.end()
	secure, err := s.tls(o.urlOptions, p.config.Dev)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, o, p.config.Dev)
	if err != nil {
		return err
	}
	options := p.options()
	options.Listener, options.TLS = listener, secure
	if options.Local, err = listenLocally(ctx, listener); err != nil {
		listener.Close()
		return err
	}
	options.Host, options.UpstreamProtocol = o.host, o.upstreamProtocol
	options.State = s.stateFolder(p.config.Dir(), o.persistTo)
	options.Built = hintAtClock(p.config.Dir(), options.Log)
	options.Attach = emulator.AttachToo
	if o.attach {
		options.Attach = emulator.AttachOnly
	}
	if o.apart {
		options.Apart, options.Build = true, filepath.Join(options.State, "build")
		signal.Ignore(syscall.SIGPIPE) // who reads the log may be gone, and what is left is to be tidied up all the same
		var end context.CancelFunc
		ctx, end = context.WithCancel(ctx)
		defer end()
		go func() {
			io.Copy(io.Discard, s.In) //nolint:errcheck // however it ends
			end()
		}()
	}
	e, err := emulator.New(options)
	if err != nil {
		listener.Close()
		if options.Local != nil {
			options.Local.Close()
		}
		return s.explainDev(p.log.text, err)
	}
	release := func() {}
	err = e.Run(ctx, func() {
		facts := screenFacts{status: e.Status(), time: e.Time(), crons: e.Crons().Crons, held: e.Held(), ending: "Ctrl-C ends", unserved: e.Unserved()}
		if err := present(s, o, out, p.config, facts); err != nil {
			fmt.Fprintln(p.log.text, err)
		}
		release = offerHotkeys(ctx, s, o, &hotkeys{display: out, client: e.Client(), url: facts.status.URL, quit: quit, leaving: "exit"})
	})
	release()
	return s.explainDev(p.log.text, err)
}

// readyLine is what --json prints.
type readyLine struct {
	control.Status
	Failure *control.Failure `json:"failure,omitempty"` // why nothing is served yet
}

// present shows what is served, on standard output.
func present(s Streams, o devOptions, out *display, c *config.Config, facts screenFacts) error {
	if o.json { // on one line, for a program that goes on while this one runs
		return json.NewEncoder(s.Out).Encode(readyLine{facts.status, facts.unserved})
	}
	to := s.Out
	if s.IsTerminal(s.Out) && s.IsTerminal(s.Err) {
		to = out // which is the only one to write there
	}
	return printer{out: to}.print(nil, func(w io.Writer) { startScreen(w, c, facts, s.Dir, s.Width(s.Out)) })
}

// A project is what `devtool dev` and `devtool exec` make an emulator of.
type project struct {
	config  *config.Config
	log     emulatorLog
	options func() emulator.Options
}

// openProject reads the configuration and brings the SDK up to date. Whatever is wrong, now or later, and
// all that is logged, goes to out, and what the handler program prints to printed. The options that it makes lack the
// listener and the folder of the state.
func openProject(s Streams, o devOptions, out, printed io.Writer) (*project, error) {
	level, err := parseLevel(o.logLevel)
	if err != nil {
		return nil, err
	}
	journal := new(emulator.Journal)
	log, err := newEmulatorLog(o.logFormat, level, out, printed, journal, colored(s, s.Err))
	if err != nil {
		return nil, err
	}
	limits, err := parseLimits(o.limits)
	if err != nil {
		return nil, err
	}
	missed, err := parseMissed(o.missed)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	var start time.Time
	if o.time != "" {
		if start, err = parseTime(o.time); err != nil {
			return nil, err
		}
	}
	vars, err := parseVars(o.vars)
	if err != nil {
		return nil, err
	}
	notes := configNotes{log: log.Logger}
	path, err := s.configPath(o.config)
	if err != nil {
		return nil, err
	}
	if o.config == "" {
		notes.found(s.Dir, path)
	}
	sources := config.VarSources{EnvFiles: o.envFiles, Given: vars, Environ: s.Environ()}
	said := "" // of the files with variables
	load := func() (*config.Config, error) {
		c, warnings, err := config.Load(path, config.Options{Env: s.environment(o.env)})
		if err != nil {
			return nil, err
		}
		if err := s.warn(log.text, warnings, o.strict); err != nil {
			return nil, err
		}
		if wrong := checkMain(c); wrong != nil && !o.attach {
			return nil, wrong
		}
		notes.loaded(c)
		warnings, err = c.LoadVars(sources)
		if err != nil {
			return nil, err
		}
		if err := s.warn(log.text, warnings, o.strict); err != nil {
			return nil, err
		}
		if using := describeVarFiles(c.VarFiles); using != said {
			log.Info(cmp.Or(using, "no file with variables is there any more"))
			said = using
		}
		return c, nil
	}
	c, err := load()
	if err != nil {
		return nil, s.explainDev(log.text, err)
	}
	prepare := func() error {
		if err := refuseModule(s, c.Dir()); err != nil {
			return err
		}
		updated, err := refreshSDK(s, c.Dir())
		for _, folder := range updated {
			fmt.Fprintf(log.text, "updated the SDK in %s to the one of this devtool\n", s.short(folder))
		}
		return err
	}
	if o.apart && o.attach { // the program is built already, and with it its copy of the SDK
		prepare = func() error { return refuseOldModule(s, c.Dir()) }
	}
	if err := prepare(); err != nil {
		return nil, err
	}

	// There is little in memory but what requests leave behind, and memory to spare.
	if s.Env("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	// What goes wrong later stands among the lines of the log.
	logged := s
	logged.Err = log.text
	return &project{config: c, log: log, options: func() emulator.Options {
		// The configuration has been read, and what was wrong with it said: New need not
		// do so again.
		first := c
		return emulator.Options{
			Load: func() (*config.Config, error) {
				if c := first; c != nil {
					first = nil
					return c, nil
				}
				return load()
			},
			Frozen:        o.frozen,
			Time:          start,
			Seed:          uint64(o.seed),
			Missed:        missed,
			Limits:        limits,
			TestScheduled: o.scheduled,
			Output:        log.output,
			Log:           log.Logger,
			Journal:       journal,
			Version:       Version,
			Prepare:       prepare,
			Progress:      func(p plugin.Progress) { fmt.Fprintln(log.text, progressText(p)) },
			Failed:        func(err error) { report(logged, s.explainDev(log.text, err), false) },
		}
	}}, nil
}

// warn shows warnings about the configuration. When it is strict they are errors.
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
		return &config.Error{Diagnostics: []config.Diagnostic{c.LostMain()}}
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
		return failure(oldImportHint(s, s.Dir, build.Output), "the handler program does not build: %s", build)
	}
	return err
}

// progressText is the line that is shown now and then during a long build.
func progressText(p plugin.Progress) string {
	text := fmt.Sprintf("building… %d s", int(p.Elapsed.Seconds()))
	if p.Downloaded > 0 {
		text += fmt.Sprintf(", %d modules fetched", p.Downloaded)
	}
	if p.Compiled > 0 {
		text += fmt.Sprintf(", %d packages compiled (the first build compiles the standard library)", p.Compiled)
	}
	return text
}

func parseLevel(s string) (slog.Level, error) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug,
		"info":  slog.LevelInfo,
		"log":   slog.LevelInfo, // wrangler's name
		"warn":  slog.LevelWarn,
		"error": slog.LevelError,
		"none":  slog.LevelError + 1,
	}
	level, ok := levels[s]
	if !ok {
		return 0, misuse("choose debug, info, warn, error or none", "there is no log level %q", s)
	}
	return level, nil
}

func parseLimits(s string) (emulator.Limits, error) {
	switch s {
	case "production":
		return emulator.ProductionLimits, nil
	case "local":
		return emulator.LocalLimits, nil
	}
	return emulator.Limits{}, misuse("choose production or local", "there is no profile of limits %q", s)
}

func parseMissed(s string) (emulator.Missed, error) {
	switch m := emulator.Missed(s); m {
	case emulator.MissedFire, emulator.MissedSkip, emulator.MissedHold:
		return m, nil
	}
	return "", misuse("choose fire, skip or hold", "missed alarms can't be %q", s)
}

// describeVarFiles says which of the files with variables are used. It is empty if none is.
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

// parseVars reads the values of --var.
func parseVars(given []string) ([]config.Var, error) {
	var vars []config.Var
	for _, g := range given {
		name, value, ok := strings.Cut(g, ":")
		if !ok || name == "" {
			return nil, misuse("write it like --var UPSTREAM:http://localhost:9000", "%q is not KEY:VALUE", g)
		}
		vars = append(vars, config.Var{Name: name, Value: value, From: "--var"})
	}
	return vars, nil
}

// Where dev listens: the port is tried first, and then that many after it.
const (
	defaultHost = "localhost"
	defaultPort = 8787
	morePorts   = 10
)

// listen opens the port that the flags or the configuration name. If they name none it is
// 8787, or one of the next if that is taken, or any.
func listen(ctx context.Context, o devOptions, c config.Dev) (net.Listener, error) {
	host := cmp.Or(o.ip, c.IP, defaultHost)
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "*":
		host = "0.0.0.0"
	}
	port, explicit := o.port, o.port != unsetPort
	if !explicit && c.HasPort {
		port, explicit = c.Port, true
	}
	if explicit && (port < 0 || port > 65535) {
		return nil, misuse("", "%d is not a port: they go from 0 to 65535", port)
	}
	var listening net.ListenConfig
	if explicit {
		l, err := listening.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, failure("stop what listens there, or choose another with --port (0 takes any)", "port %d on %s is taken", port, host)
		}
		if err != nil {
			return nil, explainListen(err, host, port)
		}
		return l, nil
	}
	for port := defaultPort; ; port++ {
		if port > defaultPort+morePorts {
			port = 0
		}
		l, err := listening.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		if port == 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, explainListen(err, host, port)
		}
	}
}

// explainListen says why nothing can listen there.
func explainListen(err error, host string, port int) error {
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return misuse("give an address of this machine, localhost, or * for all", "%q is not an address to listen on", host)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return failure("--ip '*' listens on all addresses", "this machine does not have the address %s", host)
	case errors.Is(err, syscall.EACCES):
		return failure("choose one from 1024 on with --port", "port %d is for privileged processes", port)
	}
	return fmt.Errorf("listen: %w", err)
}

// listenLocally opens a port on the loopback, the same one if it is free, where listener is not to be reached
// there: commands need it. It returns nil where there is no need.
func listenLocally(ctx context.Context, listener net.Listener) (net.Listener, error) {
	at, ok := listener.Addr().(*net.TCPAddr)
	if !ok || at.IP.IsLoopback() || at.IP.IsUnspecified() {
		return nil, nil
	}
	var listening net.ListenConfig
	local, err := listening.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(at.Port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		local, err = listening.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for commands: %w", err)
	}
	return local, nil
}
