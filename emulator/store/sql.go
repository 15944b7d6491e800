package store

import (
	"errors"
	"fmt"
	"strings"
)

// SQLError is an error of the user's SQL, or an error of SQLite while it ran that SQL. Its text is
// the platform's.
type SQLError struct {
	Message  string
	Code     string // such as "SQLITE_CONSTRAINT", or "" if the SQL did not reach the engine
	Extended string // such as "SQLITE_CONSTRAINT_UNIQUE"; the same as Code if there is no other
	Offset   int    // bytes from the start of the statement to the error, or -1
	Before   int    // bytes of the SQL before the statement, if there is an Offset
	Bindings bool   // whether the number of arguments is not that of the parameters
}

// Error returns the text that a handler sees on the platform.
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

// Is lets errors.Is find ErrFull and ErrCorrupt.
func (e *SQLError) Is(target error) bool {
	switch e.Code {
	case "SQLITE_FULL":
		return target == ErrFull
	case "SQLITE_CORRUPT", "SQLITE_NOTADB":
		return target == ErrCorrupt
	}
	return false
}

// refusal returns an SQLError for SQL that did not reach the engine.
func refusal(message string) *SQLError { return &SQLError{Message: message, Offset: -1} }

// engineError returns an SQLError in the engine's format that the engine itself did not report.
func engineError(message, code string) *SQLError {
	return &SQLError{Message: message, Code: code, Extended: code, Offset: -1}
}

// Exec runs SQL with the permissions and limits of a Durable Object. It returns a cursor over the
// rows of the last statement. All statements before it run to their end. If one fails, the effects
// of the statements before it stay, until a Rollback.
//
// The last statement has run up to its first row, or to its end if it writes, so it takes effect
// even if no row is read. A statement that writes begins the implicit transaction, as Put does.
//
// Only the last statement may have parameters, as many as there are arguments. An argument is nil,
// string, []byte, float64 (SQL sees a REAL, as with the platform's numbers), or int64 (an INTEGER,
// which the platform can't pass).
//
// Errors about the SQL are *SQLError, with the platform's texts.
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
	total := len(query)
	for single := true; ; single = false {
		s, tail, err := o.prepare(query)
		if err != nil {
			if sqlErr := (*SQLError)(nil); errors.As(err, &sqlErr) {
				sqlErr.Before = total - len(query)
			}
			return nil, err
		}
		tail = strings.TrimLeft(tail, " \t\n\v\f\r")
		if tail == "" {
			// A pragma does part of its work while it is prepared, so it must be prepared each
			// time. The schema seldom changes in the same way twice.
			if single && !s.effects.pragma && !s.effects.defines {
				s.text = query
			}
			return o.run(s, values)
		}
		if s.parameters() > 0 {
			s.finalize()
			return nil, refusal("When executing multiple SQL statements in a single call, " +
				"only the last statement can have parameters.")
		}
		if err := o.runThrough(s); err != nil {
			return nil, err
		}
		query = tail
	}
}

// DatabaseSize returns the bytes that the object's data takes in its file, without free pages. The
// platform creates the tables of keys and of the alarm with their first use. So here they do not
// count while they are empty, and a new object has 4096 bytes.
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

// prepare prepares the first statement of query and returns the text after it.
func (o *Object) prepare(query string) (s *prepared, tail string, err error) {
	for retried := false; ; retried = true {
		o.rule.seen = effects{}
		s = new(prepared)
		o.enter()
		s.statement, tail, err = o.db.prepare(query)
		o.leave()
		s.effects = o.rule.seen
		if s.effects.configures {
			o.configured = true
			o.db.matchBlobs(false)
		}
		if err != nil {
			return nil, "", explainRefusal(err, s.effects)
		}
		if s.isExplain() {
			s.effects = effects{reads: true}
		}
		shadow, err := o.inspect(s)
		if err == nil && shadow == "" {
			return s, tail, nil
		}
		s.finalize()
		if err != nil {
			return nil, "", err
		}
		// At its first use, a virtual table prepares writes to its shadow tables along with the
		// statement. It does not at the second time, so such writes are then the user's.
		if retried {
			verb := "modified"
			if s.effects.defines {
				verb = "dropped"
			}
			return nil, "", engineError(fmt.Sprintf("table %s may not be %s", shadow, verb), "SQLITE_ERROR")
		}
	}
}

