package config

import (
	"math"
	"regexp"
	"strings"
)

// Checks of the values that devtool accepts and does not use. They reject what wrangler rejects, so
// that a file that is valid here can be deployed. `make conformance` compares the two.

var bucketNamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

func validBucketName(n *node) *complaint {
	if bucketNamePattern.MatchString(n.text) {
		return nil
	}
	return &complaint{id: "invalid-name", message: `must have 3 to 63 lower-case letters, digits and "-", ` +
		"and begin and end with a letter or digit: not " + quote(n.text)}
}

var workflowNamePattern = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,63}$`)

func validWorkflowName(n *node) *complaint {
	if workflowNamePattern.MatchString(n.text) {
		return nil
	}
	return &complaint{id: "invalid-name", message: `must have 1 to 64 letters, digits, "_" and "-", ` +
		`and must not begin with "-": not ` + quote(n.text)}
}

// positive is a check for counts.
var positive = integerIn("out-of-range", 1, math.MaxInt64)

// validRetention accepts a positive number of milliseconds, or a text such as "3 days".
func validRetention(n *node) *complaint {
	if n.kind == kindString {
		return notEmpty(n)
	}
	return positive(n)
}

// notEmptyOrNone rejects an empty text and an empty list.
func notEmptyOrNone(n *node) *complaint {
	if n.kind == kindArray && len(n.elems) == 0 || n.kind == kindString && n.text == "" {
		return &complaint{id: "empty", message: "must not be empty"}
	}
	return nil
}

// uniqueWorkflows rejects a name that occurs twice: the platform identifies a workflow by it.
func uniqueWorkflows(n *node) *complaint {
	return unique(n, "two workflows", "name")
}

// uniqueSockets rejects a port that occurs twice with the same protocol.
func uniqueSockets(n *node) *complaint {
	return unique(n, "two sockets", "protocol", "port")
}

// unique returns the complaint about a list in which two objects have equal values in all fields.
// things names the two objects.
func unique(n *node, things string, fields ...string) *complaint {
	seen := make(map[string]bool)
	for _, e := range n.elems {
		var identity []string
		for _, f := range fields {
			if v := e.get(f); v != nil {
				identity = append(identity, v.text)
			}
		}
		if len(identity) < len(fields) {
			continue
		}
		key := strings.Join(identity, " ")
		if seen[key] {
			return &complaint{
				id:      "duplicate",
				message: "has " + things + " with the " + strings.Join(fields, " and ") + " " + quote(key),
			}
		}
		seen[key] = true
	}
	return nil
}

// has reports whether an object has all of the fields.
func (n *node) has(fields ...string) bool {
	for _, f := range fields {
		if n.get(f) == nil {
			return false
		}
	}
	return true
}

// validListedRoute is validRoute for an element of routes. There, unlike in route, an empty string
// is an error and does not count as absent.
func validListedRoute(n *node) *complaint {
	if n.kind == kindString {
		return notEmpty(n)
	}
	return validRoute(n)
}

// validRoute requires a zone or a custom domain for a route's pattern.
func validRoute(n *node) *complaint {
	switch {
	case n.kind == kindString:
		return nil
	case n.has("zone_id", "zone_name"):
		return exclusive("zone_name", "zone_id", "zone_name")
	case n.has("custom_domain"):
		return nil
	case n.has("enabled") || n.has("previews_enabled"):
		return &complaint{id: "missing-field",
			message: `has no "custom_domain", which "enabled" and "previews_enabled" need`}
	case n.has("zone_id") || n.has("zone_name"):
		return nil
	case len(n.members) > 1:
		return nil // the check of fields reports the others
	}
	return &complaint{id: "missing-field", message: `has no "zone_id", "zone_name" or "custom_domain"`,
		hint: "or write the route as a string, which needs none of them"}
}

// validPlacement accepts one of two forms: a mode, with or without a hint, or a target.
func validPlacement(n *node) *complaint {
	var targets []string
	for _, t := range []string{"region", "host", "hostname"} {
		if n.has(t) {
			targets = append(targets, t)
		}
	}
	mode := n.str("mode")
	switch {
	case len(targets) > 0 && n.has("hint"):
		return exclusive("hint", "hint", targets[0])
	case len(targets) > 1:
		return exclusive(targets[1], targets...)
	case len(targets) == 1 && n.str(targets[0]) == "" && n.get(targets[0]).kind == kindString:
		return &complaint{id: "empty", member: targets[0], message: "has an empty " + targets[0]}
	case len(targets) == 1 && n.has("mode") && mode != "targeted":
		return &complaint{
			id: "exclusive-keys", member: "mode",
			message: "has a " + targets[0] + `, which needs the mode "targeted"`,
		}
	case len(targets) == 0 && mode == "targeted":
		return &complaint{id: "missing-field", message: `has no "region", "host" or "hostname"`}
	case len(targets) == 0 && !n.has("mode"):
		return &complaint{id: "missing-field", message: `has no "mode"`}
	case n.str("hint") != "" && mode != "smart":
		return &complaint{id: "exclusive-keys", member: "hint", message: `has a hint, which needs the mode "smart"`}
	}
	return nil
}

func someStream(n *node) *complaint {
	if n.str("stream") != "" || n.str("pipeline") != "" {
		return nil
	}
	return &complaint{id: "missing-field", message: `has no "stream"`}
}

func oneNetwork(n *node) *complaint {
	switch {
	case n.has("tunnel_id", "network_id"):
		return exclusive("network_id", "tunnel_id", "network_id")
	case n.has("tunnel_id") || n.has("network_id"):
		return nil
	}
	return &complaint{id: "missing-field", message: `has no "tunnel_id" or "network_id"`}
}

// validSchemas accepts the schemas of unsafe.capnp in one of two forms: compiled, or as sources.
func validSchemas(n *node) *complaint {
	switch {
	case n.has("compiled_schema") && (n.has("base_path") || n.has("source_schemas")):
		return &complaint{
			id: "exclusive-keys", member: "compiled_schema",
			message: "has compiled_schema and sources, which can't be combined",
		}
	case n.has("compiled_schema") || n.has("base_path", "source_schemas"):
		return nil
	}
	return &complaint{id: "missing-field",
		message: `has no "compiled_schema", nor both "base_path" and "source_schemas"`}
}
