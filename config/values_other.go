package config

import (
	"math"
	"regexp"
	"strings"
)

// Checks of the values that devtool accepts and does not use. They refuse what wrangler refuses, so that a file that is
// good here can be deployed; `make conformance` compares the two.

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

// fromOne is a check for counts.
var fromOne = whole("out-of-range", 1, math.MaxInt64)

// validRetention takes a positive number of milliseconds or a text such as "3 days".
func validRetention(n *node) *complaint {
	if n.kind == kindString {
		return notEmpty(n)
	}
	return fromOne(n)
}

// notEmptyOrNone refuses an empty text and an empty list.
func notEmptyOrNone(n *node) *complaint {
	if n.kind == kindArray && len(n.elems) == 0 || n.kind == kindString && n.text == "" {
		return &complaint{id: "empty", message: "must not be empty"}
	}
	return nil
}

// uniqueWorkflows wants each name once: it is what the platform knows a workflow by.
func uniqueWorkflows(n *node) *complaint {
	return unique(n, "two workflows", "name")
}

// uniqueSockets wants each port once for each protocol.
func uniqueSockets(n *node) *complaint {
	return unique(n, "two sockets", "protocol", "port")
}

// unique returns what is wrong with a list in which two objects have the same in all of fields.
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
			return &complaint{id: "duplicate", message: "has " + things + " with the " + strings.Join(fields, " and ") + " " + quote(key)}
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

// validListedRoute is validRoute for an element of routes. The one of route may be empty, and counts as absent.
func validListedRoute(n *node) *complaint {
	if n.kind == kindString {
		return notEmpty(n)
	}
	return validRoute(n)
}

// validRoute wants what says where a route's pattern belongs.
func validRoute(n *node) *complaint {
	switch {
	case n.kind == kindString:
		return nil
	case n.has("zone_id", "zone_name"):
		return &complaint{id: "exclusive-keys", member: "zone_name", message: "has both zone_id and zone_name: only one of them can be there"}
	case n.has("custom_domain"):
		return nil
	case n.has("enabled") || n.has("previews_enabled"):
		return &complaint{id: "missing-field", message: `has no "custom_domain", without which it can't be enabled or not`}
	case n.has("zone_id") || n.has("zone_name"):
		return nil
	case len(n.members) > 1:
		return nil // what else there is can't be, which is said
	}
	return &complaint{id: "missing-field", message: `has no "zone_id", "zone_name" or "custom_domain"`,
		hint: "a route that is a string needs none"}
}

// validPlacement wants one of the two forms: a mode, perhaps with a hint, or a target.
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
		return &complaint{id: "exclusive-keys", member: "hint", message: "has both hint and " + targets[0] + ": only one of them can be there"}
	case len(targets) > 1:
		return &complaint{id: "exclusive-keys", member: targets[1], message: "has " + enumerate(targets) + ": only one of them can be there"}
	case len(targets) == 1 && n.str(targets[0]) == "" && n.get(targets[0]).kind == kindString:
		return &complaint{id: "empty", member: targets[0], message: "has an empty " + targets[0]}
	case len(targets) == 1 && n.has("mode") && mode != "targeted":
		return &complaint{id: "exclusive-keys", member: "mode", message: "has a " + targets[0] + ", which only the mode \"targeted\" has"}
	case len(targets) == 0 && mode == "targeted":
		return &complaint{id: "missing-field", message: `has no "region", "host" or "hostname"`}
	case len(targets) == 0 && !n.has("mode"):
		return &complaint{id: "missing-field", message: `has no "mode"`}
	case n.str("hint") != "" && mode != "smart":
		return &complaint{id: "exclusive-keys", member: "hint", message: `has a hint, which only the mode "smart" has`}
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
		return &complaint{id: "exclusive-keys", member: "network_id", message: "has both tunnel_id and network_id: only one of them can be there"}
	case n.has("tunnel_id") || n.has("network_id"):
		return nil
	}
	return &complaint{id: "missing-field", message: `has no "tunnel_id" or "network_id"`}
}

// validSchemas wants the schemas of unsafe.capnp in one of two forms: compiled, or by their sources.
func validSchemas(n *node) *complaint {
	switch {
	case n.has("compiled_schema") && (n.has("base_path") || n.has("source_schemas")):
		return &complaint{id: "exclusive-keys", member: "compiled_schema", message: "has both compiled_schema and sources: only one of them can be there"}
	case n.has("compiled_schema") || n.has("base_path", "source_schemas"):
		return nil
	}
	return &complaint{id: "missing-field", message: `has no "compiled_schema", nor both "base_path" and "source_schemas"`}
}
