package cli

import (
	"context"
	"fmt"
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
			versionCommand(),
		},
		examples: []example{
			{"devtool init my-app", "make a project"},
			{"devtool dev", "serve it, from its folder"},
			{"devtool time advance 10s", "fire the alarms of the next ten seconds, now"},
		},
	}
}

// dispatch stores the flags of call in their targets and runs its command. It
// alone knows urfave/cli, which gets a line that parse has already checked and
// put in order: globals, the command's name, its flags, "--", its arguments.
func dispatch(ctx context.Context, root *command, g *globals, call invocation, s Streams) error {
	run := func(c *command, args []string) error {
		there, err := s.in(g.cwd)
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
	app := &urfave.App{
		Name:                      root.name,
		HideHelp:                  true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		Flags:                     urfaveFlags(root.flags),
		Commands:                  urfaveCommands(root.commands, run),
		Writer:                    s.Out,
		ErrWriter:                 s.Err,
		ExitErrHandler:            func(*urfave.Context, error) {}, // Run decides
		OnUsageError:              refused,
	}
	return app.RunContext(ctx, line)
}

// refused is for what parse should have refused before.
func refused(_ *urfave.Context, err error, _ bool) error {
	return misuse("", "%v", err)
}

func urfaveCommands(commands []*command, run func(*command, []string) error) []*urfave.Command {
	var converted []*urfave.Command
	for _, c := range commands {
		next := &urfave.Command{
			Name:         c.name,
			HideHelp:     true,
			Flags:        urfaveFlags(c.flags),
			Subcommands:  urfaveCommands(c.commands, run),
			OnUsageError: refused,
		}
		if c.run != nil {
			next.Action = func(parsed *urfave.Context) error {
				for _, f := range c.flags {
					if list, ok := f.target.(*[]string); ok {
						*list = parsed.StringSlice(f.name)
					}
				}
				return run(c, parsed.Args().Slice())
			}
		}
		converted = append(converted, next)
	}
	return converted
}

func urfaveFlags(flags []flag) []urfave.Flag {
	var converted []urfave.Flag
	for _, f := range flags {
		switch target := f.target.(type) {
		case nil:
		case *bool:
			converted = append(converted, &urfave.BoolFlag{Name: f.name, Destination: target})
		case *string:
			converted = append(converted, &urfave.StringFlag{Name: f.name, Value: *target, Destination: target})
		case *int:
			converted = append(converted, &urfave.IntFlag{Name: f.name, Value: *target, Destination: target})
		case *[]string:
			converted = append(converted, &urfave.StringSliceFlag{Name: f.name})
		default:
			panic(fmt.Sprintf("flag --%s has a target of type %T", f.name, target))
		}
	}
	return converted
}
