package config_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"devtool.internal/config"
)

// TestSchemaAndLoadAgree compares the schema with Load on files with one unusual member each.
func TestSchemaAndLoadAgree(t *testing.T) {
	for _, test := range []struct {
		member string
		good   bool
	}{
		{`"main": "."`, true},
		{`"main": "worker.go"`, true},
		{`"main": "index.ts"`, false},
		{`"main": 5`, false},
		{`"name": ""`, true},
		{`"name": "a-b_9"`, true},
		{`"name": "-a"`, false},
		{`"name": "A"`, false},
		{`"mian": "."`, false},
		{`"$schema": "./s.json"`, true},
		{`"vars": {"A": 1, "B": [null, {"c": true}], "D": "d"}`, true},
		{`"vars": ["A"]`, false},
		{`"dev": {"port": 8000, "ip": "*"}`, true},
		{`"dev": {"port": 65536}`, false},
		{`"dev": {"port": 80.5}`, false},
		{`"dev": {"port": "80"}`, false},
		{`"dev": {"prot": 80}`, false},
		{`"send_metrics": "no"`, false},
		{`"minify": true`, true},
		{`"compatibility_date": "2026-1-1"`, false},
		{`"compatibility_flags": ["nodejs_compat"]`, true},
		{`"compatibility_flags": "nodejs_compat"`, false},
		{`"durable_objects": {"bindings": []}`, true},
		{`"durable_objects": {"bindings": [{"name": "A", "class_name": "Émile_$", "script_name": "other"}]}`, true},
		{`"durable_objects": {"bindings": [{"name": "A", "class_name": "9", "script_name": "other"}]}`, false},
		{`"durable_objects": {"bindings": [{"name": "A", "class_name": "a/b", "script_name": "other"}]}`, false},
		{`"durable_objects": {"bindings": [{"name": "", "class_name": "A", "script_name": "other"}]}`, false},
		{`"durable_objects": {"bindings": [{"name": "A", "script_name": "other"}]}`, false},
		{`"durable_objects": {"bindings": {"name": "A"}}`, false},
		{`"migrations": [{"tag": "v1", "new_sqlite_classes": ["A"]}]`, true},
		{`"migrations": [{"new_sqlite_classes": ["A"]}]`, false},
		{`"migrations": [{"tag": "v1", "new_sqlite_classes": "A"}]`, false},
		{`"migrations": [{"tag": "v1", "transferred_classes": [{"from": "A", "from_script": "s", "to": "B"}]}]`, true},
		{`"migrations": [{"tag": "v1", "transferred_classes": [{"from": "A", "to": "B"}]}]`, false},
		{`"triggers": {"crons": ["0 9 * * MON"]}`, true},
		{`"triggers": {"crons": [""]}`, false},
		{`"triggers": {"crons": "0 9 * * MON"}`, false},
		{`"routes": ["example.com/*", {"pattern": "example.com/*", "zone_name": "example.com"}]`, true},
		{`"env": {"staging": {"main": "."}}`, true},
		{`"env": {"staging": {"main": 1}}`, false},
		{`"env": {"staging": {"env": {}}}`, false},
		{`"env": {"staging": {"dev": {}}}`, false},
		{`"env": {"staging": 5}`, false},
		{`"legacy_env": true`, false},
	} {
		file := `{"name": "w", "compatibility_date": "2026-10-01", ` + test.member + `}`
		for _, key := range []string{"name", "compatibility_date"} {
			if strings.HasPrefix(test.member, `"`+key+`"`) { // no key may occur twice
				file = regexp.MustCompile(`"`+key+`": "[^"]*", `).ReplaceAllString(file, "")
			}
		}
		if got := problemsOf(t, file); (len(got) == 0) != test.good {
			t.Errorf("%s: Load reports %q, want good: %v", test.member, got, test.good)
		}
		if got := schemaProblem(t, file); (got == "") != test.good {
			t.Errorf("%s: the schema says %q, want good: %v", test.member, got, test.good)
		}
	}
}

