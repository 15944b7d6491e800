// Package conformance compares this project with the platform's own runtime, workerd, operation by
// operation.
//
// A [Case] is data: programs of operations for objects, each operation with the fact that it must
// state. Two handler programs run the operations and answer with facts in JSON:
// testdata/handlers/conformance, written in Go and run by devtool, and twin.js, run by workerd.
// [Run] starts both, sends both the same, and reports each fact that is not the expected one.
//
// Random programs follow the cases (random_programs.go). They have no expected facts; the two sides
// only have to agree. If they don't, the program is shrunk to the operations that matter.
//
// Where this project differs on purpose, the case says what each side must state, and [Differences]
// says why. docs/conformance.md has that list as a table.
//
// To cover a new operation, add it to the tables of both programs (operations in operations.go and
// in twin.js), give it a constructor in op.go and write cases. To include it in random programs,
// add it to the table in random.go.
//
// [RunConfigs] compares configurations with wrangler in the same way. Both read the files of
// testdata/config/wrangler, and mutants of them. It compares which files each rejects, which keys
// it does not know, and which values it reads. [ConfigDifferences] lists the chosen differences.
package conformance
