package config

import "math"

// Shapes of the values that devtool accepts and does not use. They follow wrangler, so that a file
// that is valid here can be deployed. Where wrangler leaves a check to the platform, there is none
// here, too.

// binding returns the shape of a binding with the given fields.
func binding(fields ...field) *shape {
	return objectWith(append([]field{required("binding", nonEmptyText)}, fields...)...)
}

// remoteBinding returns the shape of a binding that may use the platform's resource instead of a
// local one.
func remoteBinding(fields ...field) *shape {
	return binding(append(fields, optional("remote", flag))...)
}

func listOf(s *shape) *shape { return arrayOf("objects", s) }

func route(valid func(*node) *complaint) *shape {
	return &shape{
		noun: "a string or an object", kinds: kindString | kindObject, exact: true,
		fields: routeFields.fields, valid: valid,
	}
}

// openObject allows fields beside the known ones.
func openObject(fields ...field) *shape {
	return &shape{noun: "an object", kinds: kindObject, open: true, fields: fields}
}

// withCheck gives a shape an additional check.
func (s *shape) withCheck(valid func(*node) *complaint) *shape {
	s.valid = valid
	return s
}

var (
	bucketName  = &shape{noun: "a string", kinds: kindString, valid: validBucketName}
	count       = &shape{noun: "a whole number", kinds: kindNumber, valid: positive}
	wholeNumber = &shape{noun: "a whole number", kinds: kindNumber, valid: integerIn("out-of-range", 0, math.MaxUint32)}
	openPort    = &shape{
		noun: "a whole number from 1 to 65535", kinds: kindNumber,
		valid: integerIn("invalid-port", 1, 65535),
	}
	retention = &shape{
		noun: "a number of milliseconds or a string", kinds: kindNumber | kindString,
		valid: validRetention,
	}
	schedules = &shape{
		noun: "a string or an array of strings", kinds: kindString | kindArray,
		elem: nonEmptyText, valid: notEmptyOrNone,
	}
)

// Bindings.
var (
	oneBinding  = remoteBinding()
	bindingList = listOf(remoteBinding())

	aiBinding = remoteBinding(optional("staging", flag))

	kvNamespaces = listOf(remoteBinding(optional("id", nonEmptyText), optional("preview_id", text)))
	r2Buckets    = listOf(remoteBinding(
		optional("bucket_name", bucketName), optional("preview_bucket_name", bucketName),
		optional("jurisdiction", text),
		optional("local_dev", objectWith(
			optional("experimental_s3_credentials", openObject(
				required("accessKeyId", text), required("secretAccessKey", text),
			)),
		)),
	))
	d1Databases = listOf(remoteBinding(
		optional("database_name", text), optional("database_id", text), optional("preview_database_id", text),
		optional("jurisdiction", text), optional("database_internal_env", text),
		optional("migrations_table", text), optional("migrations_dir", text), optional("migrations_pattern", text),
	))

	queues = objectWith(
		optional("producers",
			listOf(remoteBinding(optional("queue", nonEmptyText), optional("delivery_delay", number)))),
		optional("consumers", listOf(objectWith(
			required("queue", text),
			optional("type", oneOf("worker")),
			optional("max_batch_size", number),
			optional("max_batch_timeout", number),
			optional("max_retries", number),
			optional("dead_letter_queue", text),
			optional("max_concurrency", &shape{noun: "a number or null", kinds: kindNumber | kindNull}),
			optional("visibility_timeout_ms", number),
			optional("retry_delay", number),
		))),
	)

	services = listOf(remoteBinding(
		required("service", text), optional("entrypoint", text), optional("props", object), optional("environment",
			text),
		optional("dev", openObject(
			required("plugin", openObject(required("package", text), required("name", text))),
			optional("options", object),
		)),
	))

	workflows = listOf(binding(
		append(workflowFields, required("class_name", text), optional("script_name", text))...,
	)).withCheck(uniqueWorkflows)

	// workflowFields are the fields of a workflow in a binding and in exports.
	workflowFields = []field{
		required("name", workflowName),
		optional("limits", objectWith(optional("steps", count))),
		optional("concurrency", objectWith(optional("limit", count))),
		optional("schedules", schedules),
		optional("default_retention",
			objectWith(optional("success_retention", retention), optional("error_retention", retention))),
		optional("jurisdiction", oneOf("eu", "fedramp", "us")),
	}

	rateLimits = listOf(objectWith(
		required("name", nonEmptyText),
		required("namespace_id", text),
		required("simple", objectWith(
			required("limit", number),
			required("period", period),
		)),
	))

	sendEmail = listOf(&shape{noun: "an object", kinds: kindObject, valid: oneDestination, fields: []field{
		required("name", nonEmptyText),
		optional("binding", text), // wrangler accepts it, but uses the name
		optional("destination_address", text),
		optional("allowed_destination_addresses", textList),
		optional("allowed_sender_addresses", textList),
		optional("remote", flag),
	}})

	analyticsDatasets = listOf(remoteBinding(optional("dataset", nonEmptyText)))
	hyperdrives       = listOf(remoteBinding(required("id", text), optional("localConnectionString", text)))
	vectorIndexes     = listOf(remoteBinding(required("index_name", text)))
	aiSearches        = listOf(remoteBinding(required("instance_name", text)))
	namespaced        = listOf(remoteBinding(required("namespace", text)))
	dispatchers       = listOf(remoteBinding(
		optional("namespace", text),
		optional("outbound", openObject(
			required("service", text), optional("environment", text), optional("parameters", textList),
		)),
	))
	certificates  = listOf(remoteBinding(required("certificate_id", nonEmptyText)))
	pipelines     = listOf(remoteBinding(optional("stream", text), optional("pipeline", text)).withCheck(someStream))
	storedSecrets = listOf(remoteBinding(required("store_id", text), required("secret_name", text)))
	flagships     = listOf(remoteBinding(optional("app_id", text)))
	helloWorlds   = listOf(remoteBinding(optional("enable_timer", flag)))
	vpcServices   = listOf(remoteBinding(required("service_id", text)))
	vpcNetworks   = listOf(remoteBinding(optional("tunnel_id", text),
		optional("network_id", text)).withCheck(oneNetwork))
	eventStreams = listOf(remoteBinding(required("stream", text)))

	logForwarders = objectWith(required("bindings",
		listOf(objectWith(required("name", nonEmptyText), required("destination", text)))))
	unsafeBindings = objectWith(
		optional("bindings", listOf(openObject(required("name", nonEmptyText), required("type", text)))),
		optional("metadata", object),
		optional("capnp", openObject(
			optional("compiled_schema", text), optional("base_path", text), optional("source_schemas", textList),
		).withCheck(validSchemas)),
	)
)