// problemsOf returns the ids of the diagnostics that Load reports, for the environment "staging" if
// there is one. It leaves out those about missing keys, which a schema does not require.
func problemsOf(t *testing.T, file string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wrangler.jsonc")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var o config.Options
	if strings.Contains(file, `"staging"`) {
		o.Env = "staging"
	}
	_, found, err := config.Load(path, o)
	var bad *config.Error
	if errors.As(err, &bad) {
		found = bad.Diagnostics
	} else if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range found {
		if d.ID != "missing-name" && d.ID != "missing-compatibility-date" {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

func schemaProblem(t *testing.T, file string) string {
	t.Helper()
	var value any
	v := validator{}
	if err := errors.Join(json.Unmarshal([]byte(file), &value), json.Unmarshal(config.Schema(), &v.root)); err != nil {
		t.Fatal(err)
	}
	return v.check("", value, v.root)
}

// validator checks as much of JSON Schema as the schema uses.
type validator struct{ root map[string]any }

// check returns the place where value, at path, does not match schema, or "".
func (v validator) check(path string, value any, schema map[string]any) string {
	if ref, ok := schema["$ref"].(string); ok {
		return v.check(path, value,
			v.root["definitions"].(map[string]any)[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any))
	}
	if !isOfType(value, schema["type"]) {
		return path + ": type"
	}
	if enum, ok := schema["enum"].([]any); ok {
		if text, isText := value.(string); isText && !slices.Contains(enum, any(text)) {
			return path + ": enum"
		}
	}
	if forbidden, ok := schema["not"].(map[string]any); ok && v.check(path, value, forbidden) == "" {
		return path + ": not"
	}
	if variants, ok := schema["anyOf"].([]any); ok {
		if !slices.ContainsFunc(variants, func(s any) bool { return v.check(path, value, s.(map[string]any)) == "" }) {
			return path + ": anyOf"
		}
	}
	switch value := value.(type) {
	case string:
		if pattern, ok := schema["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(value) {
			return path + ": pattern"
		}
		if low, ok := schema["minLength"].(float64); ok && len(value) < int(low) {
			return path + ": minLength"
		}
	case float64:
		low, hasLow := schema["minimum"].(float64)
		high, hasHigh := schema["maximum"].(float64)
		if hasLow && value < low || hasHigh && value > high {
			return path + ": range"
		}
	case []any:
		items, ok := schema["items"].(map[string]any)
		for _, e := range value {
			if ok {
				if wrong := v.check(path+"[]", e, items); wrong != "" {
					return wrong
				}
			}
		}
	case map[string]any:
		return v.checkMembers(path, value, schema)
	}
	return ""
}

func (v validator) checkMembers(path string, object, schema map[string]any) string {
	properties, _ := schema["properties"].(map[string]any)
	for name, value := range object {
		s, known := properties[name].(map[string]any)
		if !known {
			if schema["additionalProperties"] == false {
				return path + "." + name + ": additional"
			}
			s, known = schema["additionalProperties"].(map[string]any)
		}
		if known {
			if wrong := v.check(path+"."+name, value, s); wrong != "" {
				return wrong
			}
		}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := object[name.(string)]; !ok {
			return path + "." + name.(string) + ": required"
		}
	}
	return ""
}

func isOfType(value, types any) bool {
	if list, several := types.([]any); several {
		return slices.ContainsFunc(list, func(t any) bool { return isOfType(value, t) })
	}
	var is string
	switch value := value.(type) {
	case string:
		is = "string"
	case float64:
		if is = "number"; types == "integer" && value == float64(int(value)) {
			is = "integer"
		}
	case bool:
		is = "boolean"
	case nil:
		is = "null"
	case []any:
		is = "array"
	case map[string]any:
		is = "object"
	}
	return types == nil || types == is
}
