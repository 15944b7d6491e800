package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"devtool.internal/clock/cron"
)

// decoder copies a checked tree into a Config. The decode functions must cope with values of the
// wrong shape, which are already reported. They take what they can use, so that one run reports
// errors in different places.
type decoder struct {
	*report
	cfg *Config

	top *node // the top level
	env *node // the selected environment, or nil
}

// place is a value together with its place in the file.
type place struct {
	node    *node
	path    string // as messages write it
	fromEnv bool   // the value is the environment's own
}

// decode returns the Config that root has for an environment. folder is the name of the file's
// folder. The Config is only valid if the report has no error afterwards.
func decode(r *report, root *node, env, folder string) *Config {
	start := r.src.locate(span{root.span.start, root.span.start})
	d := &decoder{
		report: r,
		cfg:    &Config{Env: env, format: r.src.format, top: start},
		top:    root,
	}
	d.checkTable("", root)
	d.selectEnvironment()
	for _, k := range keys {
		if k.decode == nil {
			continue
		}
		if p, ok := d.effective(k); ok {
			k.decode(d, p)
		}
	}
	d.defaults(folder)
	d.checkBindings()
	d.checkClasses()
	d.checkFlags()
	d.listUnused()
	return d.cfg
}

// effective returns the value that k has in the selected environment.
func (d *decoder) effective(k key) (place, bool) {
	if d.env != nil && k.scope != topOnly {
		if v := d.env.get(k.name); v != nil {
			return place{v, joinPath(envPath(d.cfg.Env), k.name), true}, true
		}
		if k.scope == perEnvironment {
			return place{}, false
		}
	}
	v := d.top.get(k.name)
	return place{v, k.name, false}, v != nil
}

// has reports whether the selected environment has a value for an inheritable key.
func (d *decoder) has(name string) bool {
	_, ok := d.effective(key{name: name, scope: inheritable})
	return ok
}

func (d *decoder) name(p place) {
	d.cfg.Name = p.node.text
	if d.cfg.Env != "" && !p.fromEnv && d.cfg.Name != "" {
		d.cfg.Name += "-" + d.cfg.Env
	}
}

func (d *decoder) main(p place) {
	d.cfg.Main = p.node.text
	d.cfg.mainAt = d.src.locate(p.node.span)
}

func (d *decoder) compatibilityDate(p place) { d.cfg.CompatibilityDate = p.node.text }

func (d *decoder) compatibilityFlags(p place) { d.cfg.CompatibilityFlags = texts(p.node.elems) }

// triggers takes each expression once. The check of its shape has already reported an expression
// that does not parse.
func (d *decoder) triggers(p place) {
	path := joinPath(p.path, "crons")
	for i, e := range p.node.array("crons") {
		if e.kind != kindString {
			continue
		}
		if slices.Contains(d.cfg.Crons, e.text) {
			d.warnf("duplicate-cron", e.span, "", "%s repeats %s, which runs once each time anyway",
				indexPath(path, i), quote(e.text))
			continue
		}
		d.cfg.Crons = append(d.cfg.Crons, e.text)
		if s, err := cron.Parse(e.text); err == nil {
			if _, ever := s.Next(time.Time{}); !ever {
				d.warnf("idle-cron", e.span, "", "%s never runs: none of its months has such a day", indexPath(path, i))
			}
		}
	}
}

func (d *decoder) dev(p place) {
	d.cfg.Dev.IP = p.node.str("ip")
	d.cfg.Dev.LocalProtocol = p.node.str("local_protocol")
	d.cfg.Dev.UpstreamProtocol = p.node.str("upstream_protocol")
	d.cfg.Dev.Host = p.node.str("host")
	if v := p.node.get("port"); v != nil {
		i, ok := v.integer()
		d.cfg.Dev.Port, d.cfg.Dev.HasPort = int(i), ok
	}
}

// routes makes the host of the first route that of the worker, unless dev.host is set. The zone is
// that of the first route, too.
func (d *decoder) routes(p place) {
	first := p.node
	if first.kind == kindArray {
		if len(first.elems) == 0 {
			return
		}
		first = first.elems[0]
	}
	pattern := first.text
	if first.kind == kindObject {
		pattern = first.str("pattern")
	}
	d.cfg.Dev.Host = cmp.Or(d.cfg.Dev.Host, hostOfRoute(pattern))
	if first.kind == kindObject {
		d.cfg.Dev.Zone = first.str("zone_name")
	}
}

