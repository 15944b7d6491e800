package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"devtool.internal/config"
)

var validTypeName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_]*$`)

// bindingKind is what a method returns.
type bindingKind string

const (
	namespaceBinding bindingKind = "namespace"
	textBinding      bindingKind = "text"
	boolBinding      bindingKind = "bool"
	wholeBinding     bindingKind = "whole"  // a number without a fraction, wherever it is given
	numberBinding    bindingKind = "number" // any other number
	valueBinding     bindingKind = "value"  // any other JSON, or of several kinds
)

// signatures are the parameters and results of the methods.
var signatures = map[bindingKind]string{
	namespaceBinding: "() *durable.Namespace",
	textBinding:      "() string",
	boolBinding:      "() (bool, error)",
	wholeBinding:     "() (int64, error)",
	numberBinding:    "() (float64, error)",
	valueBinding:     "(v any) error",
}

// envBinding is a name in the environment of handlers, over all environments of the configuration.
type envBinding struct {
	Name      string      `json:"name"`
	Method    string      `json:"method"`
	Signature string      `json:"signature"`
	Kind      bindingKind `json:"kind"`
	Classes   []string    `json:"classes,omitempty"` // of a namespace; more than one if environments differ

	has []string // the environments that have it, "" for the top level
}

// collectBindings returns what handlers find in their environment, in the order of names.
func collectBindings(configs []*config.Config) ([]envBinding, error) {
	byName := make(map[string]*envBinding)
	var conflict error
	add := func(env, name string, kind bindingKind, class string) {
		b := byName[name]
		if b == nil {
			b = &envBinding{Name: name, Kind: kind}
			byName[name] = b
		}
		if b.Kind != kind {
			if (b.Kind == namespaceBinding || kind == namespaceBinding) && conflict == nil {
				conflict = failure("give one of them another name",
					"%s is a class in one environment and a variable in another", name)
			}
			b.Kind = widen(b.Kind, kind)
		}
		if class != "" && !slices.Contains(b.Classes, class) {
			b.Classes = append(b.Classes, class)
		}
		b.has = append(b.has, env)
	}
	for _, c := range configs {
		for _, o := range c.DurableObjects {
			class := o.ClassName
			if !c.Owns(o) {
				class += " of the worker " + o.ScriptName
			}
			add(c.Env, o.Name, namespaceBinding, class)
		}
		for _, v := range c.Vars {
			add(c.Env, v.Name, kindOf(v), "")
		}
		for _, name := range c.RequiredSecrets {
			add(c.Env, name, textBinding, "")
		}
	}
	if conflict != nil {
		return nil, conflict
	}
	var list []envBinding
	for _, b := range byName {
		b.Signature = signatures[b.Kind]
		list = append(list, *b)
	}
	slices.SortFunc(list, func(a, b envBinding) int { return cmp.Compare(a.Name, b.Name) })
	nameMethods(list)
	return list, nil
}

// widen returns the kind that has the values of both, which differ.
func widen(a, b bindingKind) bindingKind {
	if a != wholeBinding && a != numberBinding || b != wholeBinding && b != numberBinding {
		return valueBinding
	}
	return numberBinding
}

func kindOf(v config.Var) bindingKind {
	if !v.JSON {
		return textBinding
	}
	var value any
	if err := json.Unmarshal([]byte(v.Value), &value); err != nil {
		return valueBinding
	}
	switch value.(type) {
	case bool:
		return boolBinding
	case float64:
		if _, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return wholeBinding
		}
		return numberBinding
	}
	return valueBinding
}

// lacks says in which environments of all a binding is missing, or is empty.
func (b envBinding) lacks(all []string) string {
	var missing []string
	for _, env := range all {
		if slices.Contains(b.has, env) {
			continue
		}
		if env == "" {
			missing = append(missing, "at the top level")
		} else {
			missing = append(missing, "in env."+env)
		}
	}
	return strings.Join(missing, ", ")
}

// nameMethods gives each binding a method of its own. Where two names come to the same method, as
// FOO_BAR and fooBar do, both keep their spelling instead, so that it does not depend on which was
// there first.
func nameMethods(bindings []envBinding) {
	count := make(map[string]int)
	for i := range bindings {
		bindings[i].Method = methodName(bindings[i].Name)
		count[bindings[i].Method]++
	}
	taken := make(map[string]bool)
	for _, b := range bindings {
		if count[b.Method] == 1 {
			taken[b.Method] = true
		}
	}
	for i := range bindings {
		b := &bindings[i]
		if count[b.Method] == 1 {
			continue
		}
		literal := literalName(b.Name)
		b.Method = literal
		for n := 2; taken[b.Method]; n++ { // "a-b" and "a_b" are spelt alike, too
			b.Method = fmt.Sprintf("%s_%d", literal, n)
		}
		taken[b.Method] = true
	}
}

// initialisms are words that Go writes in capitals.
var initialisms = strings.Fields("ACL AI API ASCII CPU CSS DB DNS HTML HTTP HTTPS ID IP JSON JWT KV " +
	"RPC SQL SSH TCP TLS TTL UDP UI URI URL UTF8 UUID XML")

// methodName is name as Go writes it: UPSTREAM_URL becomes UpstreamURL.
func methodName(name string) string {
	var b strings.Builder
	between := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for _, word := range strings.FieldsFunc(name, between) {
		runes := []rune(word)
		switch upper := strings.ToUpper(word); {
		case slices.Contains(initialisms, upper):
			b.WriteString(upper)
		case upper == word:
			b.WriteString(string(runes[:1]) + strings.ToLower(string(runes[1:])))
		default:
			b.WriteString(string(unicode.ToUpper(runes[0])) + string(runes[1:]))
		}
	}
	return exported(b.String())
}

// literalName is name with as little changed as an exported method bears.
func literalName(name string) string {
	return exported(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, name))
}

// exported is name with something before it if Go would not export it as it is.
func exported(name string) string {
	first := append([]rune(name), 0)[0]
	switch {
	case unicode.IsUpper(first):
		return name
	case unicode.IsLower(first) && unicode.IsUpper(unicode.ToUpper(first)):
		return string(unicode.ToUpper(first)) + string([]rune(name)[1:])
	}
	return "X" + name
}
