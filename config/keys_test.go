package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
)

// The scopes of keys, by how an environment inherits them.
const (
	topOnly        = "top-level only"
	inheritable    = "inheritable"
	perEnvironment = "not inheritable"
)

// wranglersKeys lists all keys that wrangler 4.164 documents, with a value that has every
// documented field.
var wranglersKeys = []struct{ name, scope, value string }{
	{"$schema", topOnly, `"node_modules/wrangler/config-schema.json"`},
	{"dev", topOnly, `{ "ip": "localhost", "port": 8787, "inspector_port": 9229, "inspector_ip": "127.0.0.1",
		"local_protocol": "http", "upstream_protocol": "https", "host": "example.com", "enable_containers": true,
		"container_engine": { "localDocker": { "socketPath": "/run/docker.sock" } }, "generate_types": false }`},
	{"send_metrics", topOnly, `false`},
	{"dependencies_instrumentation", topOnly, `{ "enabled": true, "exclude_packages": ["a"] }`},
	{"site", topOnly, `{ "bucket": "public", "entry-point": "site", "include": ["*"], "exclude": ["x"] }`},
	{"wasm_modules", topOnly, `{ "MODULE": "m.wasm" }`},
	{"text_blobs", topOnly, `{ "TEXT": "t.txt" }`},
	{"data_blobs", topOnly, `{ "DATA": "d.bin" }`},
	{"alias", topOnly, `{ "foo": "./bar" }`},
	{"keep_vars", topOnly, `true`},
	{"addresses", topOnly, `["me@example.com"]`},

	{"main", inheritable, `"."`},
	{"compatibility_flags", inheritable, `["nodejs_compat", "nodejs_compat_v2", "global_navigator"]`},
	{"migrations", inheritable, `[{ "tag": "v1", "new_classes": ["A"], "new_sqlite_classes": ["B"] },
		{ "tag": "v2", "renamed_classes": [{ "from": "A", "to": "C" }], "deleted_classes": ["B"],
		  "transferred_classes": [{ "from": "X", "from_script": "other", "to": "Y" }] }]`},
	{"exports", inheritable, `{ "A": { "type": "durable-object", "storage": "sqlite", "container": "c" },
		"A2": { "type": "durable-object", "state": "created", "storage": "legacy-kv" },
		"B": { "type": "durable-object", "state": "deleted" },
		"C": { "type": "durable-object", "state": "renamed", "renamed_to": "A" },
		"D": { "type": "durable-object", "state": "transferred", "transferred_to": "other" },
		"E": { "type": "durable-object", "state": "expecting-transfer", "storage": "sqlite", "transfer_from": "other" },
		"default": { "type": "worker", "cache": { "enabled": true } },
		"F": { "type": "workflow", "name": "flow", "limits": { "steps": 10 }, "schedules": "0 * * * *",
			"jurisdiction": "eu" } }`},
	{"triggers", inheritable, `{ "crons": ["*/5 * * * *"], "events": [{ "type": "cf.artifacts.repo.pushed",
		"targets": [{ "type": "workflow", "workflow_name": "flow" }] }] }`},
	{"build", inheritable, `{ "command": "make", "cwd": ".", "watch_dir": ["src", "lib"] }`},
	{"limits", inheritable, `{ "cpu_ms": 50, "subrequests": 100 }`},
	{"observability", inheritable, `{ "enabled": true, "head_sampling_rate": 0.5, "redact_query_string": true,
		"issues": { "enabled": true },
		"logs": { "enabled": true, "head_sampling_rate": 1, "invocation_logs": true, "persist": true,
			"destinations": ["d"] },
		"traces": { "enabled": true, "head_sampling_rate": 0, "persist": true, "destinations": ["d"] } }`},
	{"assets", inheritable, `{ "directory": "public", "binding": "ASSETS", "html_handling": "auto-trailing-slash",
		"not_found_handling": "404-page", "run_worker_first": ["/api/*"] }`},
	{"rules", inheritable, `[{ "type": "Text", "globs": ["**/*.md"], "fallthrough": true }]`},
	{"route", inheritable,
		`{ "pattern": "example.com", "custom_domain": true, "enabled": true, "previews_enabled": true }`},
	{"routes", inheritable,
		`["example.com/*", { "pattern": "a.com/*", "zone_id": "z" }, { "pattern": "b.com/*", "zone_name": "b.com" }]`},
	{"workers_dev", inheritable, `true`},
	{"preview_urls", inheritable, `true`},
	{"account_id", inheritable, `"abc"`},
	{"tsconfig", inheritable, `"tsconfig.json"`},
	{"jsx_factory", inheritable, `"h"`},
	{"jsx_fragment", inheritable, `"Fragment"`},
	{"no_bundle", inheritable, `true`},
	{"minify", inheritable, `true`},
	{"keep_names", inheritable, `true`},
	{"find_additional_modules", inheritable, `true`},
	{"preserve_file_names", inheritable, `true`},
	{"base_dir", inheritable, `"src"`},
	{"upload_source_maps", inheritable, `true`},
	{"python_modules", inheritable, `{ "exclude": ["**/*.pyc"] }`},
	{"placement", inheritable, `{ "mode": "smart", "hint": "wnam" }`},
	{"logpush", inheritable, `true`},
	{"logfwdr", inheritable, `{ "bindings": [{ "name": "LOG", "destination": "there" }] }`},
	{"first_party_worker", inheritable, `true`},
	{"access", inheritable, `{ "dev": { "aud": "x", "identity": { "email": "me@example.com" } } }`},
	{"cache", inheritable, `{ "enabled": true, "cross_version_cache": true }`},
	{"compliance_region", inheritable, `"fedramp_high"`},
	{"previews", inheritable, `{ "vars": { "A": "1" }, "logpush": true }`},

	{"durable_objects", perEnvironment, `{
		"bindings": [{ "name": "DO", "class_name": "A", "script_name": "other", "environment": "staging" }],
		"code_update_strategy": { "mode": "deferred", "max_delay": 300.5 } }`},
	{"vars", perEnvironment, `{ "TEXT": "text", "LIST": [1, true, { "a": "b" }] }`},
	{"secrets", perEnvironment, `{ "required": ["TOKEN"] }`},
	{"define", perEnvironment, `{ "VERSION": "1" }`},
	{"services", perEnvironment, `[{
		"binding": "S", "service": "other", "entrypoint": "E", "props": { "a": 1 }, "remote": true,
		"environment": "staging", "dev": { "plugin": { "package": "p", "name": "n" }, "options": {} } }]`},
	{"workflows", perEnvironment, `[{ "binding": "W", "name": "flow", "class_name": "Flow", "script_name": "other",
		"limits": { "steps": 10 }, "schedules": ["0 * * * *"], "concurrency": { "limit": 2 },
		"default_retention": { "success_retention": "3 days", "error_retention": 1000 }, "jurisdiction": "eu" }]`},
	{"kv_namespaces", perEnvironment,
		`[{ "binding": "KV", "id": "1", "preview_id": "2", "remote": true }, { "binding": "KV2" }]`},
	{"r2_buckets", perEnvironment, `[{ "binding": "R2",
		"bucket_name": "bucket", "preview_bucket_name": "preview", "jurisdiction": "eu", "remote": true,
		"local_dev": { "experimental_s3_credentials": { "accessKeyId": "a", "secretAccessKey": "s" } } }]`},
	{"d1_databases", perEnvironment, `[{
		"binding": "D1", "database_name": "d", "database_id": "1", "preview_database_id": "2",
		"migrations_table": "t", "migrations_dir": "m", "migrations_pattern": "*", "remote": true }]`},
	{"queues", perEnvironment, `{ "producers": [{ "binding": "Q", "queue": "q", "delivery_delay": 1, "remote": true }],
		"consumers": [{ "queue": "q", "type": "worker", "max_batch_size": 1, "max_batch_timeout": 1, "max_retries": 1,
		  "dead_letter_queue": "d", "max_concurrency": null, "visibility_timeout_ms": 1, "retry_delay": 1 }] }`},
	{"connect", perEnvironment, `[{ "protocol": "tcp", "port": 5432, "address": "localhost" },
		{ "protocol": "udp", "port": 53, "idle_timeout_ms": 1000, "max_pending_bytes": 1000 }]`},
	{"ratelimits", perEnvironment, `[{ "name": "RL", "namespace_id": "1", "simple": { "limit": 10, "period": 60 } }]`},
	{"analytics_engine_datasets", perEnvironment, `[{ "binding": "AE", "dataset": "d" }]`},
	{"tail_consumers", perEnvironment, `[{ "service": "tail", "environment": "staging" }]`},
	{"streaming_tail_consumers", perEnvironment, `[{ "service": "tail" }]`},
	{"send_email", perEnvironment,
		`[{ "name": "MAIL", "destination_address": "me@example.com", ` +
			`"allowed_sender_addresses": ["a@b.c"], "remote": true }]`},
	{"hyperdrive", perEnvironment, `[{ "binding": "H", "id": "1", "localConnectionString": "postgres://" }]`},
	{"version_metadata", perEnvironment, `{ "binding": "VERSION" }`},
	{"browser", perEnvironment, `{ "binding": "BROWSER", "remote": true }`},
	{"ai", perEnvironment, `{ "binding": "AI", "staging": true, "remote": true }`},
	{"images", perEnvironment, `{ "binding": "IMAGES", "remote": true }`},
	{"stream", perEnvironment, `{ "binding": "STREAM", "remote": true }`},
	{"media", perEnvironment, `{ "binding": "MEDIA", "remote": true }`},
	{"websearch", perEnvironment, `{ "binding": "SEARCH" }`},
	{"analytics", perEnvironment, `{ "binding": "ANALYTICS", "remote": true }`},
	{"vectorize", perEnvironment, `[{ "binding": "V", "index_name": "i", "remote": true }]`},
	{"ai_search", perEnvironment, `[{ "binding": "AIS", "instance_name": "i", "remote": true }]`},
	{"ai_search_namespaces", perEnvironment, `[{ "binding": "AISN", "namespace": "n", "remote": true }]`},
	{"agent_memory", perEnvironment, `[{ "binding": "AM", "namespace": "n", "remote": true }]`},
	{"dispatch_namespaces", perEnvironment,
		`[{ "binding": "DN", "namespace": "n", "outbound": { "service": "s", "parameters": ["p"] }, "remote": true }]`},
	{"mtls_certificates", perEnvironment, `[{ "binding": "CERT", "certificate_id": "c", "remote": true }]`},
	{"pipelines", perEnvironment,
		`[{ "binding": "P", "pipeline": "p" }, { "binding": "P2", "stream": "s", "remote": true }]`},
	{"secrets_store_secrets", perEnvironment, `[{ "binding": "SS", "store_id": "s", "secret_name": "n" }]`},
	{"artifacts", perEnvironment, `[{ "binding": "ART", "namespace": "n", "remote": true }]`},
	{"flagship", perEnvironment, `[{ "binding": "FLAGS", "app_id": "a" }]`},
	{"worker_loaders", perEnvironment, `[{ "binding": "LOADER" }]`},
	{"vpc_services", perEnvironment, `[{ "binding": "VPC", "service_id": "s", "remote": true }]`},
	{"vpc_networks", perEnvironment,
		`[{ "binding": "NET", "tunnel_id": "t" }, { "binding": "NET2", "network_id": "n", "remote": true }]`},
	{"unsafe_hello_world", perEnvironment, `[{ "binding": "HELLO", "enable_timer": true }]`},
	{"k2", perEnvironment, `[{ "binding": "K2", "stream": "s", "remote": true }]`},
	{"unsafe", perEnvironment,
		`{ "bindings": [{ "name": "U", "type": "t", "anything": 1 }], "metadata": { "a": 1 }, ` +
			`"capnp": { "compiled_schema": "x" } }`},
	{"cloudchamber", perEnvironment, `{ "image": "i", "vcpu": 1 }`},
	{"containers", perEnvironment, `[{ "image": "i", "class_name": "A", "max_instances": 2 }]`},
}

