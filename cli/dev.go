package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"slices"

	"devtool.internal/config"
	"devtool.internal/emulator"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/state"
)

// unset is the value of an option that was not given, if an empty value has a meaning.
const unset = "\x00"

// unsetPort is the value of --port if it was not given.
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
	frozen    onOff // empty for the saved mode of the clock
	missed    string
	grace     string
	time      string
	seed      int
	limits    string
	scheduled bool
	attach    bool
	json      bool
	apart     bool // durabletest is older than this devtool

	// caller is the folder in which `devtool dev` was started. The start screen shows paths from
	// there.
	caller string

	// The rest has no flags: `devtool worlds` sets it.
	built      bool // the handler program is built already, so nothing is prepared for a build
	noDotFiles bool // no variables are read from .dev.vars and .env files
}

// flags returns the flags of `devtool dev`. Other commands that run an emulator take some of them.
func (o *devOptions) flags() []flag {
	return slices.Concat([]flag{
		{name: "config", short: "c", value: "FILE", usage: "read this configuration", target: &o.config},
		{name: "env", short: "e", value: "NAME", target: &o.env,
			usage: "environment of the configuration (also: CLOUDFLARE_ENV)"},
		{name: "port", value: "N", target: &o.port,
			usage: "listen on this port; 0 takes any (default: 8787 or one of the next)"},
		{name: "ip", value: "ADDRESS", target: &o.ip,
			usage: "listen on this address, or * for all (default: localhost)"},
	}, o.urlOptions.flags(), []flag{
		{name: "persist-to", value: "DIR", target: &o.persistTo,
			usage: "keep the state there (default: .devtool/state in the project)"},
		{name: "env-file", value: "FILE", target: &o.envFiles,
			usage: "read variables from it, not from .dev.vars and .env files; may be repeated"},
		{name: "var", value: "KEY:VALUE", target: &o.vars,
			usage: "set a variable, over the configuration's and those of files; may be repeated"},
		{name: "strict", usage: "treat warnings about the configuration as errors", target: &o.strict},
		{name: "frozen", target: &o.frozen,
			usage: "freeze the clock for this run; =false lets it run (default: as it was left)"},
		{name: "missed", value: "POLICY", target: &o.missed,
			usage: "fire, skip or hold alarms that were due without an emulator (default: fire)"},
		{name: "grace", value: "DURATION", target: &o.grace,
			usage: "wait for handlers at a reload (default: 5s) and at the end (default: 3s)"},
		{name: "time", value: "TIME", target: &o.time,
			usage: "start the clock at that time, such as 2026-01-01T00:00:00Z"},
		{name: "seed", value: "N", target: &o.seed,
			usage: "shuffle what is due at the same time, by N (default: 0, not at all)"},
		{name: "limits", value: "PROFILE", target: &o.limits,
			usage: "apply the limits of production (default) or of the local runtime (local)"},
		{name: "test-scheduled", target: &o.scheduled,
			usage: "run cron triggers by requests to /__scheduled?cron=EXPR, too"},
		{name: "attach", target: &o.attach,
			usage: "join the running emulator, or wait for a program from an IDE or debugger"},
		{name: "apart", target: &o.apart, hidden: true},
		{name: "log-level", value: "LEVEL", target: &o.logLevel,
			usage: "log from this level on: debug, info, warn, error or none (default: info)"},
		{name: "log-format", value: "FORMAT", target: &o.logFormat,
			usage: "log as text, or as a line of JSON each (json) (default: text)"},
		{name: "json", usage: "print one line of JSON when ready, instead of the start screen", target: &o.json},
	})
}

func newDevOptions() devOptions {
	return devOptions{
		env: unset, port: unsetPort, logLevel: "info", logFormat: logText,
		limits: "production", missed: "fire",
	}
}

