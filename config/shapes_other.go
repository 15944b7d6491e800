package config

import "math"

// Shapes of the values that devtool accepts and does not use. They are as wrangler has them, so that a file that is
// good here can be deployed; what wrangler leaves to the platform is left open here, too.

func binding(fields ...field) *shape {
	return objectWith(append([]field{need("binding", nonEmptyText)}, fields...)...)
}

// remotely is a binding that may be to the platform's own instead of a local one.
func remotely(fields ...field) *shape {
	return binding(append(fields, may("remote", flag))...)
}

func listOf(s *shape) *shape { return arrayOf("objects", s) }

// openObject allows any fields beside those it knows.
func openObject(fields ...field) *shape {
	return &shape{noun: "an object", kinds: kindObject, open: true, fields: fields}
}

// must gives a shape the last word on its values.
func (s *shape) must(valid func(*node) *complaint) *shape {
	s.valid = valid
	return s
}

var (
	bucketName  = &shape{noun: "a string", kinds: kindString, valid: validBucketName}
	count       = &shape{noun: "a whole number", kinds: kindNumber, valid: fromOne}
	wholeNumber = &shape{noun: "a whole number", kinds: kindNumber, valid: whole("out-of-range", 0, math.MaxUint32)}
	openPort    = &shape{noun: "a whole number from 1 to 65535", kinds: kindNumber, valid: whole("invalid-port", 1, 65535)}
	retention   = &shape{noun: "a number of milliseconds or a string", kinds: kindNumber | kindString, valid: validRetention}
	schedules   = &shape{noun: "a string or an array of strings", kinds: kindString | kindArray, elem: nonEmptyText, valid: notEmptyOrNone}
)

// Bindings.
var (
	oneBinding  = remotely()
	bindingList = listOf(remotely())

	aiBinding = remotely(may("staging", flag))

	kvNamespaces = listOf(remotely(may("id", nonEmptyText), may("preview_id", text)))
	r2Buckets    = listOf(remotely(may("bucket_name", bucketName), may("preview_bucket_name", bucketName),
		may("jurisdiction", text), may("local_dev", objectWith(
			may("experimental_s3_credentials", openObject(need("accessKeyId", text), need("secretAccessKey", text)))))))
	d1Databases = listOf(remotely(may("database_name", text), may("database_id", text), may("preview_database_id", text),
		may("jurisdiction", text), may("migrations_table", text), may("migrations_dir", text),
		may("migrations_pattern", text), may("database_internal_env", text)))

	queues = objectWith(
		may("producers", listOf(remotely(may("queue", nonEmptyText), may("delivery_delay", number)))),
		may("consumers", listOf(objectWith(
			need("queue", text),
			may("type", oneOf("worker")),
			may("max_batch_size", number),
			may("max_batch_timeout", number),
			may("max_retries", number),
			may("dead_letter_queue", text),
			may("max_concurrency", &shape{noun: "a number or null", kinds: kindNumber | kindNull}),
			may("visibility_timeout_ms", number),
			may("retry_delay", number),
		))),
	)

	services = listOf(remotely(need("service", text), may("entrypoint", text), may("props", object),
		may("environment", text),
		may("dev", openObject(
			need("plugin", openObject(need("package", text), need("name", text))),
			may("options", object),
		))))

	workflows = listOf(binding(append(workflowFields, need("class_name", text), may("script_name", text))...)).must(uniqueWorkflows)

	// What a workflow has, whether it is bound or exported.
	workflowFields = []field{
		need("name", workflowName),
		may("limits", objectWith(may("steps", count))),
		may("concurrency", objectWith(may("limit", count))),
		may("schedules", schedules),
		may("default_retention", objectWith(may("success_retention", retention), may("error_retention", retention))),
		may("jurisdiction", oneOf("eu", "fedramp", "us")),
	}

	rateLimits = listOf(objectWith(
		need("name", nonEmptyText),
		need("namespace_id", text),
		need("simple", objectWith(
			need("limit", number),
			need("period", period),
		)),
	))

	sendEmail = listOf(&shape{noun: "an object", kinds: kindObject, valid: oneDestination, fields: []field{
		need("name", nonEmptyText),
		may("binding", text), // wrangler lets it pass, and goes by the name
		may("destination_address", text),
		may("allowed_destination_addresses", textList),
		may("allowed_sender_addresses", textList),
		may("remote", flag),
	}})

	analyticsDatasets = listOf(remotely(may("dataset", nonEmptyText)))
	hyperdrives       = listOf(remotely(need("id", text), may("localConnectionString", text)))
	vectorIndexes     = listOf(remotely(need("index_name", text)))
	aiSearches        = listOf(remotely(need("instance_name", text)))
	inNamespaces      = listOf(remotely(need("namespace", text)))
	dispatchers       = listOf(remotely(may("namespace", text),
		may("outbound", openObject(need("service", text), may("environment", text), may("parameters", textList)))))
	certificates  = listOf(remotely(need("certificate_id", nonEmptyText)))
	pipelines     = listOf(remotely(may("stream", text), may("pipeline", text)).must(someStream))
	storedSecrets = listOf(remotely(need("store_id", text), need("secret_name", text)))
	flagships     = listOf(remotely(may("app_id", text)))
	helloWorlds   = listOf(remotely(may("enable_timer", flag)))
	vpcServices   = listOf(remotely(need("service_id", text)))
	vpcNetworks   = listOf(remotely(may("tunnel_id", text), may("network_id", text)).must(oneNetwork))
	eventStreams  = listOf(remotely(need("stream", text)))

	logForwarders = objectWith(need("bindings", listOf(objectWith(need("name", nonEmptyText), need("destination", text)))))
	unsafeThings  = objectWith(
		may("bindings", listOf(openObject(need("name", nonEmptyText), need("type", text)))),
		may("metadata", object),
		may("capnp", openObject(may("compiled_schema", text), may("base_path", text), may("source_schemas", textList)).must(validSchemas)),
	)
)

