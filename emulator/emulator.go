// Package emulator is the process around a world: what `devtool dev` runs.
//
// The front door (door.go) delivers requests to the worker, as from where the worker believes to
// be (origin.go), and shows errors (errorpage.go). The control API is in api.go and api_*.go.
// reload.go builds the program when a file changes, and attach.go takes programs that somebody else
// has started. The log has a line for each event (eventlog.go), and the journal keeps the last
// lines (journal.go). session.go reports how the emulator does, and how others stop it. Offline
// (offline.go) does what the control API does while no emulator runs.
//
// The rooms below it stand alone: world is the objects and their clock, program runs handler
// programs for it, state keeps the state folder, store an object's file, plugin builds, launches
// and watches programs, control is the control API.
package emulator

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"devtool.internal/config"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/plugin"
	"devtool.internal/emulator/program"
	"devtool.internal/emulator/state"
	"devtool.internal/emulator/world"
)

// Options say what to emulate.
type Options struct {
	// Load reads the configuration; it is called again when a file of Watch
	// changes. It reports its own warnings.
	Load func() (*config.Config, error)
	// State is the folder that holds everything that outlives the emulator.
	State string
	// Build is the folder that the program is built in; empty means .devtool/build of the
	// project.
	Build string
	// Apart keeps this emulator apart from the project, which others may work on: it serves the
	// program as it is at the start, for files are not watched, and commands do not find it
	// by the project's folder.
	Apart bool
	// Attach says whether attached programs may serve, too, or alone.
	Attach Attach
	// Listener is where the front door is.
	Listener net.Listener
	// Local is a second front door on the loopback, for commands, where Listener is not to be
	// reached there: the control API is for callers of this machine. It may be nil.
	Local net.Listener
	// TLS makes the front door speak HTTPS, unless it is nil. It has one certificate.
	TLS *tls.Config
	// Host and UpstreamProtocol are those of the URL that the worker believes to be reached at; empty
	// means what the configuration says, and at last what the request says.
	Host, UpstreamProtocol string
	// Frozen starts with a clock that stands still.
	Frozen bool
	// Time is where the clock starts, unless it is zero; it must not lie before the time at
	// which the saved one stands.
	Time time.Time
	// Seed, unless it is 0, shuffles what is due at the same time, and the waits of retries.
	Seed uint64
	// TestScheduled makes the front door run cron triggers at /__scheduled.
	TestScheduled bool
	// Missed says what becomes of alarms that are overdue at start.
	Missed world.Missed
	// Limits bound what objects may store; zero means ProductionLimits.
	Limits world.Limits
	// Output takes what the handler program prints.
	Output io.Writer
	Log    *slog.Logger
	// Journal keeps what Log and Output get, for later questions. The maker of those two fills it;
	// nil stands for an empty one.
	Journal *Journal
	// Version is what the control API says of this program.
	Version string
	// Progress receives the progress of a build that takes long.
	Progress func(plugin.Progress)
	// Built may look at the sources of each version of the program that is served, at its leisure: it
	// is called in the background, and its context ends when the next build begins.
	Built func(context.Context)
	// Prepare makes the project's folder ready for a build. It is called when go.mod has changed, for it is that which says
	// what there has to be; it may be nil.
	Prepare func() error
	// Failed receives what is wrong with a version of the program that is not served.
	Failed func(error)
}

// An Emulator is a running worker with its objects.
type Emulator struct {
	world    *world.World
	log      *slog.Logger
	output   io.Writer
	options  Options
	project  string // folder of the configuration file
	worker   string // the worker's name, for good
	state    *state.Folder
	started  time.Time
	listener net.Listener
	host     *program.Runner
	builder  *plugin.Builder
	socket   *plugin.Socket // where programs attach, or nil
	journal  *Journal
	record   record
	farewell farewell
	release  []func() error // what Close undoes, last first

	// mu guards what follows.
	mu         sync.Mutex
	settings   settings
	migrations *state.Plan // what the configuration asks of the state, done or not
}

// settings are what a program needs of the configuration.
type settings struct {
	path     string // of the configuration file
	varFiles []config.VarFile
	origin   origin // where the worker believes to be
	dev      config.Dev
	program  program.Settings
}

