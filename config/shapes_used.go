package config

// Shapes of the values that devtool uses.
var (
	environments = &shape{noun: "an object of environments", kinds: kindObject, elem: object}

	devSettings = objectWith(
		may("ip", text),
		may("port", port),
		may("inspector_port", port),
		may("inspector_ip", text),
		may("local_protocol", oneOf("http", "https")),
		may("upstream_protocol", oneOf("http", "https")),
		may("host", hostName),
		may("enable_containers", flag),
		may("container_engine", textOrObject),
		may("generate_types", flag),
	)

	triggers = objectWith(
		may("crons", arrayOf("strings", cronExpression)),
		may("events", repositoryEvents),
	)

	durableObjects = objectWith(
		may("bindings", arrayOf("objects", objectWith(
			need("name", nonEmptyText),
			need("class_name", className),
			may("script_name", nonEmptyText),
			may("environment", nonEmptyText),
		))),
		may("code_update_strategy", objectWith(
			need("mode", oneOf("immediate", "deferred")),
			may("max_delay", delay),
		)),
	)

	migrations = arrayOf("objects", objectWith(
		need("tag", nonEmptyText),
		may("new_classes", classNames),
		may("new_sqlite_classes", classNames),
		may("renamed_classes", arrayOf("objects", objectWith(
			need("from", className),
			need("to", className),
		))),
		may("deleted_classes", classNames),
		may("transferred_classes", arrayOf("objects", objectWith(
			need("from", className),
			need("from_script", nonEmptyText),
			need("to", className),
		))),
	))

	secrets = objectWith(may("required", arrayOf("strings", nonEmptyText)))

	// The variants of an entry of exports, by what it exports and, for a class of Durable Objects, what becomes of it.
	exportStores     = oneOf("sqlite", "legacy-kv")
	exportOfWorker   = objectWith(need("type", oneOf("worker")), may("cache", objectWith(need("enabled", flag))))
	exportOfWorkflow = objectWith(append([]field{need("type", oneOf("workflow"))}, workflowFields...)...)
	exportsByState   = map[string]*shape{
		stateCreated:     exportOfClass(may("state", oneOf(stateCreated)), need("storage", exportStores), may("container", text)),
		stateDeleted:     exportOfClass(need("state", oneOf(stateDeleted))),
		stateRenamed:     exportOfClass(need("state", oneOf(stateRenamed)), need("renamed_to", className)),
		stateTransferred: exportOfClass(need("state", oneOf(stateTransferred)), need("transferred_to", nonEmptyText)),
		stateExpectingTransfer: exportOfClass(need("state", oneOf(stateExpectingTransfer)), need("storage", exportStores),
			need("transfer_from", nonEmptyText), may("container", text)),
	}

	// An entry that is none of them.
	exportOfUnknown = openObject(need("type", oneOf("durable-object", "worker", "workflow")))
	exportOfNoState = openObject(
		need("state", oneOf(stateCreated, stateDeleted, stateRenamed, stateTransferred, stateExpectingTransfer)))

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
		fields: append([]field{need("type", oneOf("durable-object"))}, fields...)}
}

// variantOfExport returns what an entry of exports has to look like by what it says it is.
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
		return exportOfNoState
	}
	return exportOfUnknown
}
