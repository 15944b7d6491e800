package config

import (
	"errors"
	"strings"
)

// maxExpanded bounds the length of an expanded value, and maxExpansions the number of references on
// the way: a value may refer to itself through others.
const (
	maxExpanded   = 64 << 10
	maxExpansions = 1000
)

var errEndless = errors.New("its references do not end")

// expand replaces the references in the values of .env files, as the npm package dotenv-expand
// does. They are $NAME and ${NAME}, ${NAME:-text} for a text if NAME has no value, and
// ${NAME:+text} for a text if it has one. \$ is a dollar sign. Quotes make no difference. A value
// sees the variables above it and those of the process, which take precedence over the files.
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
				return nil, a.errorAt("endless-expansion", `write \$ for a literal dollar sign`,
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

// expandValue replaces one reference after the other, from the left, including references in
// inserted text. It stops when the whole value equals one of those above, whose dollar signs are
// literal.
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
		case found != "" && !seen[found]: // a value seen before refers to itself
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

// varReference is a reference to a variable in a value.
type varReference struct {
	span  span
	name  string
	text  string // replaces the variable's value
	ifSet bool   // whether text applies if the variable has a value, or if it has none
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

// parseReference reads the text between braces. A colon before the operator makes no difference,
// because an empty value always counts as none.
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
