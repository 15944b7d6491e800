package conformance

// The operations with SQL and transactions, and the facts that they state.

// sql runs SQL and states all rows of its last statement, or that it is done if that has no columns. Names of columns
// are what sqlOpen states.
func sql(query string, args ...any) Op { return Op{Name: "sql", Query: query, Args: args} }

// sqlOpen runs SQL, keeps the cursor under a name for the operations after it, and states the columns.
func sqlOpen(cursor, query string, args ...any) Op {
	return Op{Name: "sqlOpen", Key: cursor, Query: query, Args: args}
}

func sqlNext(cursor string) Op   { return Op{Name: "sqlNext", Key: cursor} }
func sqlRest(cursor string) Op   { return Op{Name: "sqlRest", Key: cursor} }
func sqlOne(cursor string) Op    { return Op{Name: "sqlOne", Key: cursor} }
func sqlCounts(cursor string) Op { return Op{Name: "sqlCounts", Key: cursor} }
func sqlSize() Op                { return Op{Name: "sqlSize"} }

// transaction runs a program in a transaction. Its operations are part of it as they are; those that use the
// transaction itself name it (see Op.in).
func transaction(name string, program ...Op) Op {
	return Op{Name: "transaction", Key: name, Do: program}
}

func rollback(transaction string) Op { return Op{Name: "rollback", In: transaction} }

// gives is sql that states these rows.
func (o Op) gives(rows ...[]any) Op { return o.is(append([][]any{}, rows...)) }

// says is sql that fails with a text.
func (o Op) says(message string) Op { return o.is(sqlError(message)) }

func row(values ...any) []any     { return append([]any{}, values...) }
func sqlError(message string) any { return object{"error": "sql", "message": message} }

// The value that SQL has and JSON lacks.
func number(text string) any { return object{"$number": text} }

// The texts that many statements fail with.
const (
	notAuthorized  = "not authorized: SQLITE_AUTH"
	noStatement    = "SQL code did not contain a statement."
	wrongArguments = "Wrong number of parameter bindings for SQL query."
)

// code is SQLite's code of an error of the user's SQL, after its text.
const code = ": SQLITE_ERROR"

// constraint is the end of an error's text that names the constraint which was violated.
func constraint(kind string) string {
	return ": SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_" + kind + ")"
}
