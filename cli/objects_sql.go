package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// maxQuery is the longest SQL that is read, in bytes. It is above the limit of any object.
const maxQuery = 1 << 20

func objectsSQLCommand() *command {
	var q objectsQuestion
	var file string
	limit := control.DefaultRows
	return &command{
		name:    "sql",
		summary: "Run SQL on an object's database",
		about: `The SQL has the permissions and limits of the object's own SQL. Semicolons separate
statements; the rows are those of the last one. All statements are committed together,
or none if one fails. Events of the object wait meanwhile. Ctrl-C ends the SQL.

An ARG is text, unless it is JSON: a number, null, true or false, a string in its
quotes, or {"type": "bytes", "value": "aGk="}, a blob in base64.

A terminal gets a table in which long values are shortened. Other output has whole
values, separated by tabs, with \N for NULL and \t, \n, \r and \\ for the characters
that would break a line.`,
		args: []argument{
			objectArgument(),
			{name: "QUERY", usage: "the SQL; - or none reads it from standard input", optional: true},
			{name: "ARG", usage: "a value for each parameter of the last statement", optional: true, many: true},
		},
		flags: append(q.flags(),
			flag{name: "file", value: "FILE", target: &file,
				usage: "read the SQL from this file; everything after OBJECT is an ARG"},
			flag{name: "limit", value: "N", target: &limit,
				usage: fmt.Sprintf("show at most N rows (default: %d)", control.DefaultRows)},
		),
		examples: []example{
			{"devtool objects sql Batcher/default 'SELECT * FROM items'", ""},
			{"devtool objects sql Batcher/a 'UPDATE items SET note = ? WHERE id = ?' hello 5", ""},
			{"devtool objects sql Batcher/default --file seed.sql", ""},
		},
		run: func(ctx context.Context, s Streams, args []string) error {
			object, err := parseObject(args[0])
			if err != nil {
				return err
			}
			if limit <= 0 {
				return misuse("", "--limit is %d: it must be positive", limit)
			}
			query, rest, err := readQuery(s, file, args[1:])
			if err != nil {
				return err
			}
			request := control.SQLRequest{Query: query, Limit: limit}
			for i, arg := range rest {
				value, err := parseSQLValue(arg)
				if err != nil {
					return misuse("write text that looks like JSON as a JSON string",
						"argument %d: %s", i+1, err)
				}
				request.Args = append(request.Args, value)
			}
			return q.on(s, func(from objects) error { return runSQL(ctx, s, q, from, object, request) })
		},
	}
}

// readQuery returns the SQL to run, and the other arguments, which are for its parameters.
func readQuery(s Streams, file string, args []string) (query string, rest []string, err error) {
	if file == "" && len(args) > 0 && args[0] != "-" {
		return args[0], args[1:], nil
	}
	from := s.In
	switch {
	case file != "":
		opened, err := os.Open(s.path(file))
		if err != nil {
			return "", nil, misuse("", "%s", err)
		}
		defer opened.Close()
		from, rest = opened, args
	case len(args) > 0:
		rest = args[1:]
	case s.IsTerminal(s.In):
		return "", nil, misuse("write it in quotes, name a file with --file, or type it after -",
			"there is no SQL to run")
	}
	text, err := io.ReadAll(io.LimitReader(from, maxQuery+1))
	if err != nil {
		return "", nil, fmt.Errorf("read SQL: %w", err)
	}
	if len(text) > maxQuery {
		return "", nil, misuse("split it into several calls", "the SQL is longer than %s", formatSize(maxQuery))
	}
	return string(text), rest, nil
}

// parseSQLValue parses an argument of SQL on the command line.
func parseSQLValue(text string) (control.SQLValue, error) {
	if !json.Valid([]byte(text)) || strings.TrimSpace(text) != text ||
		text[0] == '[' || text[0] == '{' && !isTypedValue(text) {
		return control.SQLValue{V: text}, nil
	}
	var value control.SQLValue
	err := json.Unmarshal([]byte(text), &value)
	return value, err
}

// isTypedValue reports whether a JSON object is a value with its type, as --json shows it. Other
// JSON objects are text.
func isTypedValue(text string) bool {
	var value struct{ Type, Value string }
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	types := []string{control.TypeBytes, control.TypeText, control.TypeReal}
	return decoder.Decode(&value) == nil && slices.Contains(types, value.Type)
}

// runSQL runs SQL on an object, and shows its rows or, for an error in the SQL, the place.
func runSQL(
	ctx context.Context, s Streams, q objectsQuestion, from objects, which control.Object, request control.SQLRequest,
) error {
	result, err := from.RunSQL(ctx, which, request)
	if err != nil {
		var refused *control.Error
		if !q.json && errors.As(err, &refused) && refused.Offset != nil {
			pointAt(s.Err, request.Query, *refused.Offset)
		}
		return err
	}
	err = q.printer(s).print(result, func(w io.Writer) {
		if len(result.Columns) == 0 {
			fmt.Fprintf(w, "done, %s written\n", plural(result.RowsWritten, "row"))
			return
		}
		sqlRows(w, s, result)
	})
	if err == nil && result.More && !q.json {
		hint := "; more with --limit N"
		if len(result.Rows) < request.Limit {
			hint = " because they are long; read on with LIMIT and OFFSET"
		}
		shown := "only the first row is shown"
		if n := len(result.Rows); n != 1 {
			shown = fmt.Sprintf("only the first %d rows are shown", n)
		}
		fmt.Fprintln(s.Err, shown+hint)
	}
	return err
}

// sqlRows writes rows as a table for a terminal, and as lines for other programs.
func sqlRows(w io.Writer, s Streams, result control.SQLResult) {
	if s.IsTerminal(s.Out) {
		sqlTable(w, result, s.Width(s.Out))
	} else {
		sqlLines(w, result)
	}
}

// pointAt shows the line of a query that has an error, with a caret below the place.
func pointAt(w io.Writer, query string, offset int) {
	if offset < 0 || offset > len(query) {
		return
	}
	before := query[:offset]
	before = before[strings.LastIndexByte(before, '\n')+1:]
	after, _, _ := strings.Cut(query[offset:], "\n")
	const around = 60 // characters of a long line, before the place and after it
	if runes := []rune(before); len(runes) > around {
		before = "…" + string(runes[len(runes)-around:])
	}
	if runes := []rune(after); len(runes) > around {
		after = string(runes[:around]) + "…"
	}
	before = printable.Line(before)
	fmt.Fprintf(w, "  %s%s\n  %s^\n", before, printable.Line(after), strings.Repeat(" ", len([]rune(before))))
}
