package conformance

import (
	"fmt"
	"strings"
)

// A Difference is a deliberate deviation from workerd or wrangler.
type Difference struct {
	Topic, Platform, Ours, Reason string
	// Cases are the names of the cases, or of the configuration files, that show it.
	Cases []string
}

// Table returns the differences from workerd as the Markdown table in docs/conformance.md.
func Table() string {
	return table("| What | workerd | devtool | Why | Cases |", Differences)
}

// ConfigTable returns the differences from wrangler as the other table there.
func ConfigTable() string {
	return table("| What | wrangler | devtool | Why | Files |", ConfigDifferences)
}

func table(head string, differences []Difference) string {
	var b strings.Builder
	b.WriteString(head + "\n|---|---|---|---|---|\n")
	for _, d := range differences {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` |\n", d.Topic, d.Platform, d.Ours, d.Reason,
			strings.Join(d.Cases, "`, `"))
	}
	return b.String()
}

// Reasons that several differences share.
const (
	production = "the limits of production apply by default, so that code that works here does not fail after " +
		"deployment"
	readAhead = "rows come to the program in pages of 64 KiB, not one by one: a call for each row would take " +
		"longer than the rest of the query"
	counting  = "the engine reports no more; the count never exceeds what production bills"
	zeroValue = "in Go, an option with its zero value counts as not set"
)

// Differences lists every deliberate difference from workerd. Each case that expects the sides to
// differ belongs to one of them.
var Differences = []Difference{
	{
		"Keys in one call", "any number", "128 at most", production,
		[]string{"129 keys to get", "129 keys to put", "129 keys to delete"},
	},
	{
		"Size of a value", "8 MiB", "2 MiB with its key", production,
		[]string{"value: more than 2 MiB with the key"},
	},
	{
		"`List` with limit 0", "refused", "no limit", zeroValue,
		[]string{"list: limit 0"},
	},
	{
		"`List` with an empty bound", "a bound like any other", "no bound", zeroValue,
		[]string{"list: empty end", "list: empty startAfter", "list: empty start and startAfter"},
	},
	{
		"Dates and bytes inside a value", "kept", "text, as `encoding/json` writes them",
		"values are JSON; only a `time.Time` or `[]byte` that is the whole value is kept",
		[]string{"value: date and bytes inside an object"},
	},
	{
		"NaN", "kept", "refused", "values are JSON, which has no NaN",
		[]string{"value: NaN"},
	},
	{
		"`SetAlarm` in the constructor of a class without alarm handler",
		"accepted until the constructor returns, not in its `blockConcurrencyWhile`", "accepted",
		"in Go, the constructor is both",
		[]string{"alarm: the constructor of a class without a handler can"},
	},
	{
		"An earlier alarm set while a retry waits", "ignored; the retry runs at its own time", "replaces the retry",
		"workerd's is a fault of its local scheduler; the documentation promises what we do",
		[]string{"retry: replaced by an earlier alarm while it waits"},
	},
	{
		"Where `WaitUntil` begins", "at once, because its promise already runs", "when the handler gives up its turn",
		"it takes a function, not a promise that already runs",
		[]string{"turns: waitUntil begins"},
	},
	{
		"`Sleep`, a request to an object or to the outside, after the client has hung up", "finishes",
		"fails, but not in a block, a transaction, a constructor or `WaitUntil`, nor with `context.WithoutCancel(ctx)`",
		"the context of a request ends with its client, as net/http promises, so that a handler can stop what nobody " +
			"waits for",
		[]string{"hang-up: a sleep", "hang-up: a call", "hang-up: the worker's own handler"},
	},
	{
		"An event whose client hangs up before its first turn", "runs", "does not run",
		"nobody waits for it, and it has done nothing yet",
		[]string{"hang-up: an event that waits for its turn"},
	},
	{
		"Jurisdictions", "refused: not implemented there", "recorded in the id",
		"production has them; what they mean for storage does not show on one machine",
		[]string{"id: of a jurisdiction"},
	},
	{
		"An unknown location hint", "accepted, as any text is", "refused",
		"a hint is only ever checked here before it is deployed, and a misspelt one would go unnoticed",
		[]string{"id: with an unknown location hint"},
	},
	{
		"A stub for the id of another class", "accepted; it leads to an object of this class", "refused",
		"as documented, an id belongs to its class",
		[]string{"id: of another class"},
	},
	{
		"A cursor over a write to its table", "shows it", "may show the rows as they were before", readAhead,
		[]string{
			"cursor: does not see a delete of rows read ahead",
			"cursor: does not see an insert behind rows read ahead",
		},
	},
	{
		"A cursor over `DROP TABLE` or `DeleteAll`", "the former is refused, after the latter the cursor fails",
		"both are done, and the cursor gives the rows that it has read ahead", readAhead,
		[]string{"cursor: DROP TABLE under it", "cursor: over deleteAll"},
	},
	{
		"`INSERT … RETURNING` whose rows are not all read when the turn ends, or which is not the last statement",
		"the object fails when it commits, and loses the write", "the rows are kept, and the write is committed",
		"workerd's is a fault: the statement is still running when it commits",
		[]string{"cursor: rows of a write over its commit", "cursor: rows of a write that is not the last statement"},
	},
	{
		"A cursor over the rollback of a transaction that changed the schema, or stored the object's first key",
		"fails, because the rollback ends all statements", "gives the rows that it has read ahead", readAhead,
		[]string{
			"system: a cursor over the rollback of the first key", "system: a cursor over the rollback of a new table",
		},
	},
	{
		"`DROP TABLE` or `DROP INDEX` after a `SELECT` or a pragma in the same `Exec`", "refused as locked", "done",
		"there, the rows that nobody can read keep the statement open; here it has run to its end",
		[]string{
			"system: DROP TABLE after a SELECT that is not the last statement",
			"system: DROP INDEX after a SELECT that is not the last statement",
			"system: DROP TABLE after a pragma that is not the last statement",
		},
	},
	{
		"The tables `_cf_KV` and `_cf_METADATA` in `sqlite_schema` and `PRAGMA table_list`",
		"from the first key and the first alarm on", "from the start",
		"a new object's file is a copy, which takes less time than to create them; skip names that begin with `_cf_`",
		[]string{"system: the platform's tables in a new object"},
	},
	{
		"A class without SQLite: keys of more than 2048 bytes, values of more than 128 KiB, more than 128 keys in " +
			"one call",
		"accepted on a local disk", "refused", production,
		[]string{"plain: large values", "plain: long keys", "plain: 129 keys"},
	},
	{
		"The text of the error of SQL in a class without SQLite", "names workerd's own configuration, too",
		"names the migration alone", "devtool has no such configuration",
		[]string{"plain: SQL"},
	},
	{
		"`RowsRead`", "every row that the database examined", "the rows that came out, and one ahead: a lower bound",
		counting,
		[]string{
			"cursor: rows read of none", "cursor: rows read of a count", "cursor: rows read but filtered out",
			"cursor: rows written by a delete", "cursor: rows written by an update",
		},
	},
	{
		"A bool as an argument of SQL", "the text `true` or `false`", "the number 1 or 0",
		"SQLite has no type for it; its own TRUE is 1, and Go programs expect `WHERE active` to work",
		[]string{"sql: true as an argument", "sql: false as an argument"},
	},
	{
		"Arguments of an SQL function", "127", "32", production,
		[]string{"limit: 33 arguments of a function"},
	},
	{
		"Who learns first that an object was reset by an abort", "the caller of the handler that aborts, " +
			"if this handler has waited for nothing before; then the others in the order of their arrival",
		"all in the order of their arrival", "the rule is simpler, and no program should build on either",
		[]string{"order: callers of an object of which an event aborts that has not waited"},
	},
	{
		"A request and an answer of an object, while other events wait for its turn",
		"leave after those have given the turn up, or not at all if one of them resets the object before",
		"leave at once", "what has left is committed on both sides; a caller that learns of a failure would do " +
			"again what is done",
		[]string{
			"order: a request while an event waits that blocks", "order: an answer while an event waits that blocks",
			"order: an answer while an event waits that aborts",
			"order: an answer while an event waits whose block throws",
		},
	},
	{
		"Sleeps of several events that end while another one's block has the turn",
		"queue up for the turn one by one, each when the one before has had it", "queue up as they end",
		"the rule is simpler; the sleeps end in the same order",
		[]string{"order: two sleeps that end in a block, and a sync after the block"},
	},
	{
		"`DELETE` and `UPDATE` with `ORDER BY` or `LIMIT`", "accepted", "a syntax error",
		"the engine's parser is built without them; select the rows instead: " +
			"`DELETE FROM t WHERE rowid IN (SELECT rowid FROM t ORDER BY a LIMIT 1)`",
		[]string{"build: DELETE with LIMIT", "build: UPDATE with LIMIT"},
	},
	{
		"An index for `LIKE` or `GLOB` whose pattern begins with text", "used", "not used: every row is read",
		"the engine is built so that its search in an index misses BLOBs; to find the same rows is worth more",
		[]string{"build: an index for a pattern that begins with text"},
	},
	{
		"A width or precision of more than 100,000 in `printf`", "cut to 100,000", "kept",
		"the engine is built without this limit; no sensible format meets it",
		[]string{"build: a width of more than 100,000"},
	},
	{
		"The last digit of `sin`, `cos`, `atan2` and the like", "as the C library computes it",
		"may differ by 1 in the 16th digit", "SQLite leaves these functions to the library that it is built with",
		[]string{"build: the last digit of a sine"},
	},
	{
		"Size of a string, blob or row in SQL", "8 MiB", "2 MiB", production,
		[]string{
			"limit: more than 2 MiB as an argument", "limit: more than 2 MiB as a result",
			"limit: more than 2 MiB in a row",
		},
	},
	{
		"`DatabaseSize` when the last key was deleted", "counts the empty table of keys", "does not",
		"the table is there from the start; it counts while it holds something",
		[]string{"size: of a key that was deleted"},
	},
	{
		"The error of a violated deferred constraint", "has `remote`, although the object was reset", "has `Reset`",
		"a caller must know that the object lost its memory",
		[]string{
			"survives: nothing of a violated constraint",
			"survives: nothing of a constraint that is violated at sync",
		},
	},
}
