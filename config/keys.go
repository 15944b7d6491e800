package config

// scope says how a key at the top level applies to a named environment.
type scope int

const (
	topOnly        scope = iota // only at the top level, and the same for every environment
	inheritable                 // an environment uses its own value, else the top level's; values are never merged
	perEnvironment              // an environment has only its own value
)

// key is one name at the top level of a file, or of an environment.
type key struct {
	name    string
	scope   scope
	shape   *shape
	decode  func(*decoder, place) // copies a value into the Config; nil for a key without a field there
	binds   *binds                // where the value names bindings, or nil
	unused  string                // why the value has no effect here, or ""
	refusal string                // why the key can't be used at all, or ""
}

// Reasons why a value has no effect.
const (
	forJavaScript = "is about bundling JavaScript"
	forCloud      = "matters only where the worker is deployed"
	notYet        = "is not emulated"
)

// keys lists every key that wrangler knows, so that none of them is reported as unknown. Decoding
// follows this order: the name comes first because it is compared with bindings.
var keys = []key{
	{name: "name", scope: inheritable, shape: workerName, decode: (*decoder).name},
	{name: "main", scope: inheritable, shape: mainPath, decode: (*decoder).main},
	{name: "compatibility_date", scope: inheritable, shape: date, decode: (*decoder).compatibilityDate},
	{name: "compatibility_flags", scope: inheritable, shape: textList, decode: (*decoder).compatibilityFlags},
	{name: "vars", scope: perEnvironment, shape: object, decode: (*decoder).vars, binds: &binds{kind: "Variable"}},
	{name: "secrets", scope: perEnvironment, shape: secrets, decode: (*decoder).secrets,
		binds: &binds{kind: "Secret", list: "required"}},
	{name: "durable_objects", scope: perEnvironment, shape: durableObjects, decode: (*decoder).durableObjects,
		binds: &binds{kind: "Durable Object", list: "bindings", field: "name"}},
	{name: "migrations", scope: inheritable, shape: migrations, decode: (*decoder).migrations},
	{name: "exports", scope: inheritable, shape: exports, decode: (*decoder).exports},
	{name: "triggers", scope: inheritable, shape: triggers, decode: (*decoder).triggers},
	{name: "dev", scope: topOnly, shape: devSettings, decode: (*decoder).dev},
	{name: "route", scope: inheritable, shape: oneRoute, decode: (*decoder).routes},
	{name: "routes", scope: inheritable, shape: routeList, decode: (*decoder).routes},
	{name: "env", scope: topOnly, shape: environments},
	{name: "$schema", scope: topOnly, shape: text},

	{name: "pages_build_output_dir", scope: topOnly, shape: text,
		refusal: "makes this the configuration of a Pages project, but devtool runs only Workers"},
	{name: "legacy_env", scope: topOnly, shape: anything,
		refusal: "was removed from wrangler: each environment is a worker of its own"},
	{name: "node_compat", scope: inheritable, shape: anything,
		refusal: "was removed from wrangler, and Go handlers have no use for it"},

	{name: "kv_namespaces", scope: perEnvironment, shape: kvNamespaces, binds: inList("KV Namespace")},
	{name: "r2_buckets", scope: perEnvironment, shape: r2Buckets, binds: inList("R2 Bucket")},
	{name: "d1_databases", scope: perEnvironment, shape: d1Databases, binds: inList("D1 Database")},
	{name: "queues", scope: perEnvironment, shape: queues,
		binds: &binds{kind: "Queue", list: "producers", field: "binding"}},
	{name: "services", scope: perEnvironment, shape: services, binds: inList("Worker")},
	{name: "workflows", scope: perEnvironment, shape: workflows, binds: inList("Workflow")},
	{name: "ratelimits", scope: perEnvironment, shape: rateLimits, binds: &binds{kind: "Rate Limit", field: "name"}},
	{name: "send_email", scope: perEnvironment, shape: sendEmail, binds: &binds{kind: "Send Email", field: "name"}},
	{name: "analytics_engine_datasets", scope: perEnvironment, shape: analyticsDatasets,
		binds: inList("Analytics Engine Dataset")},
	{name: "hyperdrive", scope: perEnvironment, shape: hyperdrives, binds: inList("Hyperdrive Config")},
	{name: "version_metadata", scope: perEnvironment, shape: oneBinding, binds: inList("Worker Version Metadata")},
	{name: "browser", scope: perEnvironment, shape: oneBinding, binds: inList("Browser")},
	{name: "ai", scope: perEnvironment, shape: aiBinding, binds: inList("AI")},
	{name: "images", scope: perEnvironment, shape: oneBinding, binds: inList("Images")},
	{name: "stream", scope: perEnvironment, shape: oneBinding, binds: inList("Stream")},
	{name: "media", scope: perEnvironment, shape: oneBinding, binds: inList("Media")},
	{name: "websearch", scope: perEnvironment, shape: oneBinding, binds: inList("Web Search")},
	{name: "analytics", scope: perEnvironment, shape: oneBinding, binds: inList("Analytics")},
	{name: "vectorize", scope: perEnvironment, shape: vectorIndexes, binds: inList("Vectorize Index")},
	{name: "ai_search", scope: perEnvironment, shape: aiSearches, binds: inList("AI Search Instance")},
	{name: "ai_search_namespaces", scope: perEnvironment, shape: namespaced, binds: inList("AI Search Namespace")},
	{name: "agent_memory", scope: perEnvironment, shape: namespaced, binds: inList("Agent Memory")},
	{name: "dispatch_namespaces", scope: perEnvironment, shape: dispatchers, binds: inList("Dispatch Namespace")},
	{name: "mtls_certificates", scope: perEnvironment, shape: certificates, binds: inList("mTLS Certificate")},
	{name: "pipelines", scope: perEnvironment, shape: pipelines, binds: inList("Pipeline")},
	{name: "secrets_store_secrets", scope: perEnvironment, shape: storedSecrets, binds: inList("Secrets Store Secret")},
	{name: "artifacts", scope: perEnvironment, shape: namespaced, binds: inList("Artifacts")},
	{name: "flagship", scope: perEnvironment, shape: flagships, binds: inList("Flagship")},
	{name: "worker_loaders", scope: perEnvironment, shape: bindingList, binds: inList("Worker Loader")},
	{name: "vpc_services", scope: perEnvironment, shape: vpcServices, binds: inList("VPC Service")},
	{name: "vpc_networks", scope: perEnvironment, shape: vpcNetworks, binds: inList("VPC Network")},
	{name: "unsafe_hello_world", scope: perEnvironment, shape: helloWorlds, binds: inList("Hello World")},
	{name: "k2", scope: perEnvironment, shape: eventStreams, binds: inList("K2 Stream")},
	{name: "unsafe", scope: perEnvironment, shape: unsafeBindings,
		binds: &binds{kind: "Unsafe Binding", list: "bindings", field: "name"}},
	{name: "logfwdr", scope: inheritable, shape: logForwarders,
		binds: &binds{kind: "logfwdr", list: "bindings", field: "name"}},
	{name: "assets", scope: inheritable, shape: assets, binds: inList("Assets"), unused: notYet},
	{name: "wasm_modules", scope: topOnly, shape: textMap, binds: &binds{kind: "Wasm Module"}},
	{name: "text_blobs", scope: topOnly, shape: textMap, binds: &binds{kind: "Text Blob"}},
	{name: "data_blobs", scope: topOnly, shape: textMap, binds: &binds{kind: "Data Blob"}},

	{name: "build", scope: inheritable, shape: buildSettings, unused: "is not run: main is built with go build"},
	{name: "limits", scope: inheritable, shape: resourceLimits, unused: forCloud},
	{name: "observability", scope: inheritable, shape: observability, unused: forCloud},
	{name: "workers_dev", scope: inheritable, shape: flag, unused: forCloud},
	{name: "preview_urls", scope: inheritable, shape: flag, unused: forCloud},
	{name: "previews", scope: inheritable, shape: object, unused: forCloud},
	{name: "account_id", scope: inheritable, shape: text, unused: forCloud},
	{name: "placement", scope: inheritable, shape: placement, unused: forCloud},
	{name: "logpush", scope: inheritable, shape: flag, unused: forCloud},
	{name: "first_party_worker", scope: inheritable, shape: flag, unused: forCloud},
	{name: "access", scope: inheritable, shape: access, unused: notYet},
	{name: "cache", scope: inheritable, shape: cache, unused: notYet},
	{name: "compliance_region", scope: inheritable, shape: regions, unused: forCloud},
	{name: "keep_vars", scope: topOnly, shape: flag, unused: forCloud},
	{name: "addresses", scope: topOnly, shape: textList, unused: forCloud},
	{name: "send_metrics", scope: topOnly, shape: flag, unused: "is about wrangler: devtool sends nothing to anyone"},
	{name: "connect", scope: perEnvironment, shape: sockets, unused: notYet},
	{name: "tail_consumers", scope: perEnvironment, shape: tailConsumers, unused: notYet},
	{name: "streaming_tail_consumers", scope: perEnvironment, shape: streamingConsumers, unused: notYet},
	{name: "cloudchamber", scope: perEnvironment, shape: object, unused: forCloud},
	{name: "containers", scope: perEnvironment, shape: listOf(object), unused: notYet},

	{name: "alias", scope: topOnly, shape: textMap, unused: forJavaScript},
	{name: "site", scope: topOnly, shape: site, unused: "is not emulated: assets replace Workers Sites"},
	{name: "dependencies_instrumentation", scope: topOnly, shape: instrumentation, unused: forJavaScript},
	{name: "define", scope: perEnvironment, shape: textMap, unused: forJavaScript},
	{name: "rules", scope: inheritable, shape: moduleRules, unused: forJavaScript},
	{name: "tsconfig", scope: inheritable, shape: text, unused: forJavaScript},
	{name: "jsx_factory", scope: inheritable, shape: text, unused: forJavaScript},
	{name: "jsx_fragment", scope: inheritable, shape: text, unused: forJavaScript},
	{name: "no_bundle", scope: inheritable, shape: flag, unused: forJavaScript},
	{name: "minify", scope: inheritable, shape: flag, unused: forJavaScript},
	{name: "keep_names", scope: inheritable, shape: flag, unused: forJavaScript},
	{name: "find_additional_modules", scope: inheritable, shape: flag, unused: forJavaScript},
	{name: "preserve_file_names", scope: inheritable, shape: flag, unused: forJavaScript},
	{name: "base_dir", scope: inheritable, shape: text, unused: forJavaScript},
	{name: "upload_source_maps", scope: inheritable, shape: flag, unused: forJavaScript},
	{name: "python_modules", scope: inheritable, shape: pythonModules, unused: "is about Python"},
}

// keyIndex finds a key by its name.
var keyIndex map[string]*key

func init() {
	keyIndex = make(map[string]*key, len(keys))
	for i := range keys {
		keyIndex[keys[i].name] = &keys[i]
	}
}
