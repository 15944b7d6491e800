// Package config reads the files that wrangler reads, wrangler.jsonc, wrangler.json and wrangler.toml, into one
// validated Config. Every problem it finds is a Diagnostic that points at file, line and column and says what to do.
//
// A file goes through four rooms, and nothing flows back:
//
//  1. Load reads the bytes, checks their encoding and picks the format by the extension.
//  2. A parser (jsonc.go or toml.go, the only files that know their library) turns the text into the same tree of
//     nodes, each with the byte range it was written in. From here on the two formats are one.
//  3. The table in keys.go says which keys exist, whether a named environment inherits them, where their values name
//     bindings and why some have no effect; the shapes (shapes*.go) say what values look like, and check.go holds a
//     tree against them.
//  4. Each key that devtool uses has a function that copies its value into the Config; what only makes sense across
//     keys (binding names, classes against migrations or exports) is checked last.
//
// Variables also come from files beside it, flags and the process's environment: LoadVars (vars.go) knows the order, and
// vars_file.go and vars_expand.go the dialect of the files.
//
// To support one more key, complete its row in keys.go and give the row a decode function.
package config

import (
	"fmt"
	"path/filepath"
	"slices"
)

// DefaultCompatibilityDate is assumed, with a warning, when a file sets no compatibility_date.
const DefaultCompatibilityDate = "2026-10-01"

// Config is one worker's configuration as it applies in one environment: inheritance is already done.
type Config struct {
	Path string // absolute path of the file
	Env  string // the environment it was loaded for, or "" for the top level

	Name string // the worker's name; in an environment "<name>-<env>" unless that sets its own
	Main string // as written, relative to Dir; "" when the file has none (see MissingMain)

	CompatibilityDate  string // YYYY-MM-DD, never empty
	CompatibilityFlags []string

	Vars           []Var           // in file order; LoadVars adds those of other sources
	DurableObjects []DurableObject // in file order
	Others         []Binding       // of the kinds that are not emulated, in file order
	Migrations     []Migration     // in file order, which is the order they apply in
	Exports        []Export        // of Durable Objects, in file order; never together with Migrations
	Crons          []string        // cron expressions as written, all good, no two the same
	Dev            Dev
	Unused         []Unused // what the file has and devtool makes no use of, in file order

	RequiredSecrets []string  // names of secrets.required; nil if the file does not restrict them
	VarFiles        []VarFile // which LoadVars has looked for, there or not: a change of one is a change of Vars

	format format
	top    Diagnostic // where a key that is missing from the top level is reported
	mainAt Diagnostic // where main's value is reported

	secretsAt Diagnostic // where a lack of required secrets is reported
}

// Dev is what the file says about the local server; flags on the command line go before it.
type Dev struct {
	IP      string // "" when the file has none
	Port    int    // 0 asks for any free port; meaningless unless HasPort
	HasPort bool

	LocalProtocol    string // "http" or "https", or "" when the file has none
	UpstreamProtocol string // likewise: the scheme that the worker sees
	Host             string // that the worker sees, or "": dev.host, else that of the first route
}

// Var is a variable that handlers find in their environment.
type Var struct {
	Name  string
	Value string // the string itself, or compact JSON text when JSON is true
	JSON  bool
	From  string // "" for an entry of vars; else what it comes from, in words, and its value may be a secret
}

// Binding is one of a kind that devtool does not emulate.
type Binding struct {
	Name string
	Kind string   // what the platform calls it: "KV Namespace"
	Key  string   // where it is configured: "kv_namespaces"
	Pos  Position // of the entry
}

// Unused is a key that wrangler knows and that has no effect here.
type Unused struct {
	Key    string // as messages write it: "env.staging.minify"
	Reason string // goes on from the key: "is about bundling JavaScript"
	Pos    Position
}

// DurableObject is one binding of durable_objects: the name in the environment through which a handler reaches a
// class.
type DurableObject struct {
	Name        string
	ClassName   string
	ScriptName  string   // the worker that has the class, or "" for this one
	Environment string   // the environment of ScriptName, or ""
	Pos         Position // of the entry
}

// Migration is one step of migrations. Within a step, classes are deleted first, then renamed and transferred, then
// created.
type Migration struct {
	Tag                string
	NewClasses         []string
	NewSQLiteClasses   []string
	RenamedClasses     []Rename
	DeletedClasses     []string
	TransferredClasses []Transfer
	Pos                Position // of the entry
}

// Rename gives the objects of one class to another name of it.
type Rename struct{ From, To string }

// Transfer takes the objects of a class over from another worker.
type Transfer struct{ From, FromScript, To string }

// Dir returns the folder that holds the file; paths inside the file are relative to it.
func (c *Config) Dir() string { return filepath.Dir(c.Path) }

// Owns reports whether the class behind b lives in this worker rather than in another one.
func (c *Config) Owns(b DurableObject) bool {
	return b.ScriptName == "" || b.ScriptName == c.Name
}

// Classes returns the names of all classes that live in this worker, sorted: those that a binding names and those
// that are alive after the last migration, or by exports. A class may be alive and unbound, so both are needed.
func (c *Config) Classes() []string {
	var names []string
	for _, b := range c.DurableObjects {
		if c.Owns(b) {
			names = append(names, b.ClassName)
		}
	}
	for name := range c.history().alive {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// KeyValueBacked reports whether the objects of class have no SQL: new_classes has made it, not new_sqlite_classes, or
// exports says so.
func (c *Config) KeyValueBacked(class string) bool {
	return c.history().alive[class] == backendKeyValue
}

// DeleteAllDeletesAlarm reports whether deleteAll() also deletes the object's alarm, as workerd decides it: from
// compatibility date 2026-02-24 on, unless a flag says otherwise.
func (c *Config) DeleteAllDeletesAlarm() bool {
	if slices.Contains(c.CompatibilityFlags, flagDeleteAllPreservesAlarm) {
		return false
	}
	return c.CompatibilityDate >= "2026-02-24" || slices.Contains(c.CompatibilityFlags, flagDeleteAllDeletesAlarm)
}

// LostMain returns the error for a command that needs main and finds nothing at that path.
func (c *Config) LostMain() Diagnostic {
	d := c.mainAt
	d.Severity = SeverityError
	d.ID = "lost-main"
	d.Message = fmt.Sprintf("main names %s, and there is no such folder or file", quote(c.Main))
	d.Hint = "Name the folder of the Go program that has the handlers, relative to this file."
	return d
}

// MissingMain returns the error for a command that needs main and finds it empty. Load does not report that itself,
// because many commands do without.
func (c *Config) MissingMain() Diagnostic {
	d := c.top
	d.Severity = SeverityError
	d.ID = "missing-main"
	d.Message = "main is missing: it names the folder of the Go program that has the handlers"
	d.Hint = c.format.snippet("main", ".")
	return d
}