// defaults fills in what a worker needs and the file lacks, with a warning.
func (d *decoder) defaults(folder string) {
	top := d.top.span.start
	v, given := d.effective(key{name: "name", scope: inheritable})
	if !given || v.node.kind == kindString && v.node.text == "" {
		name := nameLike(folder)
		if name == "" {
			name = "worker"
		}
		d.warnf("missing-name", span{top, top}, d.src.format.snippet("name", name),
			"name is missing: devtool uses the folder's name, and stores objects under %q", name)
		d.cfg.Name = name
		if d.cfg.Env != "" {
			d.cfg.Name += "-" + d.cfg.Env
		}
	}
	if !d.has("compatibility_date") {
		d.warnf("missing-compatibility-date", span{top, top},
			d.src.format.snippet("compatibility_date", DefaultCompatibilityDate),
			"compatibility_date is missing: %s is used", DefaultCompatibilityDate)
		d.cfg.CompatibilityDate = DefaultCompatibilityDate
	}
}

func envPath(name string) string { return joinPath("env", name) }

// selectEnvironment finds and checks the selected environment.
func (d *decoder) selectEnvironment() {
	name := d.cfg.Env
	if name == "" {
		return
	}
	top := span{d.top.span.start, d.top.span.start}
	if complaint := validEnvironmentName(name); complaint != "" {
		d.errorf("invalid-environment", top, "", "%s", complaint)
		return
	}
	all := d.top.get("env")
	if all == nil {
		d.warnf("unknown-env", top, "", "the file has no env.%s and no other environment: the top level is used", name)
		return
	}
	if all.kind != kindObject {
		return // already reported
	}
	i := all.find(name)
	if i < 0 {
		var names []string
		for _, m := range all.members {
			names = append(names, m.key)
		}
		at := d.top.members[d.top.find("env")].keySpan
		known := "none"
		if len(names) > 0 {
			known = enumerate(names)
		}
		d.errorf("unknown-env", at, didYouMean(nearest(name, names)), "there is no environment %q: the file has %s",
			name, known)
		return
	}
	d.env = all.members[i].value
	d.checkTable(envPath(name), d.env)
	d.checkInheritance(all.members[i].keySpan)
}

// validEnvironmentName returns what is wrong with a name, or "". The name becomes part of the
// worker's name, and so of a folder's.
func validEnvironmentName(name string) string {
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		default:
			return fmt.Sprintf("the environment name %s may only have letters, digits, \"-\" and \"_\"", quote(name))
		}
	}
	return ""
}

// checkInheritance warns, once for the whole environment, of keys and bindings that the top level
// has and the environment lacks, because they are not inherited.
func (d *decoder) checkInheritance(at span) {
	var missing []string
	for _, k := range keys {
		above, own := d.top.get(k.name), d.env.get(k.name)
		if k.scope != perEnvironment || above == nil {
			continue
		}
		if own == nil {
			missing = append(missing, k.name)
			continue
		}
		names := k.binds
		if k.name == "define" {
			names = &binds{} // each key is a name, although not of a binding
		}
		if names == nil {
			continue
		}
		has := make(map[string]bool)
		for _, b := range names.names(place{node: own}) {
			has[b.name] = true
		}
		for _, b := range names.names(place{node: above, path: k.name}) {
			switch {
			case has[b.name]:
			case names.field != "":
				missing = append(missing, "the binding "+b.name)
			case names.list != "":
				missing = append(missing, "the secret "+b.name)
			default:
				missing = append(missing, b.path)
			}
		}
	}
	if len(missing) > 0 {
		d.warnf("not-inherited", at, "repeat in the environment what the worker needs",
			"%s does not inherit %s from the top level", envPath(d.cfg.Env), enumerate(missing))
	}
}

// listUnused collects keys that have no effect here. They cause no warning, because deploying the
// worker uses the same file.
func (d *decoder) listUnused() {
	type found struct {
		Unused
		at int
	}
	var list []found
	for _, k := range keys {
		if k.unused == "" {
			continue
		}
		if p, ok := d.effective(k); ok {
			list = append(list, found{Unused{p.path, k.unused, d.src.position(p.node.span.start)}, p.node.span.start})
		}
	}
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(a.at, b.at) })
	for _, f := range list {
		d.cfg.Unused = append(d.cfg.Unused, f.Unused)
	}
}

// enumerate joins the items as in a sentence. It names only the first few of many.
func enumerate(items []string) string {
	const limit = 6
	if n := len(items); n > limit {
		items = append(items[:limit:limit], fmt.Sprintf("%d more", n-limit))
	}
	if len(items) == 1 {
		return items[0]
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " and " + items[last]
}
