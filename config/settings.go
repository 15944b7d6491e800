package config

import (
	"encoding/json"
	"strconv"
)

// Setting is one value of a configuration as it applies, with its origin.
type Setting struct {
	Key   string          // as messages write it, without the environment: "vars.UPSTREAM"
	Value json.RawMessage // one line; nil for OriginVariables, which may be secret
	From  Origin
	At    Position // of OriginTop and OriginEnvironment
	Name  string   // of OriginVariables: their source in words, as in Var.From
}

// Origin says what has set a value.
type Origin string

// The origins of values.
const (
	OriginTop         Origin = "top"         // the top level of the file
	OriginEnvironment Origin = "environment" // the environment's part of the file
	OriginVariables   Origin = "variables"   // .dev.vars and the like, see LoadVars
	OriginDefault     Origin = "default"     // nothing has set it
)

// Explain loads a file as Load and LoadVars do, and returns each value that applies. It takes
// objects and arrays apart, so that every value has its own origin.
func Explain(path string, o Options, v VarSources) (*Config, []Setting, []Diagnostic, error) {
	c, warnings, err := Load(path, o)
	if err != nil {
		return nil, nil, nil, err
	}
	more, err := c.LoadVars(v)
	if err != nil {
		return nil, nil, nil, err
	}
	r, root, err := reread(path)
	if err != nil {
		return nil, nil, nil, err
	}
	d := &decoder{report: r, cfg: &Config{Env: o.Env}, top: root}
	if all := root.get("env"); all != nil && o.Env != "" {
		d.env = all.get(o.Env)
	}
	list := settings{src: r.src}
	for _, k := range keys {
		p, ok := d.effective(k)
		list.from = OriginTop
		if p.fromEnv {
			list.from = OriginEnvironment
		}
		switch {
		case k.name == "vars":
			list.vars(p.node, c.Vars)
		case ok && k.name != "env" && k.name != "$schema":
			list.add(k.name, p.node)
		}
	}
	list.decide("compatibility_date", c.CompatibilityDate)
	list.decide("name", c.Name)
	return c, list.list, append(warnings, more...), nil
}

// Environments returns the names of the environments in the file at path, in its order.
func Environments(path string) ([]string, error) {
	_, root, err := reread(path)
	if err != nil {
		return nil, err
	}
	var names []string
	if all := root.get("env"); all != nil {
		for i := range all.members {
			names = append(names, all.members[i].key)
		}
	}
	return names, nil
}

// reread returns the tree of the file at path, which has already been parsed without errors.
func reread(path string) (*report, *node, error) {
	f, err := formatOf(path)
	if err != nil {
		return nil, nil, err
	}
	data, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	r, root := parse(path, data, f)
	return r, root, r.err()
}

// settings collects the values of a tree.
type settings struct {
	src  *source
	from Origin
	list []Setting
}

func (s *settings) add(key string, n *node) {
	switch {
	case n.kind == kindObject && len(n.members) > 0:
		for i := range n.members {
			s.add(joinPath(key, n.members[i].key), n.members[i].value)
		}
	case n.kind == kindArray && len(n.elems) > 0:
		for i, e := range n.elems {
			s.add(indexPath(key, i), e)
		}
	default:
		at := s.src.position(n.span.start)
		s.list = append(s.list, Setting{Key: key, Value: n.scalarJSON(), From: s.from, At: at})
	}
}

// vars adds the variables of n, which may be nil, unless another source in all replaces them. Then
// it adds the variables of the other sources.
func (s *settings) vars(n *node, all []Var) {
	replaced := make(map[string]bool)
	for _, v := range all {
		replaced[v.Name] = v.From != ""
	}
	if n != nil {
		for i := range n.members {
			if m := &n.members[i]; !replaced[m.key] {
				s.add(joinPath("vars", m.key), m.value)
			}
		}
	}
	for _, v := range all {
		if v.From != "" {
			s.list = append(s.list, Setting{Key: joinPath("vars", v.Name), From: OriginVariables, Name: v.From})
		}
	}
}

// decide sets key to the value that Load has computed. A key that is not in the file comes first,
// as a default.
func (s *settings) decide(key, value string) {
	for i := range s.list {
		if s.list[i].Key == key {
			if text := jsonString(value); string(s.list[i].Value) == `""` {
				s.list[i] = Setting{Key: key, Value: json.RawMessage(text), From: OriginDefault}
			} else {
				s.list[i].Value = json.RawMessage(text)
			}
			return
		}
	}
	s.list = append([]Setting{{Key: key, Value: json.RawMessage(jsonString(value)), From: OriginDefault}}, s.list...)
}

// scalarJSON returns the JSON of a value that holds no others. Values that only TOML has become
// strings.
func (n *node) scalarJSON() json.RawMessage {
	switch n.kind {
	case kindObject:
		return json.RawMessage("{}")
	case kindArray:
		return json.RawMessage("[]")
	case kindBool:
		return json.RawMessage(strconv.FormatBool(n.truth))
	case kindNumber:
		if json.Valid([]byte(n.text)) {
			return json.RawMessage(n.text)
		}
	case kindNull:
		return json.RawMessage("null")
	}
	return json.RawMessage(jsonString(n.text))
}
