package emulator

import (
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
)

// Migrations say how far a state is through the steps of a configuration.
type Migrations struct {
	Worker string          `json:"worker"`
	State  string          `json:"state"` // folder
	Steps  []MigrationStep `json:"steps"`
	// Classes are those that there are once all is applied.
	Classes []MigratedClass `json:"classes"`
	// Notes are what else was found out, or done.
	Notes []string `json:"notes"`
}

// MigrationStep is one step of a configuration.
type MigrationStep struct {
	Tag     string   `json:"tag"`
	Applied bool     `json:"applied"`
	Does    []string `json:"does"` // with what it comes to here, unless it has been applied
}

// MigratedClass says where a class has its objects. Its unique key is that which their ids are derived from.
type MigratedClass struct {
	Class     string `json:"class"`
	UniqueKey string `json:"uniqueKey"`
	Folder    string `json:"folder"`
	Objects   int    `json:"objects"` // that have a file, where they are now
}

// Pending are the steps that are not applied.
func (m Migrations) Pending() []MigrationStep {
	return slices.DeleteFunc(slices.Clone(m.Steps), func(s MigrationStep) bool { return s.Applied })
}

// ReadMigrations compares c with the state, and changes nothing. It may be used while an emulator runs on the state. Steps that
// were changed after they were applied are a *config.Error.
func ReadMigrations(c *config.Config, state string) (Migrations, error) {
	files := stateFiles{state: filepath.Join(state, "v3")}
	record, err := files.readRecord()
	if err != nil {
		return Migrations{}, err
	}
	p, err := planMigrations(files, record, c)
	if err != nil {
		return Migrations{}, err
	}
	return p.report(c, state), nil
}

// ApplyMigrations applies what is pending to a state that nobody uses, and returns what it was.
func ApplyMigrations(c *config.Config, state string) (Migrations, error) {
	return changeMigrations(c, state, planMigrations)
}

// AdoptMigrations takes all steps of c as applied to a state that nobody uses, whatever was. All classes that there are
// keep their objects.
func AdoptMigrations(c *config.Config, state string) (Migrations, error) {
	return changeMigrations(c, state, func(f stateFiles, r *migrationRecord, c *config.Config) (*migrationPlan, error) {
		return planAdoption(f, r, c), nil
	})
}

func changeMigrations(c *config.Config, state string, plan func(stateFiles, *migrationRecord, *config.Config) (*migrationPlan, error)) (m Migrations, err error) {
	e := newEmulator(c, state)
	if _, err := os.Stat(e.state); errors.Is(err, fs.ErrNotExist) {
		return m, noState(state)
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := e.lock(); err != nil {
		return m, err
	}
	files := stateFiles{state: e.state}
	if err := files.recover(); err != nil {
		return m, err
	}
	record, err := files.readRecord()
	if err != nil {
		return m, err
	}
	p, err := plan(files, record, c)
	if err != nil {
		return m, err
	}
	m = p.report(c, state)
	return m, p.commit()
}

// noState is the error of who makes no state.
func noState(state string) error {
	return &control.Error{
		Status: http.StatusNotFound, Message: "there is no state in " + state,
		Hint: "`devtool dev` makes it; name another folder with --persist-to",
	}
}

// report describes the plan.
func (p *migrationPlan) report(c *config.Config, state string) Migrations {
	m := Migrations{Worker: p.worker, State: state, Steps: []MigrationStep{}, Classes: []MigratedClass{}, Notes: append([]string{}, p.notes...)}
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
		class := MigratedClass{Class: class, UniqueKey: key, Folder: filepath.Join(p.files.state, objectsFolder, key)}
		if p.hasFolder(key) {
			class.Objects = p.objects(key)
		}
		m.Classes = append(m.Classes, class)
	}
	return m
}

// String is the step as the log tells it.
func (s MigrationStep) String() string { return s.Tag + ": " + strings.Join(s.Does, ", ") }