func devCommand() *command {
	o := newDevOptions()
	return &command{
		name:    "dev",
		summary: "Build and serve the project, and reload it when a file is saved",
		about: `Builds the handler program that the configuration names, serves its worker, and
keeps its objects in .devtool/state. A save rebuilds and swaps the program without
losing a request. If an edit does not compile, the version before goes on serving.
If the first version is broken, dev waits for the next save. The clock continues
from where it stood.`,
		args: []argument{{name: "DIR", optional: true,
			usage: "folder of the project (default: the one above with a wrangler file)"}},
		flags: o.flags(),
		examples: []example{
			{"devtool dev", ""},
			{"devtool dev my-app --port 0 --frozen", "for a test"},
			{"devtool dev --attach", "then run the program in an IDE or a debugger"},
			{"devtool dev --var UPSTREAM:http://localhost:9000", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			o.caller = s.Dir
			if len(args) > 0 {
				var err error
				if s, err = s.in(args[0], ""); err != nil {
					return err
				}
			}
			if o.apart {
				return refuseOldHarness(s, o)
			}
			return dev(ctx, s, o)
		},
	}
}

// refuseOldHarness returns what to do about a durabletest that runs `devtool dev --apart`. It is of
// a devtool from before `devtool worlds`, as is the copy of the SDK that it belongs to.
func refuseOldHarness(s Streams, o devOptions) error {
	path, err := s.configPath(o.config)
	if err == nil {
		err = refuseOldModule(s, filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	return failure("run `devtool dev` or `devtool exec` in the project once, which update the SDK",
		"the project's copy of the SDK is older than this devtool, so its package durabletest can't run it")
}

func dev(ctx context.Context, s Streams, o devOptions) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	if o.logFormat == logJSON {
		s.Env = withoutColor(s.Env)
	}
	if _, err := o.parse(); err != nil { // also if another emulator uses the state
		return err
	}
	// The reader of the log may end first, as tee does at a Ctrl-C. That ends dev in good order.
	defer outliveReaders()()
	out := newDisplay(s, o.logFormat, quit)
	defer out.flush()
	running, err := runningOn(s, o)
	switch {
	case err != nil:
		return err
	case running != nil && o.attach:
		return follow(ctx, s, o, out, quit, *running)
	case running != nil: // before the port is tried, which may be the same
		owner := state.Owner{PID: running.PID, URL: running.URL, Started: running.Started}
		return &state.InUseError{State: running.State, Owner: owner}
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
	door, err := listen(ctx, o, p.config.Dev)
	if err != nil {
		return err
	}
	collectLess(s)
	options := p.options()
	options.Listener, options.Others, options.Name = door.listeners[0], door.listeners[1:], door.name
	options.TLS = secure
	options.Host, options.UpstreamProtocol = o.host, o.upstreamProtocol
	options.State = s.stateFolder(p.config.Dir(), o.persistTo)
	options.Built = hintAtClock(p.config.Dir(), options.Log)
	options.Attach = emulator.AttachToo
	if o.attach {
		options.Attach = emulator.AttachOnly
	}
	e, err := emulator.New(options)
	if err != nil {
		door.close()
		return s.explainDev(p.log.text, err)
	}
	release := func() {}
	err = e.Run(ctx, func() {
		facts := screenFacts{
			status: e.Status(), time: e.Time(), crons: e.Crons().Crons, held: e.Held(),
			ending: "Ctrl-C ends", unserved: e.Unserved(),
		}
		if err := present(s, o, out, p.config, facts); err != nil {
			fmt.Fprintln(p.log.text, err)
		}
		release = offerHotkeys(ctx, s, o, &hotkeys{
			display: out, client: e.Client(), url: facts.status.URL, quit: quit, leaving: "exit",
		})
	})
	release()
	if lost := (*state.LostError)(nil); errors.As(err, &lost) && p.given.level <= slog.LevelError {
		return exitStatus(exitFailed) // the log has said why
	}
	return s.explainDev(p.log.text, err)
}

// readyLine is the line that --json prints.
type readyLine struct {
	control.Status
	Failure *control.Failure `json:"failure,omitempty"` // why nothing is served yet
}

// present prints the start screen, or the line of JSON, on standard output.
func present(s Streams, o devOptions, out *display, c *config.Config, facts screenFacts) error {
	if o.json { // on one line, for a program that goes on while this one runs
		return json.NewEncoder(&patientWriter{w: s.Out}).Encode(readyLine{facts.status, facts.unserved})
	}
	var to io.Writer = &patientWriter{w: s.Out}
	if s.IsTerminal(s.Out) && s.IsTerminal(s.Err) {
		to = out // which is the only one to write there
	}
	out.flush()
	return printer{out: to}.print(nil, func(w io.Writer) { startScreen(w, c, facts, o.caller, s.Width(s.Out)) })
}