// named returns a file with the members that every file should have, and the given ones.
func named(members string) string {
	return `{ "name": "w", "compatibility_date": "2026-10-01", ` + members + "\n}"
}

// ids returns the diagnostics of a file, each as its id and message.
func ids(t *testing.T, name, text, env string) []string {
	t.Helper()
	_, found, err := config.Load(write(t, name, text), config.Options{Env: env})
	var bad *config.Error
	switch {
	case errors.As(err, &bad):
		found = bad.Diagnostics
	case err != nil:
		t.Fatal(err)
	}
	var list []string
	for _, d := range found {
		list = append(list, fmt.Sprintf("%s: %s", d.ID, d.Message))
	}
	return list
}

func TestDocumentedKeysCauseNoDiagnostics(t *testing.T) {
	for _, k := range wranglersKeys {
		t.Run(k.name, func(t *testing.T) {
			member := fmt.Sprintf("%q: %s", k.name, k.value)
			if got := ids(t, "wrangler.json", named(member), ""); got != nil {
				t.Errorf("JSON: %v", got)
			}
			if k.name == "queues" { // its null has no TOML
				return
			}
			var value any
			if err := json.Unmarshal([]byte(k.value), &value); err != nil {
				t.Fatal(err)
			}
			toml := "name = \"w\"\ncompatibility_date = \"2026-10-01\"\n" + tomlText(k.name) + " = " + tomlText(value)
			if got := ids(t, "wrangler.toml", toml, ""); got != nil {
				t.Errorf("TOML: %v\n%s", got, toml)
			}
		})
	}
}

