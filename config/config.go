// Package config reads the files that wrangler reads, wrangler.jsonc, wrangler.json and
// wrangler.toml, into one validated Config. It reports every problem as a Diagnostic, which points
// at file, line and column and says what to do.
//
// A file goes through four steps, and nothing flows back:
//
//  1. Load reads the bytes, checks their encoding and picks the format by the extension.
//  2. A parser (jsonc.go or toml.go, each the only file that imports its library) turns the text
//     into a tree of nodes, each with its range of bytes. The tree is the same for both formats.
//  3. The table in keys.go says which keys exist, whether a named environment inherits them, where
//     their values name bindings, and why some have no effect. The shapes (shapes*.go) say what
//     values look like, and check.go checks a tree against them.
//  4. Each key that devtool uses has a function that copies its value into the Config. Checks
//     across keys (binding names, classes against migrations or exports) come last.
//
// Variables also come from files beside the configuration, from flags and from the process's
// environment. LoadVars (vars.go) knows their order; vars_file.go and vars_expand.go know the
// dialect of the files.
//
// To support one more key, complete its row in keys.go and give the row a decode function.
package config

import (
	"fmt"
	"path/filepath"
	"slices"
)

// DefaultCompatibilityDate applies, with a warning, when a file sets no compatibility_date.
const DefaultCompatibilityDate = "2026-10-01"

// Config is one worker's configuration as it applies in one environment, after inheritance.
type Config struct {
	Path string // absolute path of the file
	Env  string // the environment it was loaded for, or "" for the top level

	Name string // the worker's name; in an environment "<name>-<env>" unless the environment sets its own
	Main string // as written, relative to Dir; "" when the file has none (see MissingMain)

	CompatibilityDate  string // YYYY-MM-DD, never empty
	CompatibilityFlags []string

	Vars           []Var           // in file order; LoadVars adds variables of other sources
	DurableObjects []DurableObject // in file order
	Others         []Binding       // bindings of kinds that devtool does not emulate, in file order
	Migrations     []Migration     // in file order, which is the order they apply in
	Exports        []Export        // of Durable Objects, in file order; never together with Migrations
	Crons          []string        // cron expressions as written, all valid and different
	Dev            Dev
	Unused         []Unused // keys of the file that have no effect here, in file order

	RequiredSecrets []string  // names of secrets.required; nil if the file does not restrict them
	VarFiles        []VarFile // files that LoadVars looked for, missing ones too; a change of one may change Vars

	format format

	top       Diagnostic // points where a key is missing from the top level
	mainAt    Diagnostic // points at main's value
	secretsAt Diagnostic // points at secrets.required
}

// Dev is the file's settings for the local server. Flags on the command line take precedence.
type Dev struct {
	IP      string // "" when the file has none
	Port    int    // 0 asks for any free port; meaningless unless HasPort
	HasPort bool

	LocalProtocol    string // "http" or "https", or "" when the file has none
	UpstreamProtocol string // the scheme that the worker sees, likewise
	Host             string // the host that the worker sees, or "": dev.host, else that of the first route
	Zone             string // zone_name of the first route, or ""
}

// Var is a variable that handlers find in their environment.
type Var struct {
	Name  string
	Value string // the string itself, or compact JSON text when JSON is true
	JSON  bool
	From  string // "" for an entry of vars; else its source, in words, and its value may be a secret
}

// Binding is one binding of a kind that devtool does not emulate.
type Binding struct {
	Name string
	Kind string   // the platform's term: "KV Namespace"
	Key  string   // where it is configured: "kv_namespaces"
	Pos  Position // of the entry
}

// Unused is a key that wrangler knows and that has no effect here.
type Unused struct {
	Key    string // as messages write it: "env.staging.minify"
	Reason string // continues a sentence that begins with the key: "is about bundling JavaScript"
	Pos    Position
}

// DurableObject is one binding of durable_objects. Handlers reach a class by its name in their
// environment.
type DurableObject struct {
	Name        string
	ClassName   string
	ScriptName  string   // the worker that has the class, or "" for this one
	Environment string   // the environment of ScriptName, or ""
	Pos         Position // of the entry
}

// Migration is one step of migrations. Within a step, classes are deleted first, then renamed and
// transferred, then created.
type Migration struct {
	Tag                string
	NewClasses         []string
	NewSQLiteClasses   []string
	RenamedClasses     []Rename
	DeletedClasses     []string
	TransferredClasses []Transfer
	Pos                Position // of the entry
}

// Rename gives the objects of class From to class To.
type Rename struct{ From, To string }

// Transfer takes the objects of class From of the worker FromScript for class To.
type Transfer struct{ From, FromScript, To string }

// Dir returns the folder that holds the file; paths inside the file are relative to it.
func (c *Config) Dir() string { return filepath.Dir(c.Path) }

// Owns reports whether the class behind b belongs to this worker rather than to another one.
func (c *Config) Owns(b DurableObject) bool {
	return b.ScriptName == "" || b.ScriptName == c.Name
}

// Classes returns the names of all classes of this worker, sorted: classes that a binding names,
// and classes that exist after the last migration or by exports. A class may exist without a
// binding, so both count.
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

// KeyValueBacked reports whether the objects of class have no SQL: new_classes created it, not
// new_sqlite_classes, or exports says so.
func (c *Config) KeyValueBacked(class string) bool {
	return c.history().alive[class] == backendKeyValue
}

// DeleteAllDeletesAlarm reports whether deleteAll() also deletes the object's alarm. As in workerd,
// it does from compatibility date 2026-02-24 on, unless a flag says otherwise.
func (c *Config) DeleteAllDeletesAlarm() bool {
	if slices.Contains(c.CompatibilityFlags, flagDeleteAllPreservesAlarm) {
		return false
	}
	return c.CompatibilityDate >= "2026-02-24" || slices.Contains(c.CompatibilityFlags, flagDeleteAllDeletesAlarm)
}

// MainNotFound returns the error for a command that needs main, when nothing exists at that path.
func (c *Config) MainNotFound() Diagnostic {
	d := c.mainAt
	d.Severity = SeverityError
	d.ID = "main-not-found"
	d.Message = fmt.Sprintf("main names %s, but there is no such folder or file", quote(c.Main))
	d.Hint = "name the folder of the Go program with the handlers, relative to this file"
	return d
}

// MissingMain returns the error for a command that needs main, when it is empty. Load does not
// report that, because many commands do not need main.
func (c *Config) MissingMain() Diagnostic {
	d := c.top
	d.Severity = SeverityError
	d.ID = "missing-main"
	d.Message = "main is missing: it names the folder of the Go program with the handlers"
	d.Hint = c.format.snippet("main", ".")
	return d
}
