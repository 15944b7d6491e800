package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"devtool.internal/config"
	"devtool.internal/emulator"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/internal/printable"
)

// objects serves the commands for objects: a client of the running emulator's control API, or the
// files while no emulator runs.
type objects interface {
	alarms
	ListObjects(context.Context) (control.Objects, error)
	ShowObject(context.Context, control.Object) (control.ObjectDetails, error)
	SnapshotObject(context.Context, control.Object) (control.Snapshot, error)
	DeleteObject(ctx context.Context, o control.Object, force bool) (control.Object, error)
	ListEntries(context.Context, control.Object, control.EntriesRequest) (control.Entries, error)
	GetEntry(ctx context.Context, o control.Object, key string) (control.Entry, error)
	PutEntry(ctx context.Context, o control.Object, key string, value control.PutRequest) (control.Entry, error)
	DeleteEntry(ctx context.Context, o control.Object, key string) (control.Entry, error)
	RunSQL(context.Context, control.Object, control.SQLRequest) (control.SQLResult, error)
}

var (
	_ objects = (*client.Client)(nil)
	_ objects = (*emulator.Offline)(nil)
)

// objectsQuestion holds the options of a command that works on objects with and without a running
// emulator.
type objectsQuestion struct {
	question
	config    string
	env       string
	persistTo string
}

func (q *objectsQuestion) flags() []flag {
	q.env = unset
	return append(q.question.flags(),
		flag{name: "config", short: "c", value: "FILE", target: &q.config,
			usage: "read this configuration, if no emulator runs"},
		flag{name: "env", short: "e", value: "NAME", target: &q.env,
			usage: "environment of the configuration (also: CLOUDFLARE_ENV)"},
		flag{name: "persist-to", value: "DIR", target: &q.persistTo,
			usage: "use the state in this folder, which no emulator may be using"},
	)
}

// on calls f with the objects that the options select.
func (q *objectsQuestion) on(s Streams, f func(objects) error) error {
	path, running, err := q.running(s)
	if err != nil {
		return err
	}
	if running {
		client, err := q.client(s)
		if err != nil {
			return err
		}
		return f(client)
	}
	offline, err := q.offline(s, path)
	if err != nil {
		return err
	}
	return errors.Join(f(offline), offline.Close())
}

// running reports whether a running emulator serves the command. If not, path is the configuration.
func (q *objectsQuestion) running(s Streams) (path string, running bool, err error) {
	named := q.url != "" || (s.Env("DEVTOOL_URL") != "" && q.persistTo == "")
	if named && q.persistTo != "" {
		return "", false, misuse("--url asks an emulator, and --persist-to uses the files without one",
			"cannot combine --url and --persist-to")
	}
	if named {
		return "", true, nil
	}
	if path, err = s.configPath(q.config); err != nil {
		return "", false, err
	}
	if q.persistTo != "" {
		return path, false, nil
	}
	emulators, err := client.Emulators(filepath.Dir(path))
	return path, len(emulators) > 0, err
}

// offline opens the objects of the configuration at path.
func (q *objectsQuestion) offline(s Streams, path string) (*emulator.Offline, error) {
	// Only `devtool dev` shows the configuration's warnings.
	c, _, err := config.Load(path, config.Options{Env: s.environment(q.env)})
	if err != nil {
		return nil, s.explainDev(s.Err, err)
	}
	offline, err := emulator.OpenOffline(c, s.stateFolder(c.Dir(), q.persistTo))
	return offline, s.explainDev(s.Err, err)
}

func objectsCommand() *command {
	return &command{
		name:    "objects",
		summary: "Look at objects and what they store, and change it",
		about: `These commands do not wake an object: no constructor runs. They ask the emulator that
serves the project, which waits for the object's turn. If none runs, they read and write
the files.`,
		commands: []*command{
			objectsListCommand(),
			objectsShowCommand(),
			objectsGetCommand(),
			objectsPutCommand(),
			objectsRmCommand(),
			objectsSQLCommand(),
			objectsEvictCommand(),
			objectsAbortCommand(),
			objectsDeleteCommand(),
		},
		examples: []example{
			{"devtool objects list", ""},
			{"devtool objects get Batcher/default", "all keys, with their values"},
			{`devtool objects put Batcher/default limit 5`, ""},
			{`devtool objects sql Batcher/default 'SELECT * FROM items'`, ""},
		},
	}
}

