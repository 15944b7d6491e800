package state

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"devtool.internal/config"
)

// Migrations compares the migrations of a configuration with a state.
type Migrations struct {
	Worker string          `json:"worker"`
	State  string          `json:"state"` // folder
	Steps  []MigrationStep `json:"steps"`
	// Classes are the classes that exist once all steps are applied.
	Classes []MigratedClass `json:"classes"`
	// Notes are other findings, and what was done about them.
	Notes []string `json:"notes"`
}

// MigrationStep is one step of a configuration.
type MigrationStep struct {
	Tag     string   `json:"tag"`
	Applied bool     `json:"applied"`
	Does    []string `json:"does"` // of a pending step, also what it changes here
}

// MigratedClass says where the objects of a class are. Their ids are derived from its unique key.
type MigratedClass struct {
	Class     string `json:"class"`
	UniqueKey string `json:"uniqueKey"`
	Folder    string `json:"folder"`
	Objects   int    `json:"objects"` // those with a file in their present folder
}

// Pending returns the steps that are not applied.
func (m Migrations) Pending() []MigrationStep {
	return slices.DeleteFunc(slices.Clone(m.Steps), func(s MigrationStep) bool { return s.Applied })
}

// String returns the step as the log shows it.
func (s MigrationStep) String() string { return s.Tag + ": " + strings.Join(s.Does, ", ") }

// ReadMigrations compares c with the state in the folder dir, and changes nothing. An emulator may
// run on the state. If applied steps were changed, the error is a *config.Error.
func ReadMigrations(c *config.Config, dir string) (Migrations, error) {
	f := files{dir}
	record, err := f.readRecord()
	if err != nil {
		return Migrations{}, err
	}
	p, err := planMigrations(f, record, c)
	if err != nil {
		return Migrations{}, err
	}
	return p.report(c), nil
}

// ApplyMigrations applies the pending steps of c to a state that nobody uses, and returns what they
// were.
func ApplyMigrations(c *config.Config, dir string) (Migrations, error) {
	return changeMigrations((*Folder).Plan, c, dir)
}

// AdoptMigrations marks all steps of c as applied to a state that nobody uses, as Folder.Adopt
// plans it.
func AdoptMigrations(c *config.Config, dir string, both Both) (Migrations, error) {
	adopt := func(f *Folder, c *config.Config) (*Plan, error) { return f.Adopt(c, both) }
	return changeMigrations(adopt, c, dir)
}

func changeMigrations(
	plan func(*Folder, *config.Config) (*Plan, error), c *config.Config, dir string,
) (m Migrations, err error) {
	f, err := OpenExisting(dir, Owner{PID: os.Getpid(), Started: time.Now()})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	p, err := plan(f, c)
	if err != nil {
		return m, err
	}
	m = p.report(c) // before the moves change what there is
	return m, p.Commit()
}

// report describes the plan for c.
func (p *Plan) report(c *config.Config) Migrations {
	m := Migrations{
		Worker:  p.worker,
		State:   p.files.dir,
		Steps:   []MigrationStep{},
		Classes: []MigratedClass{},
		Notes:   append([]string{}, p.notes...),
	}
	done := len(p.mine().Applied) - len(p.steps)
	for i, s := range c.Migrations {
		step := MigrationStep{Tag: s.Tag, Applied: i < done, Does: describeStep(s)}
		if !step.Applied {
			step = p.steps[i-done]
		}
		m.Steps = append(m.Steps, step)
	}
	if len(c.Exports) > 0 {
		m.Steps = append(m.Steps, p.steps...)
	}
	for _, class := range slices.Sorted(maps.Keys(p.mine().Classes)) {
		key := p.mine().Classes[class]
		class := MigratedClass{Class: class, UniqueKey: key, Folder: p.files.path(objectsFolder, key)}
		if p.hasFolder(key) {
			class.Objects = p.objects(key)
		}
		m.Classes = append(m.Classes, class)
	}
	return m
}
