package emulator

import (
	"cmp"
	"fmt"
	"maps"

	"devtool.internal/config"
	"devtool.internal/durable/wire"
	"devtool.internal/emulator/door"
	"devtool.internal/emulator/program"
	"devtool.internal/emulator/state"
	"devtool.internal/emulator/world"
)

// A reconfiguration is what a configuration makes of the emulator.
type reconfiguration struct {
	settings settings
	layout   world.Layout
	plan     *state.Plan
}

// configure applies a configuration: it opens the namespaces of new classes and replaces the
// settings. It does not apply a configuration whose migrations change which class has existing
// objects: then it returns true, and reconfigure does it between two programs.
func (e *Emulator) configure(c *config.Config) (postponed bool, err error) {
	if c.Name != e.worker {
		return false, fmt.Errorf("the worker's name has changed from %q to %q; restart devtool to apply it",
			e.worker, c.Name)
	}
	next, err := e.planFor(c)
	if err != nil {
		return false, err
	}
	for _, b := range c.DurableObjects {
		if !c.Owns(b) {
			e.log.Warn(fmt.Sprintf("%s: the objects of another worker (%s) are not emulated: binding %s is left out",
				b.Pos, b.ScriptName, b.Name))
		}
	}
	if next.plan.Conflict(e.idle()) != nil {
		return true, nil
	}
	plan := next.plan
	if e.idle() { // drop a class that was declared by mistake and has no objects
		next.layout.Drops = func(class, key string) bool {
			return plan.UniqueKey(class) != key && !plan.HasObjects(key)
		}
	}
	if err := e.world.Apply(next.layout); err != nil {
		return false, err
	}
	e.use(next, plan)
	return false, nil
}

// reconfigure applies a configuration with its migrations while no event runs. It writes the
// bindings of the next program into bindings.
func (e *Emulator) reconfigure(c *config.Config, bindings map[string]*world.Namespace) error {
	next, err := e.planFor(c)
	if err != nil {
		return err
	}
	next.layout.Drops = func(class, key string) bool { return next.plan.UniqueKey(class) != key }
	if err := e.world.Reshape(next.layout, func() error { return e.carryOut(next.plan) }); err != nil {
		return err
	}
	e.use(next, nil)
	maps.Copy(bindings, e.world.CurrentBindings())
	return nil
}

// use replaces the settings after the world has got its layout. plan is what settleMigrations has
// to commit, or nil.
func (e *Emulator) use(next *reconfiguration, plan *state.Plan) {
	next.settings.program.Bindings = e.world.CurrentBindings()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settings = next.settings
	e.migrations = plan
}

// planFor returns what c makes of the emulator, and changes nothing.
func (e *Emulator) planFor(c *config.Config) (*reconfiguration, error) {
	plan, err := e.state.Plan(c)
	if err != nil {
		return nil, err
	}
	s := settings{
		path: c.Path, program: program.Settings{Path: c.Path, Zone: zoneOf(c)},
		varFiles: c.VarFiles, origin: e.originOf(c), dev: c.Dev,
	}
	welcome := &s.program.Welcome
	welcome.LogLevel = int64(e.lowestLevel())
	for _, v := range c.Vars {
		welcome.Vars = append(welcome.Vars, wire.Var{Name: v.Name, Value: v.Value, JSON: v.JSON})
	}
	for _, b := range c.DurableObjects {
		if !c.Owns(b) {
			kind := "objects of the worker " + b.ScriptName
			welcome.Unsupported = append(welcome.Unsupported, wire.UnsupportedBinding{Name: b.Name, Kind: kind})
			continue
		}
		welcome.Bindings = append(welcome.Bindings, wire.Binding{
			Name: b.Name, Class: b.ClassName, UniqueKey: plan.UniqueKey(b.ClassName),
		})
	}
	for _, b := range c.Others {
		welcome.Unsupported = append(welcome.Unsupported, wire.UnsupportedBinding{Name: b.Name, Kind: b.Kind})
	}
	return &reconfiguration{settings: s, layout: layoutOf(c, e.state, plan), plan: plan}, nil
}

// originOf returns the origin of the URLs that the worker sees. It has no host if neither option
// nor configuration names one.
func (e *Emulator) originOf(c *config.Config) door.Origin {
	return door.NewOrigin(
		cmp.Or(e.options.UpstreamProtocol, c.Dev.UpstreamProtocol, e.scheme()), cmp.Or(e.options.Host, c.Dev.Host),
	)
}

// layoutOf returns the layout of c's world in a state folder. plan has the class names and keys
// after c's migrations.
func layoutOf(c *config.Config, folder *state.Folder, plan *state.Plan) world.Layout {
	l := world.Layout{
		Bindings: make(map[string]string), Crons: c.Crons, DeleteAllDeletesAlarm: c.DeleteAllDeletesAlarm(),
	}
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

// zoneOf returns the zone of a worker, as the platform's local server names it: that of its route,
// or else a domain that cannot be anybody's. Source: miniflare's option zone, and wrangler's value
// for it.
func zoneOf(c *config.Config) string {
	return cmp.Or(c.Dev.Zone, c.Dev.Host, c.Name+".example.com")
}