// New prepares the emulator: it takes the state folder into its possession and reads
// the clock and the pending alarms. Run does the rest.
func New(o Options) (_ *Emulator, err error) {
	c, err := o.Load()
	if err != nil {
		return nil, err
	}
	e := &Emulator{
		options:  o,
		log:      o.Log,
		output:   o.Output,
		project:  c.Dir(),
		worker:   c.Name,
		started:  time.Now(),
		listener: o.Listener,
		journal:  cmp.Or(o.Journal, &Journal{}),
	}
	e.farewell.wanted = make(chan struct{})
	work := cmp.Or(o.Build, filepath.Join(e.project, ".devtool", "build"))
	e.builder = &plugin.Builder{Dir: e.project, Package: mainPackage(c), Output: filepath.Join(work, "handler"+exeSuffix)}
	e.host = program.NewRunner(program.Options{
		Dir: e.project, Output: o.Output, Log: o.Log, AttachedOnly: o.Attach == AttachOnly, Private: o.Apart,
		Restarted: func() { e.record.serves(false) },
	}, filepath.Join(work, "serving"+exeSuffix))
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	folder, err := state.Open(o.State, e.owner())
	if err != nil {
		return nil, err
	}
	e.take(folder)
	c0, err := e.openClock(o.Frozen, o.Time, o.Seed)
	if err != nil {
		return nil, err
	}
	if err := e.migrateAll(c); err != nil {
		return nil, err
	}
	e.world = world.New(world.Options{
		Worker: c.Name, Clock: c0, Programs: e.host, Log: o.Log, Happened: e.logEvent, Limits: o.Limits, Seed: o.Seed, Missed: o.Missed,
	})
	e.host.Serve(e.world)
	if err := e.configure(c); err != nil {
		return nil, err
	}
	return e, nil
}

// mainPackage is the folder of the handler's main package, as go takes it.
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

// configure takes over what the configuration says: it opens the namespaces of classes
// that are new.
func (e *Emulator) configure(c *config.Config) error {
	if c.Name != e.worker {
		return fmt.Errorf("the worker's name has changed from %q to %q, and with it where its objects are: start devtool again", e.worker, c.Name)
	}
	plan, err := e.planQuietly(c)
	if err != nil {
		return err
	}
	layout := layoutOf(c, e.state, plan)
	if e.idle() { // a class that was declared by mistake
		layout.Drops = func(class, key string) bool { return plan.UniqueKey(class) != key && !plan.HasObjects(key) }
	}
	s := settings{path: c.Path, program: program.Settings{Path: c.Path}, varFiles: c.VarFiles, origin: e.originOf(c), dev: c.Dev}
	for _, v := range c.Vars {
		s.program.Welcome.Vars = append(s.program.Welcome.Vars, wire.Var{Name: v.Name, Value: v.Value, JSON: v.JSON})
	}
	for _, b := range c.DurableObjects {
		if !c.Owns(b) {
			e.log.Warn(fmt.Sprintf("%s: the objects of another worker (%s) are not emulated: binding %s is left out", b.Pos, b.ScriptName, b.Name))
			s.program.Welcome.Lacking = append(s.program.Welcome.Lacking, wire.Lacking{Name: b.Name, Kind: "objects of the worker " + b.ScriptName})
			continue
		}
		s.program.Welcome.Bindings = append(s.program.Welcome.Bindings, wire.Binding{
			Name: b.Name, Class: b.ClassName, UniqueKey: plan.UniqueKey(b.ClassName),
		})
	}
	for _, b := range c.Others {
		s.program.Welcome.Lacking = append(s.program.Welcome.Lacking, wire.Lacking{Name: b.Name, Kind: b.Kind})
	}
	if err := e.world.Apply(layout); err != nil {
		return err
	}
	s.program.Bindings = e.world.CurrentBindings()
	e.mu.Lock()
	e.settings = s
	e.migrations = plan
	e.mu.Unlock()
	return nil
}

func (e *Emulator) currentSettings() settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.settings
}

