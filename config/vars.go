package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// FromProcess is the Var.From of a variable of the process's own environment.
const FromProcess = "the process environment"

// Variables of the process's environment that select the sources of other variables.
const (
	loadDotEnv     = "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV"
	includeProcess = "CLOUDFLARE_INCLUDE_PROCESS_ENV"
)

// VarSources says where variables come from, besides vars of the configuration.
type VarSources struct {
	EnvFiles []string // files to read instead of wrangler's usual ones; relative to the configuration's folder
	NoFiles  bool     // no files are read, and Environ sets only required secrets; EnvFiles is empty
	Given    []Var    // take precedence over all others; each has its own From
	Environ  []string // the process's environment, as NAME=value
}

// VarFile is a file that can hold variables.
type VarFile struct {
	Path string // absolute
	Name string // for messages: relative to the configuration's folder if it is in there
	Used bool   // the file exists, and no file that takes precedence over it does
}

// LoadVars completes Vars from files, the process's environment and s.Given, and sets VarFiles.
// Call it once on a Config from Load. A file's value replaces the configuration's. The files are
//
// 1. those of s.EnvFiles, if there are any; else 2. .dev.vars.<env>, or .dev.vars if that does not
// exist; else 3. .env, .env.local, .env.<env> and .env.<env>.local, where later ones win.
//
// It returns warnings, including one about required secrets that are not set. A file that can't be
// read, or a value that can't be expanded, is an error.
func (c *Config) LoadVars(s VarSources) ([]Diagnostic, error) {
	l := &varsLoader{cfg: c, process: processEnvironment(s.Environ)}
	var err error
	if l.dotEnv, err = l.flag(loadDotEnv, true); err != nil {
		return nil, err
	}
	if l.include, err = l.flag(includeProcess, false); err != nil {
		return nil, err
	}
	// A list of required secrets selects what the process's environment may set, so no flag is
	// needed.
	l.include = l.include && !s.NoFiles || c.RequiredSecrets != nil
	found, err := l.load(s)
	if err != nil {
		return nil, err
	}
	if c.RequiredSecrets != nil {
		found = slices.DeleteFunc(found, func(v Var) bool {
			return !slices.Contains(c.RequiredSecrets, v.Name) && !hasVar(c.Vars, v.Name)
		})
	}
	for _, v := range append(found, s.Given...) {
		l.set(v)
	}
	l.checkSecrets()
	return l.warnings, nil
}

// varsLoader is one call of LoadVars.
type varsLoader struct {
	cfg      *Config
	process  map[string]string
	dotEnv   bool // whether to read .env files
	include  bool // whether the process's environment is a source
	warnings []Diagnostic
}

func processEnvironment(environ []string) map[string]string {
	all := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if name != "" && utf8.ValidString(entry) { // handlers only get UTF-8
			all[name] = value
		}
	}
	return all
}

// flag returns the value of a boolean variable of the process's environment, or otherwise if it is
// not set.
func (l *varsLoader) flag(name string, otherwise bool) (bool, error) {
	switch value := l.process[name]; strings.ToLower(value) {
	case "":
		return otherwise, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, fmt.Errorf("%s must be true or false, not %q", name, value)
	}
}

// load returns the variables of the files and of the process's environment.
func (l *varsLoader) load(s VarSources) ([]Var, error) {
	devVars := perEnv(l.cfg.Env, ".dev.vars", ".dev.vars.%s")
	slices.Reverse(devVars)
	dotEnv := perEnv(l.cfg.Env, ".env", ".env.local", ".env.%s", ".env.%s.local")
	if s.NoFiles || len(s.EnvFiles) > 0 {
		devVars, dotEnv = nil, s.EnvFiles
	}
	var found []assignment
	used := false // whether a file was read that takes precedence over the following ones
	for _, name := range devVars {
		all, ok, err := l.read(name, used, false)
		if err != nil {
			return nil, err
		}
		found, used = append(found, all...), used || ok
	}
	if !l.dotEnv {
		return varsOf(found), nil
	}
	for _, name := range dotEnv {
		all, _, err := l.read(name, used, len(s.EnvFiles) > 0)
		if err != nil {
			return nil, err
		}
		found = append(found, all...)
	}
	if used {
		return varsOf(found), nil
	}
	return l.expand(merge(found))
}

// varsOf returns the last assignment to each name as a variable.
func varsOf(found []assignment) []Var {
	var vars []Var
	for _, a := range merge(found) {
		vars = append(vars, Var{Name: a.name, Value: a.value, From: a.from})
	}
	return vars
}

// perEnv returns the names for patterns. Patterns with a verb count only if there is an
// environment.
func perEnv(env string, patterns ...string) []string {
	var names []string
	for _, p := range patterns {
		if !strings.Contains(p, "%s") {
			names = append(names, p)
		} else if env != "" {
			names = append(names, fmt.Sprintf(p, env))
		}
	}
	return names
}

