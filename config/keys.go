package config

// scope says how a key at the top level reaches a named environment.
type scope int

const (
	topOnly        scope = iota // only at the top level, and the same for every environment
	inheritable                 // an environment uses its own value, else the top level's; values are never merged
	perEnvironment              // an environment has only what it gives itself
)

// key is one name at the top level of a file, or of an environment.
type key struct {
	name    string
	scope   scope
	shape   *shape
	decode  func(*decoder, place) // copies a value into the Config; nil for a key that is accepted and not used
	refusal string                // why the key can't be used at all, or ""
}

// keys are all names that wrangler knows, so that none of them is ever called unknown. The order is that of decoding:
// the name goes first because bindings are compared with it.
var keys = []key{
	{name: "name", scope: inheritable, shape: workerName, decode: (*decoder).name},
	{name: "main", scope: inheritable, shape: mainPath, decode: (*decoder).main},
	{name: "compatibility_date", scope: inheritable, shape: date, decode: (*decoder).compatibilityDate},
	{name: "compatibility_flags", scope: inheritable, shape: textList, decode: (*decoder).compatibilityFlags},
	{name: "vars", scope: perEnvironment, shape: object, decode: (*decoder).vars},
	{name: "durable_objects", scope: perEnvironment, shape: durableObjects, decode: (*decoder).durableObjects},
	{name: "migrations", scope: inheritable, shape: migrations, decode: (*decoder).migrations},
	{name: "triggers", scope: inheritable, shape: triggers, decode: (*decoder).triggers},
	{name: "dev", scope: topOnly, shape: devSettings, decode: (*decoder).dev},

	{name: "$schema", scope: topOnly, shape: text},
	{name: "env", scope: topOnly, shape: environments},
	{name: "send_metrics", scope: topOnly, shape: flag},
	{name: "dependencies_instrumentation", scope: topOnly, shape: object},
	{name: "site", scope: topOnly, shape: object},
	{name: "wasm_modules", scope: topOnly, shape: textMap},
	{name: "text_blobs", scope: topOnly, shape: textMap},
	{name: "data_blobs", scope: topOnly, shape: textMap},
	{name: "alias", scope: topOnly, shape: textMap},
	{name: "keep_vars", scope: topOnly, shape: flag},
	{name: "addresses", scope: topOnly, shape: textList},
	{name: "pages_build_output_dir", scope: topOnly, shape: text,
		refusal: "makes this the configuration of a Pages project, and only Workers can be run"},
	{name: "legacy_env", scope: topOnly, shape: anything,
		refusal: "was removed from wrangler: each environment is a worker of its own"},
	{name: "node_compat", scope: inheritable, shape: anything,
		refusal: "was removed from wrangler, and Go handlers have no use for it"},

	{name: "exports", scope: inheritable, shape: object},
	{name: "build", scope: inheritable, shape: buildSettings},
	{name: "limits", scope: inheritable, shape: object},
	{name: "observability", scope: inheritable, shape: object},
	{name: "assets", scope: inheritable, shape: object},
	{name: "rules", scope: inheritable, shape: array},
	{name: "route", scope: inheritable, shape: textOrObject},
	{name: "routes", scope: inheritable, shape: array},
	{name: "workers_dev", scope: inheritable, shape: flag},
	{name: "preview_urls", scope: inheritable, shape: flag},
	{name: "account_id", scope: inheritable, shape: text},
	{name: "tsconfig", scope: inheritable, shape: text},
	{name: "jsx_factory", scope: inheritable, shape: text},
	{name: "jsx_fragment", scope: inheritable, shape: text},
	{name: "no_bundle", scope: inheritable, shape: flag},
	{name: "minify", scope: inheritable, shape: flag},
	{name: "keep_names", scope: inheritable, shape: flag},
	{name: "find_additional_modules", scope: inheritable, shape: flag},
	{name: "preserve_file_names", scope: inheritable, shape: flag},
	{name: "base_dir", scope: inheritable, shape: text},
	{name: "upload_source_maps", scope: inheritable, shape: flag},
	{name: "python_modules", scope: inheritable, shape: object},
	{name: "placement", scope: inheritable, shape: object},
	{name: "logpush", scope: inheritable, shape: flag},
	{name: "logfwdr", scope: inheritable, shape: object},
	{name: "first_party_worker", scope: inheritable, shape: flag},
	{name: "access", scope: inheritable, shape: object},
	{name: "cache", scope: inheritable, shape: object},
	{name: "compliance_region", scope: inheritable, shape: text},
	{name: "previews", scope: inheritable, shape: object},

	{name: "secrets", scope: perEnvironment, shape: object},
	{name: "define", scope: perEnvironment, shape: textMap},
	{name: "services", scope: perEnvironment, shape: array},
	{name: "workflows", scope: perEnvironment, shape: array},
	{name: "kv_namespaces", scope: perEnvironment, shape: array},
	{name: "r2_buckets", scope: perEnvironment, shape: array},
	{name: "d1_databases", scope: perEnvironment, shape: array},
	{name: "queues", scope: perEnvironment, shape: object},
	{name: "connect", scope: perEnvironment, shape: array},
	{name: "ratelimits", scope: perEnvironment, shape: array},
	{name: "analytics_engine_datasets", scope: perEnvironment, shape: array},
	{name: "tail_consumers", scope: perEnvironment, shape: array},
	{name: "streaming_tail_consumers", scope: perEnvironment, shape: array},
	{name: "send_email", scope: perEnvironment, shape: array},
	{name: "hyperdrive", scope: perEnvironment, shape: array},
	{name: "version_metadata", scope: perEnvironment, shape: object},
	{name: "browser", scope: perEnvironment, shape: object},
	{name: "ai", scope: perEnvironment, shape: object},
	{name: "images", scope: perEnvironment, shape: object},
	{name: "stream", scope: perEnvironment, shape: object},
	{name: "media", scope: perEnvironment, shape: object},
	{name: "websearch", scope: perEnvironment, shape: object},
	{name: "vectorize", scope: perEnvironment, shape: anything},
	{name: "ai_search", scope: perEnvironment, shape: anything},
	{name: "ai_search_namespaces", scope: perEnvironment, shape: anything},
	{name: "agent_memory", scope: perEnvironment, shape: anything},
	{name: "dispatch_namespaces", scope: perEnvironment, shape: anything},
	{name: "mtls_certificates", scope: perEnvironment, shape: anything},
	{name: "pipelines", scope: perEnvironment, shape: anything},
	{name: "secrets_store_secrets", scope: perEnvironment, shape: anything},
	{name: "artifacts", scope: perEnvironment, shape: anything},
	{name: "flagship", scope: perEnvironment, shape: anything},
	{name: "worker_loaders", scope: perEnvironment, shape: anything},
	{name: "vpc_services", scope: perEnvironment, shape: anything},
	{name: "vpc_networks", scope: perEnvironment, shape: anything},
	{name: "unsafe_hello_world", scope: perEnvironment, shape: anything},
	{name: "cloudchamber", scope: perEnvironment, shape: anything},
	{name: "containers", scope: perEnvironment, shape: anything},
	{name: "unsafe", scope: perEnvironment, shape: anything},
	{name: "k2", scope: perEnvironment, shape: anything},
	{name: "analytics", scope: perEnvironment, shape: anything},
}
