package config

import (
	"errors"
	"strings"
)

// maxExpanded is how long a value may become, and maxExpansions how many references it may take to get there: values
// may refer to themselves by way of others.
const (
	maxExpanded   = 64 << 10
	maxExpansions = 1000
)

var errEndless = errors.New("it has no end")

// expand replaces the references in the values of .env files, as the npm package dotenv-expand does. They are $NAME and
// ${NAME}, ${NAME:-text} for a text if NAME has no value, and ${NAME:+text} for a text if it has one; \$ is a dollar
// sign. Quotes make no difference. A value sees the variables above it and those of the process, which win over what
// is in the files.
func expand(all []assignment, process map[string]string) ([]assignment, error) {
	above := make(map[string]string, len(all))
	lookup := func(name string) string {
		if value, ok := process[name]; ok {
			return value
		}
		return above[name]
	}
	expanded := make([]assignment, 0, len(all))
	for _, a := range all {
		if own := process[a.name]; own != "" && own != a.value {
			a.value = own
		} else {
			value, err := expandValue(a.value, lookup, above)
			if err != nil {
				return nil, a.errorAt("endless-expansion", `write \$ for a dollar sign that is meant`,
					"the value of %s can't be expanded: %v", a.name, err)
			}
			a.value = value
		}
		a.value = strings.ReplaceAll(a.value, `\$`, "$")
		above[a.name] = a.value
		expanded = append(expanded, a)
	}
	return expanded, nil
}

// expandValue replaces one reference after the other, from the left, also in what took the place of others. It stops
// where all of a value is one of those above, whose dollar signs are meant.
func expandValue(value string, lookup func(string) string, above map[string]string) (string, error) {
	seen := make(map[string]bool)
	for range maxExpansions {
		r, ok := findReference(value)
		if !ok {
			return value, nil
		}
		seen[value] = true
		by, found := r.text, lookup(r.name)
		switch {
		case r.ifSet:
			if found == "" {
				by = ""
			}
		case found != "" && !seen[found]: // one that was seen refers to itself
			by = found
		}
		value = value[:r.span.start] + by + value[r.span.end:]
		if done, ok := above[r.name]; ok && value == done {
			return value, nil
		}
		if len(value) > maxExpanded {
			break
		}
	}
	return "", errEndless
}

// varReference is a place in a value where another one belongs.
type varReference struct {
	span  span
	name  string
	text  string // instead of the other value
	ifSet bool   // text is for when there is a value, not for when there is none
}

// findReference returns the first reference in a value.
func findReference(value string) (varReference, bool) {
	for i := 0; i < len(value); i++ {
		if value[i] != '$' || i > 0 && value[i-1] == '\\' {
			continue
		}
		rest := value[i+1:]
		if strings.HasPrefix(rest, "{") {
			if end := strings.IndexAny(rest[1:], "{}"); end > 0 && rest[1+end] == '}' {
				return parseReference(span{i, i + end + 3}, rest[1:1+end]), true
			}
		} else if end := identifierEnd(rest); end > 0 {
			return varReference{span: span{i, i + 1 + end}, name: rest[:end]}, true
		}
	}
	return varReference{}, false
}

// parseReference reads what stands between braces. A colon before the operator makes no difference: an empty value
// counts as none in any case.
func parseReference(at span, inner string) varReference {
	i := strings.IndexAny(inner, "+-")
	if i < 0 {
		return varReference{span: at, name: inner}
	}
	return varReference{span: at, name: strings.TrimSuffix(inner[:i], ":"), text: inner[i+1:], ifSet: inner[i] == '+'}
}

func identifierEnd(s string) int {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || i > 0 && '0' <= c && c <= '9') {
			return i
		}
	}
	return len(s)
}
