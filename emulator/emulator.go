// Package emulator is the process around a world: what `devtool dev` runs.
//
// An Emulator lives like this:
//
//  1. New locks the state folder, applies migrations, opens the clock and makes the world
//     (emulator.go, state.go).
//  2. Run builds and starts the program. reload.go builds it again after each change of its files,
//     which watchset.go finds. attach.go accepts programs that the user has started.
//  3. The front door (server.go) gives requests to the control API or, by package door, to the
//     worker.
//  4. The control API (api.go, api_*.go) serves commands. session.go reports the emulator's
//     status, and stops it on request.
//  5. Each event becomes a line of the log (eventlog.go). The journal keeps the last lines
//     (journal.go).
//  6. On shutdown Run stops reloads, drains running events and releases what New acquired.
//
// Offline (offline.go) does what the control API does while no emulator runs.
//
// The packages below stand alone: world has the objects and their clock, program runs handler
// programs for a world, door makes requests events of a world, state keeps the state folder, store
// keeps one object's file, plugin builds, launches and watches programs, and control has the types
// of the control API.
package emulator

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"devtool.internal/config"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/door"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/program"
	"devtool.internal/emulator/state"
	"devtool.internal/emulator/world"
	"devtool.internal/internal/safefile"
)

// Options say what to emulate.
type Options struct {
	// Load reads the configuration. A reload calls it again after a change of the configuration's
	// files. It reports its own warnings.
	Load func() (*config.Config, error)
	// State is the folder of everything that outlives the emulator.
	State string
	// Build is the folder for the program's binary. Empty means .devtool/build of the project or,
	// if that can't be written, a folder of the project in the user's cache.
	Build string
	// Sockets is a folder that only this user can enter, for the socket of attached programs. Empty
	// means that the socket gets one of its own.
	Sockets string
	// Temporary says that nobody else knows State, and that it is removed at the end. So the
	// emulator neither locks it nor saves the clock there.
	Temporary bool
	// Apart separates this emulator from the project, in which others may work. It watches no files
	// and serves the program as it is at the start. Commands do not find it by the project's
	// folder.
	Apart bool
	// Attach says whether attached programs may serve, besides the built one or alone.
	Attach Attach
	// Listener is the front door's, and Others are those of further front doors. Commands use the
	// first one that the loopback interface reaches, because the control API serves only callers on
	// this machine.
	Listener net.Listener
	Others   []net.Listener
	// Name is the host in the URL for people. Empty means the address of Listener.
	Name string
	// TLS, unless it is nil, makes the front door speak HTTPS. It has one certificate.
	TLS *tls.Config
	// Host and UpstreamProtocol are the host and scheme in the URLs that the worker sees. Empty
	// means the configuration's, or else the request's.
	Host, UpstreamProtocol string
	// Frozen and Running start with a frozen or a running clock. They decide for this run alone:
	// without them, the clock goes on in its saved mode.
	Frozen, Running bool
	// Time is where the clock starts, unless it is zero. It must not lie before the saved clock's
	// time.
	Time time.Time
	// Seed, unless it is 0, shuffles timers of the same instant and the waits of retries.
	Seed uint64
	// TestScheduled makes the front door run cron triggers at /__scheduled.
	TestScheduled bool
	// Missed says what happens to alarms that are overdue at start.
	Missed world.Missed
	// Grace, unless it is nil, is how long handlers that work may go on in real time, at a reload
	// and at the end.
	Grace *time.Duration
	// Limits bound what objects may store; the zero value means world.ProductionLimits.
	Limits world.Limits
	// Output receives what the handler program prints.
	Output io.Writer
	// Log receives a line for each event, and what the emulator has to say.
	Log *slog.Logger
	// Journal keeps the last lines of Log and Output for `devtool logs`. The maker of those two
	// fills it; nil means an empty one.
	Journal *Journal
	// Version is this devtool's version, for the control API.
	Version string
	// Progress receives the progress of a slow build.
	Progress func(plugin.Progress)
	// Built, unless it is nil, is called in the background after each successful build, to inspect
	// the sources. Its context ends when the next build begins.
	Built func(context.Context)
	// Prepare, unless it is nil, prepares the project's folder for a build. It is called after a
	// change of the files that say from which modules go builds.
	Prepare func() error
	// Failed receives the error of each version of the program that cannot be served.
	Failed func(error)
}

