package config_test

import (
	"strings"
	"testing"
)

// Each row is one member and the ids of its diagnostics. `make conformance` compares more files
// with wrangler.
func TestUnusedValuesAreCheckedAsInWrangler(t *testing.T) {
	for _, test := range []struct{ member, want string }{
		{`"kv_namespaces": [{ "binding": "KV", "id": "" }]`, "empty"},
		{`"r2_buckets": [{ "binding": "B", "bucket_name": "my-bucket", "preview_bucket_name": "123" }]`, ""},
		{`"r2_buckets": [{ "binding": "B", "bucket_name": "My_Bucket" }]`, "invalid-name"},
		{`"r2_buckets": [{ "binding": "B", "bucket_name": "ab" }]`, "invalid-name"},
		{`"r2_buckets": [{ "binding": "B", "preview_bucket_name": "-abc" }]`, "invalid-name"},
		{`"r2_buckets": [{ "binding": "B", "local_dev": { "experimental_s3_credentials": { "accessKeyId": "a" } } }]`,
			"missing-field"},
		{`"queues": { "producers": [{ "binding": "Q", "queue": "" }] }`, "empty"},
		{`"analytics_engine_datasets": [{ "binding": "A", "dataset": "" }]`, "empty"},
		{`"mtls_certificates": [{ "binding": "C", "certificate_id": "" }]`, "empty"},
		{`"services": [{ "binding": "S", "service": "s", "dev": {} }]`, "missing-field"},
		{`"services": [{ "binding": "S", "service": "s", "dev": { "plugin": { "package": "p" } } }]`, "missing-field"},
		{`"dispatch_namespaces": [{ "binding": "D", "outbound": {} }]`, "missing-field"},
		{`"dispatch_namespaces": [{ "binding": "D", "outbound": { "service": "s", "parameters": "p" } }]`,
			"wrong-type"},
		{`"pipelines": [{ "binding": "P" }]`, "missing-field"},
		{`"pipelines": [{ "binding": "P", "stream": "", "pipeline": "p" }]`, ""},
		{`"vpc_networks": [{ "binding": "N" }]`, "missing-field"},
		{`"vpc_networks": [{ "binding": "N", "tunnel_id": "t", "network_id": "n" }]`, "exclusive-keys"},
		{`"unsafe": { "metadata": 1 }`, "wrong-type"},
		{`"unsafe": { "capnp": {} }`, "missing-field"},
		{`"unsafe": { "capnp": { "base_path": "p", "source_schemas": ["s"] } }`, ""},
		{`"unsafe": { "capnp": { "base_path": "p", "compiled_schema": "s" } }`, "exclusive-keys"},
		{`"unsafe": { "more": 1 }`, "unknown-key"},

		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "-w" }]`, "invalid-name"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "` + strings.Repeat("w", 64) + `" }]`, ""},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "` + strings.Repeat("w", 65) + `" }]`,
			"invalid-name"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "w", "limits": { "steps": 0 } }]`, "out-of-range"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "w", "concurrency": { "limit": 1.5 } }]`,
			"out-of-range"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "w", "schedules": [] }]`, "empty"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "w", "schedules": "" }]`, "empty"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "w", "schedules": [""] }]`, "empty"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "w", ` +
			`"default_retention": { "error_retention": 0 } }]`, "out-of-range"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "w", "jurisdiction": "moon" }]`, "unknown-value"},
		{`"workflows": [{ "binding": "W", "class_name": "W", "name": "w", "more": 1 }]`, "unknown-key"},
		{`"workflows": [{ "binding": "V", "class_name": "V", "name": "w" }, { "binding": "W", ` +
			`"class_name": "W", "name": "w" }]`, "duplicate"},
		{`"exports": { "W": { "type": "workflow", "name": "a b" } }`, "invalid-name"},
		{`"exports": { "W": { "type": "workflow", "name": "w", "more": 1 } }`, "unknown-key"},
		{`"triggers": { "events": [{ "type": "x", "targets": [] }] }`, "unknown-value empty"},
		{`"triggers": { "events": [{ "type": "cf.artifacts.repo.created", "targets": [{ "type": "workflow" }] }] }`,
			"missing-field"},
		{`"triggers": { "events": [{ "type": "cf.artifacts.repo.created", "filter": { "name": "x" },
			"targets": [{ "type": "workflow", "workflow_name": "w" }] }] }`, "forbidden-field"},

		{`"connect": [{ "protocol": "tcp", "port": 0 }]`, "invalid-port"},
		{`"connect": [{ "protocol": "udp", "port": 53, "idle_timeout_ms": -1 }]`, "out-of-range"},
		{`"connect": [{ "protocol": "tcp", "port": 53 }, { "protocol": "udp", "port": 53 }]`, ""},
		{`"connect": [{ "protocol": "tcp", "port": 53 }, { "protocol": "tcp", "port": 53 }]`, "duplicate"},
		{`"route": ""`, ""},
		{`"routes": [""]`, "empty"},
		{`"routes": [{ "pattern": "a.com/*" }]`, "missing-field"},
		{`"routes": [{ "pattern": "a.com/*", "zone": "a.com" }]`, "forbidden-field"},
		{`"routes": [{ "pattern": "a.com/*", "zone_id": "1", "zone_name": "a.com" }]`, "exclusive-keys"},
		{`"routes": [{ "pattern": "a.com", "enabled": true }]`, "missing-field"},
		{`"routes": [{ "pattern": "a.com", "custom_domain": true, "enabled": false }]`, ""},
		{`"placement": {}`, "missing-field"},
		{`"placement": { "hint": "wnam" }`, "missing-field"},
		{`"placement": { "mode": "off", "hint": "wnam" }`, "exclusive-keys"},
		{`"placement": { "mode": "smart", "region": "r" }`, "exclusive-keys"},
		{`"placement": { "mode": "smart", "hint": "wnam", "host": "h" }`, "exclusive-keys"},
		{`"placement": { "region": "r", "host": "h" }`, "exclusive-keys"},
		{`"placement": { "mode": "targeted" }`, "missing-field"},
		{`"placement": { "region": "" }`, "empty"},
		{`"placement": { "mode": "targeted", "region": "r" }`, ""},
		{`"main": ".", "site": { "bucket": "b", "entry-point": "x" }`, "exclusive-keys"},
		{`"dependencies_instrumentation": {}`, ""},
		{`"access": { "more": 1 }`, "unknown-key"},
		{`"durable_objects": {}`, ""},
	} {
		var got []string
		for _, problem := range ids(t, "wrangler.json", named(test.member), "") {
			id, _, _ := strings.Cut(problem, ":")
			got = append(got, id)
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.member, got, test.want)
		}
	}
}

func TestAnEnvironmentIsUnknownAlsoWhereTheListIsEmpty(t *testing.T) {
	for text, want := range map[string]string{
		named(`"env": {}`):          `unknown-env: there is no environment "e": the file has none`,
		named(`"env": { "f": {} }`): `unknown-env: there is no environment "e": the file has f`,
		named(`"workers_dev": true`): "unknown-env: the file has no env.e " +
			"and no other environment: the top level is used",
		named(`"env": { "e": {} }`): "",
	} {
		if got := strings.Join(ids(t, "wrangler.json", text, "e"), "; "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
