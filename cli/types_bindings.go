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

// bindingKind is the kind of a binding's value, which decides the signature of its method.
type bindingKind string

const (
	namespaceBinding bindingKind = "namespace"
	textBinding      bindingKind = "text"
	boolBinding      bindingKind = "bool"
	wholeBinding     bindingKind = "whole"  // an integer in all environments
	numberBinding    bindingKind = "number" // any other number
	valueBinding     bindingKind = "value"  // any other JSON, or different kinds in environments
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

// envBinding is a name in the environment of handlers. It covers all environments of the
// configuration.
type envBinding struct {
	Name      string      `json:"name"`
	Method    string      `json:"method"`
	Signature string      `json:"signature"`
	Kind      bindingKind `json:"kind"`
	Classes   []string    `json:"classes,omitempty"` // of a namespace; more than one if environments differ

	envs []string // the environments with this binding, "" for the top level
}

// collectBindings returns the bindings of all environments, sorted by name.
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
		b.envs = append(b.envs, env)
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

// widen returns the kind that has the values of both a and b, which differ.
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

// missingIn says which of all environments do not have the binding, or returns nothing if all do.
func (b envBinding) missingIn(all []string) string {
	var missing []string
	for _, env := range all {
		if slices.Contains(b.envs, env) {
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

// nameMethods gives each binding a unique method name. If two names lead to the same method, as
// FOO_BAR and fooBar do, both keep their spelling instead. So the result does not depend on their
// order.
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
		for n := 2; taken[b.Method]; n++ { // "a-b" and "a_b" also have the same spelling
			b.Method = fmt.Sprintf("%s_%d", literal, n)
		}
		taken[b.Method] = true
	}
}

// initialisms are words that Go writes in capitals.
var initialisms = strings.Fields("ACL AI API ASCII CPU CSS DB DNS HTML HTTP HTTPS ID IP JSON JWT KV " +
	"RPC SQL SSH TCP TLS TTL UDP UI URI URL UTF8 UUID XML")

// methodName returns name in Go's style: UPSTREAM_URL becomes UpstreamURL.
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

// literalName returns name with the fewest changes that make it the name of an exported method.
func literalName(name string) string {
	return exported(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, name))
}

// exported returns name with a capital at the beginning, or with an X before it if there is none.
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
