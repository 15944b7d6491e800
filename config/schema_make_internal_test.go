package config

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// constraints express the check of a shape in JSON Schema, as far as that is possible. A schema may
// allow more than the check does, and never less. JavaScript, Python and Go must all understand the
// patterns.
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
	workflows:    {}, // a schema can't express names that are unique among objects
	sockets:      {},
	oneRoute:     {},
	listedRoute:  {"minLength": 1},
	targets:      {"minItems": 1},
	period:       {"enum": []int{10, 60}},
	delay:        {"minimum": 0, "maximum": 86400},
	port:         {"type": "integer", "minimum": 0, "maximum": 65535},
	fraction:     {"minimum": 0, "maximum": 1},
}

// meanings describe the keys that devtool uses.
var meanings = map[string]string{
	"$schema": "The schema of this file, for editors.",
	"env":     "Environments by name. Each may have every key that is not for the top level only.",
	"name":    "The worker's name. Objects are stored under it.",
	"main":    "The folder of the Go program with the handlers, or a file in it, relative to this file.",

	"compatibility_date":  "The platform behaves as it did on this day.",
	"compatibility_flags": "Single changes of the platform's behaviour, whatever the date.",
	"vars":                "Variables of the handlers: strings, or any JSON. Environments don't inherit them.",
	"durable_objects":     "The names under which handlers reach classes. Environments don't inherit them.",
	"migrations":          "Steps that create, rename and delete classes. Add steps, but never edit a deployed one.",
	"exports":             "The existing classes, as an alternative to migrations.",
	"secrets":             "Variables that must be set elsewhere, for example in .dev.vars.",
	"route":               "The worker's route. In development, the worker sees its host.",
	"routes":              "The worker's routes. In development, the worker sees the host of the first one.",
	"triggers":            "When the worker's Scheduled runs: cron expressions, in UTC.",
	"dev":                 "The local server. Flags of `devtool dev` take precedence.",
}

// makeSchema returns what schema.json should contain.
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

// closedObject returns the schema of an object that has no other members.
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
		schema["description"] = "Bindings of the platform's kind " + k.binds.kind + ": accepted, but not emulated."
	}
	return schema
}

// kindNames are the names of the kinds in JSON Schema. It has no dates, which only TOML has.
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
		var names []string
		for _, f := range s.fields {
			properties[f.name] = f.shape.schema()
			if f.required {
				names = append(names, f.name)
			}
		}
		schema["properties"], schema["additionalProperties"] = properties, s.open
		if names != nil {
			schema["required"] = names
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

// foreignExtensions returns the extensions of foreignMains without their dots, sorted.
func foreignExtensions() []string {
	var extensions []string
	for extension := range foreignMains {
		extensions = append(extensions, extension[1:])
	}
	slices.Sort(extensions)
	return extensions
}
