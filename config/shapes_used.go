package config

// Shapes of the values that devtool uses.
var (
	environments = &shape{noun: "an object of environments", kinds: kindObject, elem: object}

	devSettings = objectWith(
		optional("ip", text),
		optional("port", port),
		optional("inspector_port", port),
		optional("inspector_ip", text),
		optional("local_protocol", oneOf("http", "https")),
		optional("upstream_protocol", oneOf("http", "https")),
		optional("host", hostName),
		optional("enable_containers", flag),
		optional("container_engine", textOrObject),
		optional("generate_types", flag),
	)

	triggers = objectWith(
		optional("crons", arrayOf("strings", cronExpression)),
		optional("events", repositoryEvents),
	)

	durableObjects = objectWith(
		optional("bindings", arrayOf("objects", objectWith(
			required("name", nonEmptyText),
			required("class_name", className),
			optional("script_name", nonEmptyText),
			optional("environment", nonEmptyText),
		))),
		optional("code_update_strategy", objectWith(
			required("mode", oneOf("immediate", "deferred")),
			optional("max_delay", delay),
		)),
	)

	migrations = arrayOf("objects", objectWith(
		required("tag", nonEmptyText),
		optional("new_classes", classNames),
		optional("new_sqlite_classes", classNames),
		optional("renamed_classes", arrayOf("objects", objectWith(
			required("from", className),
			required("to", className),
		))),
		optional("deleted_classes", classNames),
		optional("transferred_classes", arrayOf("objects", objectWith(
			required("from", className),
			required("from_script", nonEmptyText),
			required("to", className),
		))),
	))

	secrets = objectWith(optional("required", arrayOf("strings", nonEmptyText)))

	// The variants of an entry of exports: by its type and, for a class of Durable Objects, its
	// state.
	exportStores   = oneOf("sqlite", "legacy-kv")
	exportOfWorker = objectWith(required("type", oneOf("worker")),
		optional("cache", objectWith(required("enabled", flag))))
	exportOfWorkflow = objectWith(append([]field{required("type", oneOf("workflow"))}, workflowFields...)...)
	exportsByState   = map[string]*shape{
		stateCreated: exportOfClass(optional("state", oneOf(stateCreated)), required("storage", exportStores),
			optional("container", text)),
		stateDeleted: exportOfClass(required("state", oneOf(stateDeleted))),
		stateRenamed: exportOfClass(required("state", oneOf(stateRenamed)), required("renamed_to", className)),
		stateTransferred: exportOfClass(required("state", oneOf(stateTransferred)),
			required("transferred_to", nonEmptyText)),
		stateExpectingTransfer: exportOfClass(required("state", oneOf(stateExpectingTransfer)),
			required("storage", exportStores),
			required("transfer_from", nonEmptyText), optional("container", text)),
	}

	// An entry with an unknown type, or an unknown state.
	exportOfUnknown      = openObject(required("type", oneOf("durable-object", "worker", "workflow")))
	exportOfUnknownState = openObject(
		required("state", oneOf(stateCreated, stateDeleted, stateRenamed, stateTransferred, stateExpectingTransfer)))

	exports = &shape{noun: "an object of objects", kinds: kindObject, elem: &shape{
		noun: "an object", kinds: kindObject, variant: variantOfExport,
		variants: []*shape{
			exportsByState[stateCreated], exportsByState[stateDeleted], exportsByState[stateRenamed],
			exportsByState[stateTransferred], exportsByState[stateExpectingTransfer],
			exportOfWorker, exportOfWorkflow,
		},
	}}
)

func exportOfClass(fields ...field) *shape {
	return &shape{noun: "an object", kinds: kindObject, exact: true, valid: sqlForContainer,
		fields: append([]field{required("type", oneOf("durable-object"))}, fields...)}
}

// variantOfExport returns the shape for an entry of exports, by its type and state.
func variantOfExport(n *node) *shape {
	switch n.str("type") {
	case "worker":
		return exportOfWorker
	case "workflow":
		return exportOfWorkflow
	case "durable-object":
		state := n.get("state")
		if state == nil {
			return exportsByState[stateCreated]
		}
		if s := exportsByState[state.text]; s != nil {
			return s
		}
		return exportOfUnknownState
	}
	return exportOfUnknown
}
