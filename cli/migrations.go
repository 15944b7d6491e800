package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/state"
	"devtool.internal/internal/printable"
)

// migrationsQuestion holds the options of a command that compares a configuration with a state.
type migrationsQuestion struct {
	json      bool
	config    string
	env       string
	persistTo string
}

func (q *migrationsQuestion) flags() []flag {
	q.env = unset
	return []flag{
		{name: "json", usage: "print JSON", target: &q.json},
		{name: "config", short: "c", value: "FILE", usage: "read this configuration", target: &q.config},
		{name: "env", short: "e", value: "NAME", target: &q.env,
			usage: "environment of the configuration (also: CLOUDFLARE_ENV)"},
		{name: "persist-to", value: "DIR", target: &q.persistTo,
			usage: "look at the state there (default: that of the emulator that runs, or .devtool/state)"},
	}
}

// find returns the configuration and the folder of the state.
func (q *migrationsQuestion) find(ctx context.Context, s Streams) (c *config.Config, state string, err error) {
	var running control.Status
	if url := s.Env("DEVTOOL_URL"); url != "" && q.persistTo == "" {
		client, err := (&question{url: url}).client(s)
		if err != nil {
			return nil, "", err
		}
		if running, err = client.Status(ctx); err != nil {
			return nil, "", err
		}
	}
	path := running.Config
	if q.config != "" || path == "" {
		if path, err = s.configPath(q.config); err != nil {
			return nil, "", err
		}
	}
	c, _, err = config.Load(path, config.Options{Env: s.environment(q.env)}) // `devtool dev` shows the warnings
	if err != nil {
		return nil, "", s.explainDev(s.Err, err)
	}
	switch {
	case q.persistTo != "":
		return c, s.path(q.persistTo), nil
	case running.State != "":
		return c, running.State, nil
	}
	emulators, err := client.Emulators(c.Dir())
	if err != nil {
		return nil, "", err
	}
	for _, a := range emulators {
		if a.Config == c.Path {
			return c, a.State, nil
		}
	}
	return c, s.stateFolder(c.Dir(), ""), nil
}

// command is one that does something with both, and prints what came of it.
func (q *migrationsQuestion) command(
	c *command, do func(*config.Config, string) (state.Migrations, error), show func(io.Writer, state.Migrations),
) *command {
	c.flags = q.flags()
	c.run = func(ctx context.Context, s Streams, _ []string) error {
		cfg, state, err := q.find(ctx, s)
		if err != nil {
			return err
		}
		m, err := do(cfg, state)
		if err != nil {
			return s.explainDev(s.Err, err)
		}
		return printer{out: s.Out, json: q.json}.print(m, func(w io.Writer) { show(w, m) })
	}
	return c
}

func migrationsCommand() *command {
	return &command{
		name:    "migrations",
		summary: "Show and apply the configuration's migrations of classes",
		about: `The steps of migrations in the configuration create, rename, delete and take over
classes. ` + "`devtool dev`" + ` applies pending steps to its state, when it starts and when you
save them, and records them there.`,
		commands: []*command{
			migrationsStatusCommand(),
			migrationsPlanCommand(),
			migrationsApplyCommand(),
			migrationsAdoptCommand(),
		},
		examples: []example{
			{"devtool migrations status", ""},
			{"devtool migrations plan --json", "for programs"},
		},
	}
}

func migrationsStatusCommand() *command {
	return new(migrationsQuestion).command(&command{
		name:    "status",
		summary: "List the steps, whether they are applied, and where each class has its objects",
		about:   "Steps that were edited, moved or removed after they were applied are an error.",
	}, state.ReadMigrations, func(w io.Writer, m state.Migrations) {
		rows := [][]string{{"TAG", "STATE", "WHAT"}}
		for _, step := range m.Steps {
			state := "pending"
			if step.Applied {
				state = "applied"
			}
			rows = append(rows, []string{step.Tag, state, strings.Join(step.Does, ", ")})
		}
		if len(m.Steps) == 0 {
			fmt.Fprintln(w, "the configuration has no migrations")
		} else {
			table(w, rows...)
		}
		if len(m.Classes) > 0 {
			fmt.Fprintln(w)
			rows = [][]string{{"CLASS", "OBJECTS", "FOLDER"}}
			for _, class := range m.Classes {
				rows = append(rows, []string{class.Class, strconv.Itoa(class.Objects), class.Folder})
			}
			table(w, rows...)
		}
		printNotes(w, m)
	})
}

func migrationsPlanCommand() *command {
	return new(migrationsQuestion).command(&command{
		name:    "plan",
		summary: "Show the pending steps and their effect on this state, without changing it",
	}, state.ReadMigrations, func(w io.Writer, m state.Migrations) { printPending(w, m, "") })
}

func migrationsApplyCommand() *command {
	return new(migrationsQuestion).command(&command{
		name:    "apply",
		summary: "Apply the pending steps, while no emulator runs",
		about:   "The objects of a deleted class move to backups in the state's folder.",
	}, state.ApplyMigrations, func(w io.Writer, m state.Migrations) { printPending(w, m, "applied ") })
}

func migrationsAdoptCommand() *command {
	var both string
	adopt := func(c *config.Config, dir string) (m state.Migrations, err error) {
		switch choice := state.Both(both); choice {
		case state.BothAsk, state.BothKeep, state.BothGiveBack:
			return state.AdoptMigrations(c, dir, choice)
		}
		return m, misuse("choose keep or give-back", "there is no --both %q", both)
	}
	c := new(migrationsQuestion).command(&command{
		name:    "adopt",
		summary: "Mark the present steps as applied, while no emulator runs",
		about: `For steps that were edited, moved or removed after they were applied, as after a
checkout of another branch. What the removed steps did is undone: a class that they
renamed gets its objects back, with their ids, names and alarms, and so does one that
they deleted. A new class begins without objects. If a class would get objects back and
has some of its own, --both decides.`,
	}, adopt, func(w io.Writer, m state.Migrations) {
		printNotes(w, m)
		last := "the configuration has no migrations"
		if n := len(m.Steps); n > 0 {
			last = "all migrations up to " + m.Steps[n-1].Tag + " count as applied"
		}
		fmt.Fprintln(w, printable.Line(last))
	})
	c.flags = append(c.flags, flag{name: "both", value: "CHOICE", target: &both,
		usage: "keep both classes' objects (keep), or return those of the removed step (give-back)"})
	return c
}

// printPending prints the pending steps with done, which is in front of each.
func printPending(w io.Writer, m state.Migrations, done string) {
	pending := m.Pending()
	for _, step := range pending {
		fmt.Fprintln(w, printable.Line(done+step.String()))
	}
	printNotes(w, m)
	if len(pending) == 0 {
		fmt.Fprintln(w, "no migration is pending")
	}
}

func printNotes(w io.Writer, m state.Migrations) {
	for _, note := range m.Notes {
		fmt.Fprintln(w, printable.Line(note))
	}
}