// inspect looks up facts about the tables that a statement changes, which the engine does not
// report. It counts the indexes to maintain, and returns the first shadow table (one that a virtual
// table keeps its data in), or "".
func (o *Object) inspect(s *prepared) (shadow string, err error) {
	for _, table := range s.effects.changes {
		err := o.db.each(`SELECT name FROM pragma_table_list
			WHERE schema = 'main' AND type = 'shadow' AND name = ?1 COLLATE NOCASE`,
			func(r row) bool { shadow = r.text(0); return false }, text(table))
		if err != nil || shadow != "" {
			return shadow, err
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
		e := refusal("Wrong number of parameter bindings for SQL query.")
		e.Bindings = true
		return nil, e
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
		start = func() error { return o.protectNames(c.start) }
	}
	if s.effects.defines || s.effects.pragma {
		run := start
		start = func() error { return o.noteDefinitions(run) }
	}
	if err := start(); err != nil {
		c.Close()
		return nil, err
	}
	if s.effects.defines {
		o.statements.clear() // their counts of indexes may be out of date
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

// runThrough runs a statement and ignores its rows.
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

// enter applies the user's permissions and limits to everything that the engine does until leave.
func (o *Object) enter() {
	o.db.rule = &o.rule
	o.db.limitLength(o.limits.Length)
}

func (o *Object) leave() {
	o.db.rule = nil
	o.db.limitLength(maxLength)
}

// protectNames runs an ALTER TABLE, and undoes it if the new name is reserved. The engine does not
// report the new name beforehand.
func (o *Object) protectNames(alter func() error) error {
	before, err := o.reservedNames()
	if err != nil {
		return err
	}
	return o.atomically(func() error {
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

// noteDefinitions runs a statement that may change the schema or, as a pragma may, run another that
// does. It notes whether the statement has changed anything that is not counted with the rows.
func (o *Object) noteDefinitions(run func() error) error {
	before, err := o.schemaVersion()
	if err != nil {
		return err
	}
	if err := run(); err != nil {
		return err
	}
	after, err := o.schemaVersion()
	o.changed = o.changed || before != after || o.rule.seen.maintains
	return err
}

// schemaVersion returns a number that each change of the schema in the transaction changes.
func (o *Object) schemaVersion() (version int64, err error) {
	err = o.db.each("PRAGMA schema_version", func(r row) bool { version = r.integer(0); return false })
	return version, err
}

func (o *Object) reservedNames() (n int64, err error) {
	err = o.db.each("SELECT count(*) FROM sqlite_schema WHERE lower(substr(name, 1, 4)) = '_cf_'",
		func(r row) bool { n = r.integer(0); return false })
	return n, err
}

// OpenCursors returns how many cursors have rows left.
func (o *Object) OpenCursors() int { return len(o.cursors) }

// endCursors makes all cursors with rows left fail with err, and drops the cached statements.
func (o *Object) endCursors(err error) {
	for c := range o.cursors {
		c.end(err)
	}
	o.statements.clear()
}

// transactionRefusal is the platform's text for BEGIN and similar statements.
const transactionRefusal = "To execute a transaction, please use the state.storage.transaction() or " +
	"state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. " +
	"The JavaScript API is safer because it will automatically roll back on exceptions, and because it " +
	"interacts correctly with Durable Objects' automatic atomic write coalescing."

// explainRefusal replaces the engine's text where the platform has another one: a better one, or
// that of an engine without the refused table or function.
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
	if function, ok := strings.CutPrefix(e.Message, "wrong number of arguments to function "); ok {
		if function = strings.TrimSuffix(function, "()"); hiddenFunctions[strings.ToLower(function)] {
			explained := *e
			explained.Message = "no such function: " + function
			return &explained
		}
	}
	if function, ok := strings.CutPrefix(e.Message, "not authorized to use function: "); ok {
		explained := *e
		switch name := strings.ToLower(function); {
		case hiddenFunctions[name]:
			explained.Message = "no such function: " + function
		case name == "load_extension": // in workerd it exists, and fails when called
			explained.Message, explained.Offset = "not authorized", -1
		}
		return &explained
	}
	return err
}
