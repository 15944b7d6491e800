package store

import (
	"errors"
	"fmt"
	"strings"
)

// SQLError is an error of the user's SQL, or one that SQLite gave while it ran it. Its text is the platform's.
type SQLError struct {
	Message  string
	Code     string // such as "SQLITE_CONSTRAINT", or "" if the SQL did not get as far as the engine
	Extended string // such as "SQLITE_CONSTRAINT_UNIQUE"; the same as Code if there is nothing to add
	Offset   int    // bytes from the start of the statement to where it is wrong, or -1
	Before   int    // bytes of the SQL before the statement, where there is an Offset
}

// Error is the text that a handler sees on the platform.
func (e *SQLError) Error() string {
	text := e.Message
	if e.Offset >= 0 {
		text += fmt.Sprintf(" at offset %d", e.Offset)
	}
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Extended != e.Code {
		text += " (extended: " + e.Extended + ")"
	}
	return text
}

// Is makes errors.Is find the package's own errors.
func (e *SQLError) Is(target error) bool {
	switch e.Code {
	case "SQLITE_FULL":
		return target == ErrFull
	case "SQLITE_CORRUPT", "SQLITE_NOTADB":
		return target == ErrCorrupt
	}
	return false
}

// refusal is an SQLError from before the engine.
func refusal(message string) *SQLError { return &SQLError{Message: message, Offset: -1} }

// engineError is an SQLError in the engine's words, where the engine itself did not say them.
func engineError(message, code string) *SQLError {
	return &SQLError{Message: message, Code: code, Extended: code, Offset: -1}
}

// Exec runs SQL, with the rights and within the limits of a Durable Object, and returns a cursor over the rows of its
// last statement. All statements before that run to their end, and if one fails, what those before it did stays done
// (until a Rollback). The last one has run up to its first row, or to its end if it writes; so it takes effect even if
// no row is read. A statement that writes begins the implicit transaction, as Put does.
//
// Only the last statement may have parameters, as many as there are arguments. An argument is nil, string, []byte,
// float64 (SQL sees a REAL, as it does with the platform's numbers), or int64 (an INTEGER, which the platform has no
// way to pass).
//
// Errors are *SQLError, with the platform's texts, as far as they are about the SQL.
func (o *Object) Exec(query string, args []any) (*Cursor, error) {
	if err := o.usable(); err != nil {
		return nil, fmt.Errorf("run SQL: %w", err)
	}
	o.ran = true
	values, err := arguments(args)
	if err != nil {
		return nil, fmt.Errorf("run SQL: %w", err)
	}
	if len(query) > maxStatement {
		return nil, engineError("statement too long", "SQLITE_TOOBIG")
	}
	if s := o.statements.take(query); s != nil {
		return o.run(s, values)
	}
	all := len(query)
	for whole := true; ; whole = false {
		s, tail, err := o.prepare(query)
		if err != nil {
			if wrong := (*SQLError)(nil); errors.As(err, &wrong) {
				wrong.Before = all - len(query)
			}
			return nil, err
		}
		tail = strings.TrimLeft(tail, " \t\n\v\f\r")
		if tail == "" {
			// A pragma does part of its work while it is prepared, and the schema seldom changes in the same way twice.
			if whole && !s.effects.pragma && !s.effects.defines {
				s.text = query
			}
			return o.run(s, values)
		}
		if s.parameters() > 0 {
			s.finalize()
			return nil, refusal("When executing multiple SQL statements in a single call, only the last statement can have parameters.")
		}
		if err := o.runThrough(s); err != nil {
			return nil, err
		}
		query = tail
	}
}

