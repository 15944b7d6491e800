package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// constraints are what the check of a shape means in the words of JSON Schema, as far as it has such words: a schema
// may allow more than the check does, and never less. Patterns are in the syntax that all of JavaScript, Python and Go
// read.
var constraints = map[*shape]map[string]any{
	nonEmptyText: {"minLength": 1},
	workerName:   {"pattern": "^([a-z0-9_][a-z0-9_-]*)?$"},
	className:    {"pattern": "^[^\\x00-#%-@\\[-\\^`{-\\x7f][^\\x00-#%-/:-@\\[-\\^`{-\\x7f]*$"},
	mainPath:     {"not": map[string]any{"pattern": `\.(` + strings.Join(foreignExtensions(), "|") + ")$"}},
	date:         {"format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
	cronExpression: {"minLength": 1,
		"examples": []string{"*/30 * * * *", "0 9 * * MON-FRI"}},
	hostName:     {"pattern": `^([^\s/?#@:]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`},
	workflowName: {"pattern": "^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,63}$"},
	bucketName:   {"pattern": "^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$"},
	schedules:    {"minLength": 1, "minItems": 1},
	count:        {"type": "integer", "minimum": 1},
	wholeNumber:  {"type": "integer", "minimum": 0, "maximum": 4294967295},
	openPort:     {"type": "integer", "minimum": 1, "maximum": 65535},
	retention:    {"minLength": 1, "minimum": 1},
	workflows:    {}, // no words for names that are unique among objects
	sockets:      {},
	oneRoute:     {},
	listedRoute:  {"minLength": 1},
	targets:      {"minItems": 1},
	period:       {"enum": []int{10, 60}},
	delay:        {"minimum": 0, "maximum": 86400},
	port:         {"type": "integer", "minimum": 0, "maximum": 65535},
	share:        {"minimum": 0, "maximum": 1},
}

// meanings tell what the keys that devtool uses are for.
var meanings = map[string]string{
	"$schema":             "The schema of this file, for editors.",
	"env":                 "Environments by name. Each may have all keys but those that are only at the top level.",
	"name":                "The worker's name. Stored objects are found by it.",
	"main":                "The folder of the Go program that has the handlers, or a file in it, relative to this file.",
	"compatibility_date":  "The platform's behaviour is that of this day.",
	"compatibility_flags": "Single changes of the platform's behaviour, whatever the date.",
	"vars":                "Variables of the handlers: strings, or any JSON. Environments don't inherit them.",
	"durable_objects":     "The names under which handlers reach classes. Environments don't inherit them.",
	"migrations":          "Steps that introduce, rename and delete classes. Add to them, and never edit what has been deployed.",
	"exports":             "The classes that there are, in place of migrations.",
	"secrets":             "The variables that have to be set elsewhere, as in .dev.vars.",
	"route":               "The route of the worker. In development its host is the one that the worker sees.",
	"routes":              "The routes of the worker. In development the first one's host is the one that the worker sees.",
	"triggers":            "When the worker's Scheduled runs: cron expressions, in UTC.",
	"dev":                 "The local server. Flags of `devtool dev` go before it.",
}

// makeSchema returns the content that schema.json ought to have.
func makeSchema() []byte {
	top, environment, shared := map[string]any{}, map[string]any{}, map[string]any{}
	for _, k := range keys {
		switch {
		case k.refusal != "":
		case k.name == "env":
			top[k.name] = map[string]any{
				"type": "object", "additionalProperties": schemaRef("environment"), "description": meanings[k.name],
			}
		case k.scope == topOnly:
			top[k.name] = k.schema()
		default:
			shared[k.name] = k.schema()
			top[k.name], environment[k.name] = schemaRef(k.name), schemaRef(k.name)
		}
	}
	shared["environment"] = closedObject(environment)
	schema := closedObject(top)
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["title"] = "wrangler.json, wrangler.jsonc and wrangler.toml, as devtool reads them"
	schema["definitions"] = shared
	schema["allowComments"], schema["allowTrailingCommas"] = true, true // known to editors, unknown to the standard
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		panic(err) // the tables hold strings and numbers only
	}
	return text.Bytes()
}

func schemaRef(name string) map[string]any { return map[string]any{"$ref": "#/definitions/" + name} }

// closedObject is the schema of an object that has no other members.
func closedObject(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

func (k key) schema() map[string]any {
	schema := k.shape.schema()
	switch meaning := meanings[k.name]; {
	case meaning != "":
		schema["description"] = meaning
	case k.unused != "":
		schema["description"] = "No effect in devtool: it " + k.unused + "."
	case k.decode == nil && k.binds != nil:
		schema["description"] = "Bindings to what the platform calls " + k.binds.kind + ": accepted, and not emulated."
	}
	return schema
}

// kindNames are the kinds in the words of JSON Schema. It has no dates: those are TOML's.
var kindNames = []struct {
	kind kind
	name string
}{
	{kindObject, "object"}, {kindArray, "array"}, {kindString, "string"},
	{kindNumber, "number"}, {kindBool, "boolean"}, {kindNull, "null"},
}

func (s *shape) schema() map[string]any {
	schema := map[string]any{}
	var types []string
	for _, k := range kindNames {
		if s.kinds&k.kind != 0 {
			types = append(types, k.name)
		}
	}
	switch len(types) {
	case len(kindNames): // anything
	case 1:
		schema["type"] = types[0]
	default:
		schema["type"] = types
	}
	switch {
	case s.fields != nil:
		properties := map[string]any{}
		var required []string
		for _, f := range s.fields {
			properties[f.name] = f.shape.schema()
			if f.required {
				required = append(required, f.name)
			}
		}
		schema["properties"], schema["additionalProperties"] = properties, s.open
		if required != nil {
			schema["required"] = required
		}
	case s.elem != nil:
		if s.kinds&kindArray != 0 {
			schema["items"] = s.elem.schema()
		}
		if s.kinds&kindObject != 0 {
			schema["additionalProperties"] = s.elem.schema()
		}
	}
	if s.enum != nil {
		schema["enum"] = s.enum
	}
	if s.variants != nil {
		var variants []any
		for _, v := range s.variants {
			variants = append(variants, v.schema())
		}
		schema["anyOf"] = variants
	}
	maps.Copy(schema, constraints[s])
	return schema
}

// foreignExtensions are those of foreignMains without their dots, sorted.
func foreignExtensions() []string {
	var extensions []string
	for extension := range foreignMains {
		extensions = append(extensions, extension[1:])
	}
	slices.Sort(extensions)
	return extensions
}