// objectArgument is the argument that names an object.
func objectArgument() argument { return argument{name: "OBJECT", usage: objectUsage} }

const objectUsage = "CLASS/NAME or CLASS/ID; CLASS/name:NAME if the name looks like an ID"

func objectsListCommand() *command {
	var q objectsQuestion
	return &command{
		name:    "list",
		summary: "List all objects, on disk and in memory",
		flags:   q.flags(),
		run: func(ctx context.Context, s Streams, _ []string) error {
			return q.on(s, func(from objects) error {
				list, err := from.ListObjects(ctx)
				if err != nil {
					return err
				}
				return q.printer(s).print(list, func(w io.Writer) { listObjects(w, list) })
			})
		},
	}
}

func listObjects(w io.Writer, list control.Objects) {
	if len(list.Objects) == 0 {
		fmt.Fprintln(w, "there are no objects")
		return
	}
	rows := [][]string{{"OBJECT", "SIZE", "ALARM", "STATE", "ID"}}
	for _, o := range list.Objects {
		alarm := ""
		if o.Alarm != nil {
			alarm = inText(o.Alarm.Sub(list.Now))
		}
		rows = append(rows, []string{o.String(), formatSize(o.Size), alarm, objectState(o), o.ID})
	}
	table(w, rows...)
}

func objectState(o control.ObjectInfo) string {
	switch {
	case o.Problem != "":
		return "unreadable: " + o.Problem
	case o.Running:
		return "running"
	case o.InMemory:
		return "in memory"
	default:
		return "on disk"
	}
}

