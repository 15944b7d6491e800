package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

func objectsGetCommand() *command {
	var q objectsQuestion
	list := control.EntriesRequest{Limit: control.DefaultEntries}
	return &command{
		name:    "get",
		summary: "Show a value that an object stores, or list its keys",
		about: `A value is shown as JSON, or marked as bytes (in base64) or as a time. Exits with 1 if
the key does not exist.`,
		args: []argument{
			objectArgument(),
			{name: "KEY", usage: "which value (default: list all keys)", optional: true},
		},
		flags: append(q.flags(),
			flag{name: "prefix", value: "TEXT", usage: "list only keys with this prefix", target: &list.Prefix},
			flag{name: "limit", value: "N", target: &list.Limit,
				usage: fmt.Sprintf("list at most N keys (default: %d)", control.DefaultEntries)},
		),
		examples: []example{
			{"devtool objects get Batcher/default", "all keys, with their values"},
			{"devtool objects get Batcher/default count", ""},
			{"devtool objects get Batcher/default --prefix item: --limit 5", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			which, err := parseObject(args[0])
			if err != nil {
				return err
			}
			if len(args) > 1 {
				return q.on(s, func(from objects) error { return getEntry(ctx, s, q, from, which, args[1]) })
			}
			if list.Limit <= 0 {
				return misuse("", "--limit is %d: it must be positive", list.Limit)
			}
			return q.on(s, func(from objects) error { return listEntries(ctx, s, q, from, which, list) })
		},
	}
}

func getEntry(ctx context.Context, s Streams, q objectsQuestion, from objects, which control.Object, key string) error {
	entry, err := from.GetEntry(ctx, which, key)
	if err != nil {
		return err
	}
	err = q.printer(s).print(entry, func(w io.Writer) {
		if entry.Problem == "" {
			fmt.Fprintln(w, printable.Line(valueText(entry)))
		}
	})
	if err == nil && entry.Problem != "" {
		return failure("", "the value of %q can't be shown: %s", key, entry.Problem)
	}
	return err
}

func listEntries(
	ctx context.Context, s Streams, q objectsQuestion, from objects, which control.Object, list control.EntriesRequest,
) error {
	found, err := from.ListEntries(ctx, which, list)
	if err != nil {
		return err
	}
	return q.printer(s).print(found, func(w io.Writer) {
		switch {
		case len(found.Entries) > 0:
		case list.Prefix != "":
			fmt.Fprintf(w, "%s has no keys that begin with %q\n", printable.Line(found.String()), list.Prefix)
			return
		default:
			fmt.Fprintf(w, "%s has no keys\n", printable.Line(found.String()))
			return
		}
		entriesTable(w, found.Entries)
		if found.More {
			fmt.Fprintln(w, "… and more: see them with --limit N or --prefix TEXT")
		}
	})
}

func entriesTable(w io.Writer, entries []control.Entry) {
	rows := [][]string{{"KEY", "VALUE"}}
	for _, e := range entries {
		rows = append(rows, []string{e.Key, abridge(valueText(e), widest)})
	}
	table(w, rows...)
}

// valueText formats a value for people. JSON stays as it is. Other values begin with their type,
// which no JSON does.
func valueText(e control.Entry) string {
	switch e.Type {
	case control.TypeJSON:
		return string(e.Value)
	case control.TypeUnknown:
		return fmt.Sprintf("unreadable, %s: %s", formatSize(int64(e.Size)), e.Problem)
	}
	var text string
	if json.Unmarshal(e.Value, &text) != nil {
		text = string(e.Value)
	}
	return e.Type + " " + text
}

// widest is how many characters of a value a table shows.
const widest = 100

func objectsPutCommand() *command {
	var q objectsQuestion
	kind := control.TypeJSON
	return &command{
		name:    "put",
		summary: "Store a value in an object",
		about: `An object that does not exist is created, so you can prepare state before the first
request. An object in memory may go on with values that it has already read: evict it
then.`,
		args: []argument{
			objectArgument(),
			{name: "KEY", usage: "any text"},
			{name: "VALUE", usage: "JSON: write a string with its quotes"},
		},
		flags: append(q.flags(),
			flag{name: "type", value: "TYPE", target: &kind,
				usage: "json, bytes (in base64) or time (like 2026-11-21T17:00:00Z); default: json"},
		),
		examples: []example{
			{"devtool objects put Batcher/default limit 5", ""},
			{`devtool objects put Batcher/default name '"orders"'`, "a string"},
			{"devtool objects put Batcher/default since 2026-11-21T17:00:00Z --type time", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			object, err := parseObject(args[0])
			if err != nil {
				return err
			}
			if !utf8.ValidString(args[1]) {
				return misuse("handlers could not read it", "the key %q is not UTF-8 text", args[1])
			}
			value, err := parseValue(kind, args[2])
			if err != nil {
				return err
			}
			return q.on(s, func(from objects) error {
				stored, err := from.PutEntry(ctx, object, args[1], value)
				if err != nil {
					return err
				}
				return q.printer(s).print(stored, func(w io.Writer) {
					fmt.Fprintf(w, "stored %q in %s\n", stored.Key, printable.Line(args[0]))
				})
			})
		},
	}
}

// parseValue parses a value of the command line.
func parseValue(kind, text string) (control.PutRequest, error) {
	if !utf8.ValidString(text) {
		return control.PutRequest{}, misuse("write other bytes in base64, with --type bytes",
			"%q is not UTF-8 text", text)
	}
	switch kind {
	case control.TypeJSON:
		if !json.Valid([]byte(text)) {
			return control.PutRequest{}, misuse(`write a string with its quotes, like '"hello"'`,
				"%q is not JSON", text)
		}
		return control.PutRequest{Type: kind, Value: json.RawMessage(text)}, nil
	case control.TypeBytes, control.TypeTime:
		value, err := json.Marshal(text)
		return control.PutRequest{Type: kind, Value: value}, err
	}
	return control.PutRequest{}, misuse("choose json, bytes or time", "there is no type %q", kind)
}

func objectsRmCommand() *command {
	var q objectsQuestion
	return &command{
		name:    "rm",
		summary: "Delete a value of an object",
		about:   "Exits with 1 if the key does not exist.",
		args:    []argument{objectArgument(), {name: "KEY", usage: "which value"}},
		flags:   q.flags(),
		run: func(ctx context.Context, s Streams, args []string) error {
			object, err := parseObject(args[0])
			if err != nil {
				return err
			}
			return q.on(s, func(from objects) error {
				deleted, err := from.DeleteEntry(ctx, object, args[1])
				if err != nil {
					return err
				}
				return q.printer(s).print(deleted, func(w io.Writer) {
					fmt.Fprintf(w, "deleted %q of %s\n", deleted.Key, printable.Line(args[0]))
				})
			})
		},
	}
}