// Everything else.
var (
	targets = listOf(objectWith(
		required("type", oneOf("workflow")), required("workflow_name", nonEmptyText),
	)).withCheck(notEmptyOrNone)

	repositoryEvents = listOf(objectWith(
		required("type", oneOf("cf.artifacts.repo.created", "cf.artifacts.repo.deleted", "cf.artifacts.repo.forked",
			"cf.artifacts.repo.imported", "cf.artifacts.repo.pushed", "cf.artifacts.repo.cloned",
			"cf.artifacts.repo.fetched", "cf.artifacts.repo.token.created", "cf.artifacts.repo.token.revoked")),
		optional("filter", &shape{noun: "an object", kinds: kindObject, exact: true, fields: []field{
			optional("namespace", nonEmptyText), optional("repo_name", nonEmptyText)}}),
		required("targets", targets),
	))

	buildSettings = objectWith(optional("command", text), optional("cwd", text), optional("watch_dir", textOrTexts))

	resourceLimits = objectWith(optional("cpu_ms", number), optional("subrequests", number))

	routeFields = objectWith(required("pattern", text), optional("zone_id", text), optional("zone_name", text),
		optional("custom_domain", flag),
		optional("enabled", flag), optional("previews_enabled", flag))
	oneRoute    = route(validRoute)
	listedRoute = route(validListedRoute)
	routeList   = arrayOf("strings and objects", listedRoute)

	assets = objectWith(
		optional("directory", text),
		optional("binding", nonEmptyText),
		optional("html_handling", oneOf("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")),
		optional("not_found_handling", oneOf("single-page-application", "404-page", "none")),
		optional("base_path", text),
		optional("run_worker_first", &shape{
			noun: "true, false or an array of strings", kinds: kindBool | kindArray, elem: text,
		}),
	)

	observability = &shape{noun: "an object", kinds: kindObject, valid: validObservability, fields: []field{
		optional("enabled", flag),
		optional("head_sampling_rate", fraction),
		optional("redact_query_string", flag),
		optional("issues", objectWith(optional("enabled", flag))),
		optional("logs", objectWith(optional("enabled", flag), optional("head_sampling_rate", fraction),
			optional("invocation_logs", flag),
			optional("persist", flag), optional("destinations", textList))),
		optional("traces", objectWith(optional("enabled", flag), optional("head_sampling_rate", fraction),
			optional("persist", flag), optional("destinations", textList))),
	}}

	moduleRules = listOf(objectWith(
		required("type",
			oneOf("ESModule", "CommonJS", "CompiledWasm", "Text", "Data", "PythonModule", "PythonRequirement")),
		required("globs", textList),
		optional("fallthrough", flag),
	))

	placement = objectWith(optional("mode", oneOf("off", "smart", "targeted")), optional("hint", text),
		optional("region", text), optional("host", text), optional("hostname", text)).withCheck(validPlacement)

	access = objectWith(optional("dev", objectWith(required("aud", text), optional("identity", object))))
	cache  = objectWith(required("enabled", flag), optional("cross_version_cache", flag))

	sockets = listOf(objectWith(required("protocol", oneOf("tcp", "udp")), required("port", openPort),
		optional("address", text),
		optional("idle_timeout_ms", wholeNumber), optional("max_pending_bytes", wholeNumber))).withCheck(uniqueSockets)

	tailConsumers      = listOf(objectWith(required("service", text), optional("environment", text)))
	streamingConsumers = listOf(objectWith(required("service", text)))

	pythonModules   = objectWith(optional("exclude", textList))
	instrumentation = objectWith(optional("enabled", flag), optional("exclude_packages", textList))
	site            = objectWith(required("bucket", text), optional("entry-point", text), optional("include", textList),
		optional("exclude", textList))
	regions = oneOf("public", "fedramp_high")
)
