package config

import _ "embed"

//go:embed schema.json
var schemaJSON string

// Schema returns a JSON Schema (draft 7) of the files that Load takes without a diagnostic. It is for editors: what only
// makes sense across keys or members, Load alone checks.
//
// The file schema.json is made from the tables that Load reads, by `go test ./config -run Schema -update`
// (schema_make_internal_test.go); a test fails while it is behind them.
func Schema() []byte { return []byte(schemaJSON) }