func TestEnvironmentsInheritKeysAsInWrangler(t *testing.T) {
	for _, k := range wranglersKeys {
		t.Run(k.name, func(t *testing.T) {
			member := fmt.Sprintf("%q: %s", k.name, k.value)
			above := ids(t, "wrangler.json", named(member+`, "env": { "e": {} }`), "e")
			own := ids(t, "wrangler.json", named(`"env": { "e": { `+member+` } }`), "e")
			var wantAbove, wantOwn []string
			switch k.scope {
			case topOnly:
				wantOwn = []string{fmt.Sprintf("top-level-only: env.e.%s is ignored: %s can't differ between "+
					"environments", k.name, k.name)}
			case perEnvironment:
				wantAbove = []string{fmt.Sprintf("not-inherited: env.e does not inherit %s from the top level", k.name)}
			}
			if diff := cmp.Diff(wantAbove, above); diff != "" {
				t.Errorf("at the top level (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantOwn, own); diff != "" {
				t.Errorf("in the environment (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheTableHasExactlyWranglersKeys(t *testing.T) {
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(config.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	want := []string{"name", "compatibility_date", "env"} // every test here has these
	for _, k := range wranglersKeys {
		want = append(want, k.name)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(schema.Properties))); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestBindingsThatAreNotEmulatedAreListedInFileOrder(t *testing.T) {
	c := load(t, "wrangler.json", named(`
		"queues": { "producers": [{ "binding": "Q" }], "consumers": [{ "queue": "q" }] },
		"ai": { "binding": "AI" },
		"vars": { "V": "v" },
		"kv_namespaces": [{ "binding": "KV" }, { "binding": "KV2" }],
		"assets": { "directory": "public", "binding": "ASSETS" },
		"text_blobs": { "TEXT": "t.txt" }`), "")
	var got []string
	for _, b := range c.Others {
		got = append(got, fmt.Sprintf("%d %s %s %s", b.Pos.Line, b.Name, b.Key, b.Kind))
	}
	want := []string{
		"2 Q queues Queue", "3 AI ai AI", "5 KV kv_namespaces KV Namespace", "5 KV2 kv_namespaces KV Namespace",
		"6 ASSETS assets Assets", "7 TEXT text_blobs Text Blob",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other bindings (-want +got):\n%s", diff)
	}
}

func TestKeysWithoutEffectAreListedWithoutAWarning(t *testing.T) {
	text := named(`
		"minify": true,
		"workers_dev": true,
		"define": { "A": "1" },
		"$schema": "x",
		"env": { "staging": { "workers_dev": false } }`)
	for env, want := range map[string][]string{
		"": {
			"minify is about bundling JavaScript",
			"workers_dev matters only where the worker is deployed",
			"define is about bundling JavaScript",
		},
		"staging": {
			"minify is about bundling JavaScript",
			"env.staging.workers_dev matters only where the worker is deployed",
		},
	} {
		c := load(t, "wrangler.json", text, env)
		var got []string
		for _, u := range c.Unused {
			got = append(got, u.Key+" "+u.Reason)
			if u.Pos.Line < 2 {
				t.Errorf("%s is at %s", u.Key, u.Pos)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("without effect in %q (-want +got):\n%s", env, diff)
		}
	}
}

func TestExportsDeclareClasses(t *testing.T) {
	c := load(t, "wrangler.json", named(`"exports": {
		"Live": { "type": "durable-object", "storage": "sqlite" },
		"Old": { "type": "durable-object", "state": "created", "storage": "legacy-kv" },
		"Coming": { "type": "durable-object", "state": "expecting-transfer", "storage": "legacy-kv",
			"transfer_from": "other" },
		"Gone": { "type": "durable-object", "state": "deleted" },
		"Before": { "type": "durable-object", "state": "renamed", "renamed_to": "Live" },
		"default": { "type": "worker" } }`), "")
	if got, want := strings.Join(c.Classes(), " "), "Coming Live Old"; got != want {
		t.Errorf("classes %q, want %q", got, want)
	}
	for class, want := range map[string]bool{
		"Live": false, "Old": true, "Coming": true, "Gone": false, "default": false,
	} {
		if got := c.KeyValueBacked(class); got != want {
			t.Errorf("KeyValueBacked(%s) = %t, want %t", class, got, want)
		}
	}
	var got []string
	for _, e := range c.Exports {
		got = append(got, fmt.Sprintf("%d %s %s %t", e.Pos.Line, e.Class, e.State, e.Live()))
	}
	want := []string{
		"2 Live created true", "3 Old created true", "4 Coming expecting-transfer true",
		"6 Gone deleted false", "7 Before renamed false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exports (-want +got):\n%s", diff)
	}
}