// layoutOf returns what c, whose migrations plan has been through, says of the classes of a world
// in a state folder.
func layoutOf(c *config.Config, folder *state.Folder, plan *state.Plan) world.Layout {
	l := world.Layout{Bindings: make(map[string]string), Crons: c.Crons, DeleteAllDeletesAlarm: c.DeleteAllDeletesAlarm()}
	for _, class := range c.Classes() {
		key := plan.UniqueKey(class)
		l.Classes = append(l.Classes, world.Class{
			Name: class, UniqueKey: key, Dir: folder.ObjectsDir(key), KeyValue: c.KeyValueBacked(class),
		})
	}
	for _, b := range c.DurableObjects {
		if c.Owns(b) {
			l.Bindings[b.Name] = b.ClassName
		}
	}
	return l
}

// URL is where the front door is, or empty if there is none.
func (e *Emulator) URL() string {
	if e.listener == nil {
		return ""
	}
	return e.urlOf(e.listener)
}

func (e *Emulator) urlOf(l net.Listener) string {
	addr := l.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() || addr.IP.IsLoopback() {
		host = "localhost"
	}
	return fmt.Sprintf("%s://%s", e.scheme(), net.JoinHostPort(host, fmt.Sprint(addr.Port)))
}

// Run builds and starts the program, calls ready when it takes requests, and serves until
// ctx ends. Then it ends in good order, and closes the emulator. If the program does not build or does not start, and an edit
// may mend that, it goes on without one until then (Unserved); but not if it is Apart, for then it sees no edit. With
// AttachOnly it builds nothing, and requests wait until a program has attached.
func (e *Emulator) Run(ctx context.Context, ready func()) (err error) {
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
	e.takePrograms()

	server := e.door()
	serving := make(chan error, 2)
	go func() { serving <- e.serve(server, e.listener) }()
	if e.options.Local != nil {
		go func() { serving <- e.serve(server, e.options.Local) }()
	}
	if e.options.Attach == AttachOnly {
		e.host.Say("requests and alarms wait for the handler program: " + program.HowToAttach)
	}
	ready()
	if reloads != nil {
		reloads.start(unserved)
	}
	select {
	case <-ctx.Done():
	case <-e.farewell.wanted:
	case err = <-serving:
	}
	if reloads != nil {
		reloads.stop()
	}
	e.shutdown(server)
	return err
}

// startProgram builds the program and makes it the first to serve, and the only one.
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

// serve has the server serve at a front door until it is shut down.
func (e *Emulator) serve(server *http.Server, l net.Listener) error {
	if e.options.TLS == nil {
		return server.Serve(l)
	}
	return server.ServeTLS(l, "", "")
}

// announce makes the emulator known to the commands that are run in the project.
func (e *Emulator) announce() error {
	if e.options.Apart {
		return nil
	}
	announcement := client.Announcement{
		URL: e.controlURL(), PID: os.Getpid(), Started: e.started, Config: e.currentSettings().path, State: e.options.State,
		Certificate: e.fingerprint(),
	}
	release, err := client.Announce(e.project, announcement)
	if err == nil {
		e.release = append(e.release, release)
	}
	return err
}

// fingerprint is that of the front door's certificate, or empty if there is none.
func (e *Emulator) fingerprint() string {
	if e.options.TLS == nil {
		return ""
	}
	return client.Fingerprint(e.options.TLS.Certificates[0].Certificate[0])
}

// shutdownGrace is how long, in real time, running handlers may take at the end.
const shutdownGrace = 3 * time.Second

func (e *Emulator) shutdown(server *http.Server) {
	e.log.Info("shutting down")
	e.journal.end()
	grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	// Those that wait for the clock would wait for ever: they are not waited for.
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.host.End(shutdownGrace)
	}()
	server.Shutdown(grace) //nolint:errcheck // Close follows
	<-done
	server.Close()
}

// close gives back what New took.
func (e *Emulator) close() error {
	defer e.farewell.say()
	if e.world != nil {
		e.world.Stop()
	}
	if e.socket != nil {
		e.socket.Close() //nolint:errcheck // it is released below
	}
	e.host.Close()
	var errs []error
	if e.world != nil {
		e.world.Clock().Close()
		errs = append(errs, e.world.Close())
	}
	for i := len(e.release) - 1; i >= 0; i-- {
		errs = append(errs, e.release[i]())
	}
	for _, l := range []net.Listener{e.listener, e.options.Local} {
		if l != nil {
			l.Close()
		}
	}
	return errors.Join(errs...)
}
