package config

import _ "embed"

//go:embed schema.json
var schemaJSON string

// Schema returns a JSON Schema (draft 7) of the files that Load accepts without a diagnostic. It
// serves editors. Only Load checks rules across keys or members.
//
// `go test ./config -run Schema -update` writes schema.json from the tables that Load reads
// (schema_make_internal_test.go). A test fails while the file is out of date.
func Schema() []byte { return []byte(schemaJSON) }
