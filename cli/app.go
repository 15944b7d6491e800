package cli

import (
	"context"
	"strings"

	urfave "github.com/urfave/cli/v2"
)

// globals are the flags that every command takes.
type globals struct {
	cwd string
}

func rootCommand(g *globals) *command {
	return &command{
		name:    "devtool",
		summary: "Durable Objects in Go, on your own machine, with a clock that you drive",
		flags: []flag{
			{name: "cwd", value: "DIR", usage: "run as if started in DIR", target: &g.cwd},
			{name: "help", short: "h", usage: "show help, for a command when one is named"},
			{name: "version", short: "v", usage: "show the version"},
		},
		commands: []*command{
			initCommand(),
			devCommand(),
			execCommand(),
			statusCommand(),
			logsCommand(),
			stopCommand(),
			alarmsCommand(),
			cronCommand(),
			objectsCommand(),
			migrationsCommand(),
			timeCommand(),
			configCommand(),
			typesCommand(),
			vetCommand(),
			completionCommand(),
			versionCommand(),
			worldsCommand(),
		},
		examples: []example{
			{"devtool init my-app", "make a project"},
			{"devtool dev", "serve it, from its folder"},
			{"devtool time advance 10s", "fire the alarms of the next ten seconds, now"},
		},
	}
}

// dispatch lets urfave/cli parse call, which sets the targets of its flags, and run its command.
// This file alone knows urfave/cli. That library takes flags only before arguments, and so it
// gets the line as arrange has ordered it.
func dispatch(ctx context.Context, root *command, g *globals, call invocation, s Streams) error {
	run := func(c *command, args []string) error {
		if err := call.checkCount(args); err != nil {
			return err
		}
		there, err := s.in(g.cwd, "name an existing one with --cwd DIR")
		if err != nil {
			return err
		}
		if c.rest != nil {
			*c.rest = call.rest
		}
		return c.run(ctx, there, args)
	}
	line := append([]string{root.name}, call.globals...)
	line = append(line, strings.Fields(call.path)[1:]...)
	line = append(line, call.flags...)
	line = append(append(line, "--"), call.args...)
	b := appBuilder{run: run}
	app := &urfave.App{
		Name:           root.name,
		HideHelp:       true,
		HideVersion:    true,
		Flags:          b.flags(root.flags),
		Commands:       b.commands(root.commands),
		Writer:         s.Out,
		ErrWriter:      s.Err,
		ExitErrHandler: func(*urfave.Context, error) {}, // Run decides
		OnUsageError:   b.refused,
	}
	return app.RunContext(ctx, line)
}

// An appBuilder translates the tree of commands for urfave/cli.
type appBuilder struct {
	run   func(c *command, args []string) error
	wrong error // what the first flag with a wrong value said
}

// refused returns the flag's own error: urfave/cli passes on its text alone.
func (b *appBuilder) refused(_ *urfave.Context, err error, _ bool) error {
	if b.wrong != nil {
		return b.wrong
	}
	return misuse("", "%v", err)
}

func (b *appBuilder) commands(commands []*command) []*urfave.Command {
	var converted []*urfave.Command
	for _, c := range commands {
		next := &urfave.Command{
			Name:         c.name,
			HideHelp:     true,
			Flags:        b.flags(c.flags),
			Subcommands:  b.commands(c.commands),
			OnUsageError: b.refused,
		}
		if c.run != nil {
			next.Action = func(parsed *urfave.Context) error { return b.run(c, parsed.Args().Slice()) }
		}
		converted = append(converted, next)
	}
	return converted
}

func (b *appBuilder) flags(flags []flag) []urfave.Flag {
	var converted []urfave.Flag
	for _, f := range flags {
		if f.target != nil {
			converted = append(converted, &urfave.GenericFlag{Name: f.name, Value: setting{f, b}})
		}
	}
	return converted
}

// A setting is a flag as urfave/cli sets it.
type setting struct {
	flag flag
	app  *appBuilder
}

// Set parses text and stores it in the flag's target.
func (s setting) Set(text string) error {
	err := s.flag.set(text)
	if s.app.wrong == nil {
		s.app.wrong = err
	}
	return err
}

// String returns nothing: urfave/cli asks for defaults, which only its own help would show.
func (s setting) String() string { return "" }
