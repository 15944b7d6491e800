package conformance

// This file has the operations with SQL and transactions, and their facts.

// sql runs SQL. It states all rows of the last statement, or "ok" if that has no columns. sqlOpen
// states the names of columns.
func sql(query string, args ...any) Op { return Op{Name: "sql", Query: query, Args: args} }

// sqlOpen runs SQL, keeps the cursor under a name for later operations, and states the columns.
func sqlOpen(cursor, query string, args ...any) Op {
	return Op{Name: "sqlOpen", Key: cursor, Query: query, Args: args}
}

func sqlNext(cursor string) Op   { return Op{Name: "sqlNext", Key: cursor} }
func sqlRest(cursor string) Op   { return Op{Name: "sqlRest", Key: cursor} }
func sqlOne(cursor string) Op    { return Op{Name: "sqlOne", Key: cursor} }
func sqlCounts(cursor string) Op { return Op{Name: "sqlCounts", Key: cursor} }
func sqlSize() Op                { return Op{Name: "sqlSize"} }

// transaction runs a program in a transaction. All its operations belong to the
// transaction. An operation that uses the transaction object names it (see Op.in).
func transaction(name string, program ...Op) Op {
	return Op{Name: "transaction", Key: name, Do: program}
}

// rollback undoes the transaction that it stands in, and ends the transaction's program. It states
// nothing.
func rollback() Op { return Op{Name: "rollback"} }

// gives returns o, with SQL, with the rows that it must state.
func (o Op) gives(list ...[]any) Op { return o.is(rows(list...)) }

// says returns o, with SQL, with the text that it must fail with.
func (o Op) says(message string) Op { return o.is(sqlError(message)) }

func rows(list ...[]any) any      { return append([][]any{}, list...) }
func row(values ...any) []any     { return append([]any{}, values...) }
func sqlError(message string) any { return object{"error": "sql", "message": message} }

// number returns a number that SQL has and JSON lacks.
func number(text string) any { return object{"$number": text} }

// Error texts that many statements share.
const (
	notAuthorized  = "not authorized: SQLITE_AUTH"
	noStatement    = "SQL code did not contain a statement."
	wrongArguments = "Wrong number of parameter bindings for SQL query."
)

// code is SQLite's code for an error in the user's SQL, after the error's text.
const code = ": SQLITE_ERROR"

// constraint returns the end of an error's text that names the violated constraint.
func constraint(kind string) string {
	return ": SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_" + kind + ")"
}