// An Emulator is a running worker with its objects.
type Emulator struct {
	world        *world.World
	log          *slog.Logger
	output       io.Writer
	options      Options
	project      string // folder of the configuration file
	worker       string // the worker's name; a reload can't change it
	token        string // of the control API
	state        *state.Folder
	clockFile    *state.ClockFile // nil if the state is temporary
	started      time.Time
	identity     string         // tells this emulator from every other one
	listeners    []net.Listener // of the front doors
	host         *program.Runner
	builder      *plugin.Builder
	socket       *plugin.Socket // accepts attached programs, or nil
	journal      *Journal
	record       record
	stopRequests stopRequests
	requests     atomic.Int64             // from outside, that have been answered
	reloads      atomic.Pointer[reloader] // nil before the first version was tried, or without reloads
	release      []func() error           // called by close, last first

	// mu guards what follows.
	mu         sync.Mutex
	settings   settings
	migrations *state.Plan // the configuration's, until it is committed
}

// settings are the parts of the configuration that a reload may change.
type settings struct {
	path     string // of the configuration file
	varFiles []config.VarFile
	origin   door.Origin // of the URLs that the worker sees
	dev      config.Dev
	program  program.Settings
}

// New prepares an emulator: it locks the state folder and reads the clock and the pending alarms.
// The caller calls Run, which also closes the emulator.
func New(o Options) (_ *Emulator, err error) {
	c, err := o.Load()
	if err != nil {
		return nil, err
	}
	e := &Emulator{
		options:   o,
		log:       o.Log,
		output:    o.Output,
		project:   c.Dir(),
		worker:    c.Name,
		token:     client.NewToken(),
		started:   time.Now(),
		identity:  rand.Text(),
		listeners: o.frontDoors(),
		journal:   cmp.Or(o.Journal, &Journal{}),
	}
	e.stopRequests.requested = make(chan struct{})
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if !o.Temporary {
		if _, err := safefile.DotFolder(e.project, ""); errors.As(err, new(*safefile.Irregular)) {
			return nil, err
		} else if _, statErr := os.Lstat(filepath.Join(e.project, ".devtool")); err != nil && statErr == nil {
			// the project is read-only, or somebody else's
			e.log.Warn("other users may read .devtool: " + err.Error())
		}
	}
	if err := e.openState(); err != nil {
		return nil, err
	}
	c0, err := e.openClock(o)
	if err != nil {
		return nil, err
	}
	work, err := e.openBuild()
	if err != nil {
		return nil, err
	}
	e.builder = &plugin.Builder{
		Dir: e.project, Package: mainPackage(c), Output: filepath.Join(work, "handler"+exeSuffix),
	}
	if o.Temporary && o.Attach != AttachOnly {
		e.borrowProgram(e.builder.Output)
	}
	e.host = program.NewRunner(program.Options{
		Dir: e.project, Output: o.Output, Log: o.Log, AttachedOnly: o.Attach == AttachOnly, Private: o.Apart,
		Grace: o.Grace, Restarted: func() { e.record.serves(false) },
	}, filepath.Join(work, "serving"+exeSuffix))
	if err := e.migrateAll(c); err != nil {
		return nil, err
	}
	e.world = world.New(world.Options{
		Worker: c.Name, Clock: c0, Programs: e.host, Log: o.Log, Happened: e.logEvent, InDetail: e.logsDetails,
		Limits: o.Limits, Seed: o.Seed, Missed: o.Missed,
	})
	e.host.Serve(e.world)
	if _, err := e.configure(c); err != nil {
		return nil, err
	}
	return e, nil
}

// mainPackage returns the folder of the handler's main package in the form that the go command
// accepts.
func mainPackage(c *config.Config) string {
	main := filepath.ToSlash(c.Main)
	if strings.HasSuffix(main, ".go") {
		main = main[:strings.LastIndex("/"+main, "/")]
	}
	main = strings.TrimSuffix(main, "/")
	switch {
	case main == "" || main == ".":
		return "."
	case strings.HasPrefix(main, "/") || strings.HasPrefix(main, "./") || strings.HasPrefix(main, "../"):
		return main
	}
	return "./" + main
}

func (e *Emulator) currentSettings() settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.settings
}

// Run builds and starts the program, calls ready when the front door accepts requests, and serves
// until ctx ends. Then it drains running events and closes the emulator.
//
// If the program does not build or start, and an edit may fix that, Run serves without a program
// until then (see Unserved). An emulator that is Apart sees no edit, so there Run returns the
// error. With AttachOnly it builds nothing, and requests wait until a program attaches.
//
// If the folder of the state or of the project is deleted, moved or replaced, Run logs that, ends
// and returns a *state.LostError.
func (e *Emulator) Run(ctx context.Context, ready func()) error {
	guard := e.newPlaceGuard()
	if guard == nil {
		return e.run(ctx, ready)
	}
	ctx, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		guard.run(ctx, end)
	}()
	err := e.run(ctx, ready)
	end()
	<-done
	return guard.outcome(err)
}