// merge returns the last assignment to each name, in the place of the first. The place decides
// which values it can refer to.
func merge(all []assignment) []assignment {
	var merged []assignment
	places := make(map[string]int)
	for _, a := range all {
		if i, ok := places[a.name]; ok {
			merged[i] = a
			continue
		}
		places[a.name] = len(merged)
		merged = append(merged, a)
	}
	return merged
}

// read adds the file to VarFiles, and reads it unless another file takes precedence. It reports
// whether the file exists. A missing file causes a warning if it is requested.
func (l *varsLoader) read(name string, superseded, requested bool) (all []assignment, ok bool, err error) {
	dir := l.cfg.Dir()
	file := VarFile{Path: filepath.Join(dir, name), Name: name}
	if filepath.IsAbs(name) {
		file.Path = filepath.Clean(name)
	}
	if rel, err := filepath.Rel(dir, file.Path); err == nil && filepath.IsLocal(rel) {
		file.Name = rel
	}
	defer func() {
		file.Used = ok
		l.cfg.VarFiles = append(l.cfg.VarFiles, file)
	}()
	if superseded {
		return nil, false, nil
	}
	info, err := os.Stat(file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if requested {
			l.warnings = append(l.warnings, Diagnostic{
				Severity: SeverityWarning, ID: "no-env-file", Position: Position{File: file.Path, Line: 1, Column: 1},
				Message: "there is no file " + quote(file.Name) + " to read variables from",
				Hint:    "paths of --env-file are relative to the folder of the configuration",
			})
		}
		return nil, false, nil
	case err == nil && info.IsDir() && !requested && strings.HasPrefix(name, ".env"):
		return nil, false, nil // Python's tools create folders of that name
	}
	data, err := readFile(file.Path)
	if err != nil {
		return nil, false, err
	}
	all, warnings, err := parseVars(file.Path, data)
	if err != nil {
		return nil, false, err
	}
	l.warnings = append(l.warnings, warnings...)
	for i := range all {
		all[i].from = file.Name
	}
	return all, true, nil
}

// expand returns the variables of .env files and, if it is included, of the process's environment.
func (l *varsLoader) expand(merged []assignment) ([]Var, error) {
	process := l.process
	if !l.include {
		process = nil
	}
	expanded, err := expand(merged, process)
	if err != nil {
		return nil, err
	}
	found := varsOf(expanded)
	named := make(map[string]bool)
	for i, v := range found {
		named[v.Name] = true
		if process[v.Name] != "" {
			found[i].From = FromProcess
		}
	}
	for _, name := range slices.Sorted(maps.Keys(process)) {
		if !named[name] {
			found = append(found, Var{Name: name, Value: process[name], From: FromProcess})
		}
	}
	return found, nil
}

func hasVar(vars []Var, name string) bool {
	return slices.ContainsFunc(vars, func(v Var) bool { return v.Name == name })
}

// set puts v in the place of the variable with its name, unless that name belongs to another kind
// of binding.
func (l *varsLoader) set(v Var) {
	if what, pos, taken := l.cfg.boundTo(v.Name); taken {
		if v.From != FromProcess {
			l.warnings = append(l.warnings, Diagnostic{
				Severity: SeverityWarning, ID: "duplicate-binding", Position: pos,
				Message: fmt.Sprintf("the variable %s of %s is ignored: %s already has this name", quote(v.Name),
					v.From, what),
			})
		}
		return
	}
	c := l.cfg
	if i := slices.IndexFunc(c.Vars, func(old Var) bool { return old.Name == v.Name }); i >= 0 {
		c.Vars[i] = v
		return
	}
	c.Vars = append(c.Vars, v)
}

// boundTo returns the binding with the given name, unless it is a variable.
func (c *Config) boundTo(name string) (what string, pos Position, ok bool) {
	for _, b := range c.DurableObjects {
		if b.Name == name {
			return "the binding of " + b.ClassName, b.Pos, true
		}
	}
	for _, b := range c.Others {
		if b.Name == name {
			return "a binding of " + b.Key, b.Pos, true
		}
	}
	return "", Position{}, false
}

// checkSecrets warns, once, of required secrets that are not set.
func (l *varsLoader) checkSecrets() {
	c := l.cfg
	var missing []string
	for _, name := range c.RequiredSecrets {
		if !hasVar(c.Vars, name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return
	}
	d := c.secretsAt
	d.Severity, d.ID = SeverityWarning, "missing-secret"
	verb := "is"
	if len(missing) > 1 {
		verb = "are"
	}
	d.Message = fmt.Sprintf("%s %s required by secrets.required and not set", enumerate(missing), verb)
	d.Hint = fmt.Sprintf("set it, for example in .dev.vars, which must not be committed: %s=…", missing[0])
	l.warnings = append(l.warnings, d)
}

// secrets takes the names of secrets.required. Even an empty list restricts what files may set.
func (d *decoder) secrets(p place) {
	required := p.node.get("required")
	if required == nil {
		return
	}
	d.cfg.RequiredSecrets = append([]string{}, texts(required.elems)...)
	d.cfg.secretsAt = d.src.locate(required.span)
}