func objectsShowCommand() *command {
	var q objectsQuestion
	var storage bool
	return &command{
		name:    "show",
		summary: "Show an object's state, alarm and size",
		args:    []argument{objectArgument()},
		flags: append(q.flags(),
			flag{name: "storage", target: &storage,
				usage: "also show everything it stores, at one moment: keys with values, tables with rows"},
		),
		examples: []example{
			{"devtool objects show Batcher/default", ""},
			{"devtool objects show Batcher/default --storage --json",
				"everything, for a program or to compare later"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			object, err := parseObject(args[0])
			if err != nil {
				return err
			}
			return q.on(s, func(from objects) error {
				if storage {
					return showStorage(ctx, s, q, from, object)
				}
				o, err := from.ShowObject(ctx, object)
				if err != nil {
					return err
				}
				return q.printer(s).print(o, func(w io.Writer) { showDetails(w, o) })
			})
		},
	}
}

func showDetails(w io.Writer, o control.ObjectDetails) {
	alarm := "none"
	if o.Alarm != nil {
		alarm = formatTime(*o.Alarm)
	}
	table(w,
		[]string{"object", o.String()},
		[]string{"id", o.ID},
		[]string{"state", objectState(o.ObjectInfo)},
		[]string{"alarm", alarm},
		[]string{"keys", fmt.Sprint(o.Keys)},
		[]string{"size", formatSize(o.Size)},
		[]string{"file", o.File},
	)
}

// showStorage shows an object with everything that it stores.
func showStorage(ctx context.Context, s Streams, q objectsQuestion, from objects, which control.Object) error {
	o, err := from.SnapshotObject(ctx, which)
	if err != nil {
		return err
	}
	return q.printer(s).print(o, func(w io.Writer) {
		showDetails(w, o.ObjectDetails)
		if len(o.Entries) > 0 {
			fmt.Fprintln(w)
			entries := make([]control.Entry, len(o.Entries))
			for i, e := range o.Entries {
				entries[i] = e.Entry
			}
			entriesTable(w, entries)
		}
		for _, t := range o.Tables {
			fmt.Fprintf(w, "\nTABLE %s\n", printable.Line(t.Name))
			if t.Problem != "" {
				fmt.Fprintf(w, "unreadable: %s\n", printable.Line(t.Problem))
				continue
			}
			sqlRows(w, s, control.SQLResult{Columns: t.Columns, Rows: t.Rows})
		}
	})
}

func objectsEvictCommand() *command {
	var q question
	return &command{
		name:    "evict",
		summary: "Drop an object from memory; its next event constructs it again",
		about:   "Its storage and its alarm stay. An object that is running is an error, and is not evicted.",
		args:    []argument{objectArgument()},
		flags:   q.flags(),
		run: func(ctx context.Context, s Streams, args []string) error {
			object, err := parseObject(args[0])
			if err != nil {
				return err
			}
			client, err := q.client(s)
			if err != nil {
				return err
			}
			evicted, err := client.EvictObject(ctx, object)
			if err != nil {
				return err
			}
			return q.printer(s).print(evicted, func(w io.Writer) {
				text := "evicted %s\n"
				if !evicted.Evicted {
					text = "%s was not in memory\n"
				}
				fmt.Fprintf(w, text, printable.Line(evicted.String()))
			})
		},
	}
}

func objectsAbortCommand() *command {
	var q question
	var why control.AbortRequest
	return &command{
		name:    "abort",
		summary: "Reset an object in memory, even while it is running",
		about: `Works as the object's own State.Abort does: its memory and uncommitted writes are lost,
its events fail with the reason, and its next event constructs it again. Its storage and
its alarm stay.`,
		args: []argument{objectArgument()},
		flags: append(q.flags(),
			flag{name: "reason", value: "TEXT", usage: "the error of its events", target: &why.Reason},
			flag{name: "drop-alarm", usage: "do not retry the running alarm", target: &why.DropAlarm},
		),
		examples: []example{
			{"devtool objects abort Batcher/default", ""},
			{"devtool objects abort Batcher/default --reason 'out of luck'", "see how callers handle the error"},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			object, err := parseObject(args[0])
			if err != nil {
				return err
			}
			client, err := q.client(s)
			if err != nil {
				return err
			}
			aborted, err := client.AbortObject(ctx, object, why)
			if err != nil {
				return err
			}
			return q.printer(s).print(aborted, func(w io.Writer) {
				fmt.Fprintf(w, "aborted %s\n", printable.Line(aborted.String()))
			})
		},
	}
}

func objectsDeleteCommand() *command {
	var q objectsQuestion
	var force bool
	return &command{
		name:    "delete",
		summary: "Delete an object: its data, its alarm and its file",
		about: `This cannot be undone. An object in memory needs --force, because its memory is lost
too. An object that is running is an error, and is not deleted.`,
		args:  []argument{objectArgument()},
		flags: append(q.flags(), flag{name: "force", usage: "delete it even if it is in memory", target: &force}),
		run: func(ctx context.Context, s Streams, args []string) error {
			object, err := parseObject(args[0])
			if err != nil {
				return err
			}
			return q.on(s, func(from objects) error {
				deleted, err := from.DeleteObject(ctx, object, force)
				if err != nil {
					return err
				}
				return q.printer(s).print(deleted, func(w io.Writer) {
					fmt.Fprintf(w, "deleted %s\n", printable.Line(deleted.String()))
				})
			})
		},
	}
}

// formatSize formats a number of bytes with a unit.
func formatSize(bytes int64) string {
	if bytes < 1000 {
		return fmt.Sprintf("%d B", bytes)
	}
	size := float64(bytes)
	for _, unit := range []string{"KB", "MB", "GB"} {
		if size /= 1000; size < 999.95 || unit == "GB" {
			return strings.TrimSuffix(fmt.Sprintf("%.1f", size), ".0") + " " + unit
		}
	}
	return ""
}
