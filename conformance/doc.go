// Package conformance compares this project with the platform's own runtime, workerd, operation by operation.
//
// A [Case] is data: programs of operations that are sent to objects, each operation with the fact that it must state.
// Two handler programs carry the operations out and answer with facts in JSON: testdata/handlers/conformance, written
// in Go and run by devtool, and twin.js, run by workerd. [Run] starts both, sends both the same, and reports where a
// fact is not the expected one. After the cases come random sequences of operations, for which nobody has written down
// what to expect: there the two sides have to agree, and a sequence on which they don't is shrunk to the operations
// that it takes.
//
// Where this project differs on purpose, the case says what each side must do, and [Differences] says why; the table
// in docs/conformance.md is that list.
//
// To cover a new operation, add it to the tables of both programs (operations in operations.go and in twin.js), give it
// a constructor in op.go and write cases. To have it in random sequences, add it to the table in random.go.
//
// [RunConfigs] does the same for configurations, with wrangler: it has both read the files of testdata/config/wrangler,
// and mutants of them, and compares what each refuses, does not know and takes them to mean. [ConfigDifferences] are those
// that were chosen.
package conformance