func (e *Emulator) run(ctx context.Context, ready func()) (err error) {
	defer func() {
		if closeErr := e.close(); err == nil {
			err = closeErr
		}
	}()
	var reloads *reloader
	var unserved error
	switch {
	case e.options.Attach == AttachOnly:
	case e.options.Apart:
		err = e.startProgram(ctx)
	default:
		if reloads, err = e.newReloader(); err != nil {
			return err
		}
		defer reloads.stop()
		if unserved = reloads.build(ctx); ctx.Err() != nil || !reloads.mendable(unserved) {
			err = unserved
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := e.announce(); err != nil {
		return err
	}
	if err := e.listenForPrograms(); err != nil {
		return err
	}
	e.acceptPrograms()

	server := e.newServer()
	serving := make(chan error, len(e.listeners))
	for _, l := range e.listeners {
		go func() { serving <- e.serve(server, l) }()
	}
	if e.options.Attach == AttachOnly {
		e.host.LogServing("requests and alarms wait for the handler program: " + program.HowToAttach)
	}
	ready()
	if reloads != nil {
		reloads.start(unserved)
		e.reloads.Store(reloads)
	}
	select {
	case <-ctx.Done():
	case <-e.stopRequests.requested:
	case err = <-serving:
	}
	if reloads != nil {
		reloads.stop()
	}
	e.shutdown(server)
	return err
}

// startProgram builds and serves the program of an emulator that never reloads.
func (e *Emulator) startProgram(ctx context.Context) error {
	result, err := e.builder.Build(ctx, e.options.Progress)
	if err != nil {
		return err
	}
	first, err := e.host.LaunchNew(ctx, e.builder.Output, e.currentSettings().program)
	if err != nil {
		return err
	}
	e.host.Swap(first)
	e.record.built(result.Took)
	e.record.serves(true)
	return nil
}

// announce makes the emulator known to commands that run in the project.
func (e *Emulator) announce() error {
	if e.options.Apart {
		return nil
	}
	announcement := client.Announcement{
		URL: e.URL(), Control: e.controlURL(), Identity: e.identity, PID: os.Getpid(), Started: e.started,
		Config: e.currentSettings().path, State: e.options.State, Certificate: e.fingerprint(),
		Token: e.token,
	}
	release, err := client.Announce(e.project, announcement)
	unlisted := (*client.TokenFileError)(nil)
	if isReadOnly(err) && !errors.As(err, &unlisted) {
		e.log.Warn("commands do not find this emulator by its project: give them --url " + e.controlURL() +
			" (" + err.Error() + ")")
		release, err = client.AnnounceByPort(announcement)
	}
	if errors.As(err, &unlisted) {
		e.log.Warn("commands with --url do not find the token of this emulator: " + err.Error() +
			"; " + client.TokenFileAdvice)
		err = nil
	}
	if err == nil {
		e.release = append(e.release, release)
	}
	return err
}

// fingerprint returns that of the front door's certificate, or empty without TLS.
func (e *Emulator) fingerprint() string {
	if e.options.TLS == nil {
		return ""
	}
	return client.Fingerprint(e.options.TLS.Certificates[0].Certificate[0])
}

// shutdownGrace is the grace period of running handlers at shutdown, in real time, unless
// Options.Grace says otherwise.
const shutdownGrace = 3 * time.Second

func (e *Emulator) shutdown(server *http.Server) {
	e.log.Info("shutting down")
	e.journal.end()
	limit := shutdownGrace
	if e.options.Grace != nil {
		limit = *e.options.Grace
	}
	closing, cut := context.WithCancel(context.Background())
	defer cut()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		server.Shutdown(closing) //nolint:errcheck // Close follows
	}()
	e.host.End(limit)
	// The handlers have ended. A client that reads nothing may still not take its answer.
	last := time.AfterFunc(answerGrace, cut)
	<-answered
	last.Stop()
	server.Close()
}

// answerGrace is how long clients may take, in real time, to receive the last answers.
const answerGrace = time.Second

// close releases everything that New and Run acquired.
func (e *Emulator) close() error {
	defer e.stopRequests.finish()
	if e.world != nil {
		e.world.Stop()
	}
	if e.socket != nil {
		e.socket.Close() //nolint:errcheck // release reports the error
	}
	if e.host != nil {
		e.host.Close()
	}
	var errs []error
	if e.world != nil {
		e.world.Clock().Close()
		errs = append(errs, e.world.Close())
	}
	for i := len(e.release) - 1; i >= 0; i-- {
		errs = append(errs, e.release[i]())
	}
	for _, l := range e.listeners {
		l.Close()
	}
	return errors.Join(errs...)
}