// DatabaseSize returns how many bytes the object's data takes in its file, without what is free. As on the platform,
// where they come with the first use, the tables of keys and of the alarm do not count while they are empty: a new
// object has 4096.
func (o *Object) DatabaseSize() (size int64, err error) {
	if err := o.usable(); err != nil {
		return 0, fmt.Errorf("measure database: %w", err)
	}
	err = o.db.each(`SELECT (page_count - freelist_count
		- (NOT EXISTS (SELECT 1 FROM _cf_KV))
		- (NOT EXISTS (SELECT 1 FROM _cf_METADATA WHERE key = ?1 AND value IS NOT NULL))) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
		func(r row) bool { size = r.integer(0); return false }, integer(alarmKey))
	if err != nil {
		return 0, fmt.Errorf("measure database: %w", err)
	}
	return size, nil
}

func arguments(args []any) ([]value, error) {
	values := make([]value, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case nil:
		case int64:
			values[i] = integer(arg)
		case float64:
			values[i] = real64(arg)
		case string:
			values[i] = text(arg)
		case []byte:
			values[i] = blob(arg)
		default:
			return nil, fmt.Errorf("argument %d is a %T: pass nil, int64, float64, string or []byte", i+1, arg)
		}
	}
	return values, nil
}

// prepare prepares the first statement of some SQL and returns what follows it.
func (o *Object) prepare(query string) (s *prepared, tail string, err error) {
	if blank(query) {
		return nil, "", refusal("SQL code did not contain a statement.")
	}
	for again := false; ; again = true {
		o.rule.seen = effects{}
		s = new(prepared)
		o.enter()
		s.statement, tail, err = o.db.prepare(query)
		o.leave()
		s.effects = o.rule.seen
		o.configured = o.configured || s.effects.configures
		if err != nil {
			return nil, "", explainRefusal(err, s.effects)
		}
		if explains(query) {
			s.effects = effects{reads: true}
		}
		guarded, err := o.inspect(s)
		if err == nil && guarded == "" {
			return s, tail, nil
		}
		s.finalize()
		if err != nil {
			return nil, "", err
		}
		// A virtual table that is used for the first time prepares writes to its own tables along with the statement.
		// The second time it does not, so then they are the user's.
		if again {
			verb := "modified"
			if s.effects.defines {
				verb = "dropped"
			}
			return nil, "", engineError(fmt.Sprintf("table %s may not be %s", guarded, verb), "SQLITE_ERROR")
		}
	}
}

// inspect looks up what the engine does not tell of the tables that a statement changes: how many indexes there are to
// maintain, and which of them, if any, is one that a virtual table keeps its data in.
func (o *Object) inspect(s *prepared) (guarded string, err error) {
	for _, table := range s.effects.changes {
		err := o.db.each("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow' AND name = ?1 COLLATE NOCASE",
			func(r row) bool { guarded = r.text(0); return false }, text(table))
		if err != nil || guarded != "" {
			return guarded, err
		}
	}
	if s.effects.inserts == "" {
		return "", nil
	}
	return "", o.db.each("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 COLLATE NOCASE",
		func(r row) bool { s.indexes = r.integer(0); return false }, text(s.effects.inserts))
}

// run binds the arguments to a statement and starts it.
func (o *Object) run(s *prepared, args []value) (*Cursor, error) {
	c := &Cursor{object: o, running: s}
	if s.parameters() != len(args) {
		c.release()
		return nil, refusal("Wrong number of parameter bindings for SQL query.")
	}
	if s.effects.changesFile() {
		if err := o.begin(); err != nil {
			c.release()
			return nil, fmt.Errorf("run SQL: %w", err)
		}
	}
	if err := o.bind(s, args); err != nil {
		c.release()
		return nil, fmt.Errorf("run SQL: %w", err)
	}
	start := c.start
	if s.effects.alters {
		start = func() error { return o.keepNames(c.start) }
	}
	if err := start(); err != nil {
		c.Close()
		return nil, err
	}
	if s.effects.defines {
		o.statements.clear() // what they know of indexes may be out of date
	}
	return c, nil
}

func (o *Object) bind(s *prepared, args []value) error {
	o.enter() // the length of an argument is one of the user's limits
	defer o.leave()
	for i, arg := range args {
		if err := s.bind(i+1, arg); err != nil {
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// runThrough runs a statement whose rows do not matter.
func (o *Object) runThrough(s *prepared) error {
	c, err := o.run(s, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for more := true; more; {
		if _, more, err = c.Next(); err != nil {
			return err
		}
	}
	return nil
}

// step steps a statement of the user.
func (o *Object) step(s *prepared) (more bool, err error) {
	o.enter()
	more, err = s.step()
	o.leave()
	if err != nil && o.dirty {
		err = o.check(err)
	}
	if err != nil {
		return false, explainRefusal(err, o.rule.seen)
	}
	return more, nil
}

// enter makes what the engine does the user's doing, with the user's rights and limits, until leave.
func (o *Object) enter() {
	o.db.rule = &o.rule
	o.db.limitLength(o.limits.Length)
}

func (o *Object) leave() {
	o.db.rule = nil
	o.db.limitLength(maxLength)
}

// keepNames runs an ALTER TABLE, of which the engine does not tell the new name, and takes it back if that is reserved.
func (o *Object) keepNames(alter func() error) error {
	before, err := o.reservedNames()
	if err != nil {
		return err
	}
	return o.whole(func() error {
		if err := alter(); err != nil {
			return err
		}
		after, err := o.reservedNames()
		if err == nil && after > before {
			err = engineError("not authorized", "SQLITE_AUTH")
		}
		return err
	})
}

func (o *Object) reservedNames() (n int64, err error) {
	err = o.db.each("SELECT count(*) FROM sqlite_schema WHERE lower(substr(name, 1, 4)) = '_cf_'",
		func(r row) bool { n = r.integer(0); return false })
	return n, err
}

// OpenCursors returns how many cursors have not handed out all their rows.
func (o *Object) OpenCursors() int { return len(o.cursors) }

// endCursors makes all cursors fail that have not handed out all their rows, and drops the statements.
func (o *Object) endCursors(err error) {
	for c := range o.cursors {
		c.end(err)
	}
	o.statements.clear()
}

// transactionRefusal is the platform's text for BEGIN and its like.
const transactionRefusal = "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs " +
	"instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically " +
	"roll back on exceptions, and because it interacts correctly with Durable Objects' automatic atomic write coalescing."

// explainRefusal replaces the engine's words where the platform has others: better ones, or those of an engine that lacks
// what was refused.
func explainRefusal(err error, seen effects) error {
	var e *SQLError
	if !errors.As(err, &e) {
		return err
	}
	if seen.transaction && e.Code == "SQLITE_AUTH" {
		return refusal(transactionRefusal)
	}
	if column, ok := strings.CutPrefix(e.Message, "access to "); ok {
		if table, _, _ := strings.Cut(column, "."); hiddenTables[strings.ToLower(table)] {
			return engineError("no such table: "+table, "SQLITE_ERROR")
		}
	}
	if function, ok := strings.CutPrefix(e.Message, "not authorized to use function: "); ok {
		explained := *e
		switch name := strings.ToLower(function); {
		case hiddenFunctions[name]:
			explained.Message = "no such function: " + function
		case name == "load_extension": // workerd's fails when it is called
			explained.Message, explained.Offset = "not authorized", -1
		}
		return &explained
	}
	return err
}

// explains reports whether a statement only tells how it would run.
func explains(query string) bool {
	const explain = "EXPLAIN"
	query = skipBlanks(query)
	return len(query) >= len(explain) && strings.EqualFold(query[:len(explain)], explain)
}

// blank reports whether there is no statement before the first semicolon or, where the engine stops too, NUL byte.
func blank(query string) bool {
	query = skipBlanks(query)
	return query == "" || query[0] == ';' || query[0] == 0
}

// skipBlanks cuts off what SQLite skips before a statement. What begins like a comment and is none stays.
func skipBlanks(query string) string {
	for {
		query = strings.TrimLeft(query, " \t\n\f\r")
		var end string
		switch {
		case strings.HasPrefix(query, "\ufeff"):
			query = query[len("\ufeff"):]
			continue
		case strings.HasPrefix(query, "--"):
			end = "\n"
		case strings.HasPrefix(query, "/*"):
			end = "*/"
		default:
			return query
		}
		body := query[2:]
		if nul := strings.IndexByte(body, 0); nul >= 0 {
			if at := strings.Index(body, end); at < 0 || at > nul {
				return ""
			}
		}
		_, after, found := strings.Cut(body, end)
		if !found {
			return ""
		}
		query = after
	}
}