// Everything else.
var (
	targets = listOf(objectWith(need("type", oneOf("workflow")), need("workflow_name", nonEmptyText))).must(notEmptyOrNone)

	repositoryEvents = listOf(objectWith(
		need("type", oneOf("cf.artifacts.repo.created", "cf.artifacts.repo.deleted", "cf.artifacts.repo.forked",
			"cf.artifacts.repo.imported", "cf.artifacts.repo.pushed", "cf.artifacts.repo.cloned", "cf.artifacts.repo.fetched",
			"cf.artifacts.repo.token.created", "cf.artifacts.repo.token.revoked")),
		may("filter", &shape{noun: "an object", kinds: kindObject, exact: true, fields: []field{
			may("namespace", nonEmptyText), may("repo_name", nonEmptyText)}}),
		need("targets", targets),
	))

	buildSettings = objectWith(may("command", text), may("cwd", text), may("watch_dir", textOrTexts))

	resourceLimits = objectWith(may("cpu_ms", number), may("subrequests", number))

	routeFields = objectWith(need("pattern", text), may("zone_id", text), may("zone_name", text), may("custom_domain", flag),
		may("enabled", flag), may("previews_enabled", flag))
	oneRoute    = &shape{noun: "a string or an object", kinds: kindString | kindObject, exact: true, fields: routeFields.fields, valid: validRoute}
	listedRoute = &shape{noun: "a string or an object", kinds: kindString | kindObject, exact: true, fields: routeFields.fields, valid: validListedRoute}
	routeList   = arrayOf("strings and objects", listedRoute)

	assets = objectWith(
		may("directory", text),
		may("binding", nonEmptyText),
		may("html_handling", oneOf("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")),
		may("not_found_handling", oneOf("single-page-application", "404-page", "none")),
		may("base_path", text),
		may("run_worker_first", &shape{noun: "true, false or an array of strings", kinds: kindBool | kindArray, elem: text}),
	)

	observability = &shape{noun: "an object", kinds: kindObject, valid: validObservability, fields: []field{
		may("enabled", flag),
		may("head_sampling_rate", share),
		may("redact_query_string", flag),
		may("issues", objectWith(may("enabled", flag))),
		may("logs", objectWith(may("enabled", flag), may("head_sampling_rate", share), may("invocation_logs", flag),
			may("persist", flag), may("destinations", textList))),
		may("traces", objectWith(may("enabled", flag), may("head_sampling_rate", share),
			may("persist", flag), may("destinations", textList))),
	}}

	moduleRules = listOf(objectWith(
		need("type", oneOf("ESModule", "CommonJS", "CompiledWasm", "Text", "Data", "PythonModule", "PythonRequirement")),
		need("globs", textList),
		may("fallthrough", flag),
	))

	placement = objectWith(may("mode", oneOf("off", "smart", "targeted")), may("hint", text),
		may("region", text), may("host", text), may("hostname", text)).must(validPlacement)

	access = objectWith(may("dev", objectWith(need("aud", text), may("identity", object))))
	cache  = objectWith(need("enabled", flag), may("cross_version_cache", flag))

	sockets = listOf(objectWith(need("protocol", oneOf("tcp", "udp")), need("port", openPort), may("address", text),
		may("idle_timeout_ms", wholeNumber), may("max_pending_bytes", wholeNumber))).must(uniqueSockets)

	tailConsumers      = listOf(objectWith(need("service", text), may("environment", text)))
	streamingConsumers = listOf(objectWith(need("service", text)))

	pythonModules   = objectWith(may("exclude", textList))
	instrumentation = objectWith(may("enabled", flag), may("exclude_packages", textList))
	site            = objectWith(need("bucket", text), may("entry-point", text), may("include", textList), may("exclude", textList))
	regions         = oneOf("public", "fedramp_high")
)
