package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// A Mismatch is a place where a side does not state the expected fact.
type Mismatch struct {
	// Where is the path to the operation, such as "2 call / 1 get".
	Where string
	// Platform and Ours are the facts, in JSON.
	Platform, Ours string
	// Want is the expected fact in JSON, or empty if the two sides only had to agree.
	Want string
}

func (m Mismatch) String() string {
	s := fmt.Sprintf("%s\n    platform %s\n    ours     %s", m.Where, m.Platform, m.Ours)
	if m.Want != "" {
		s += "\n    expected " + m.Want
	}
	return s
}

// compare returns the mismatches between a program and the facts that the two sides have stated for
// its operations.
func compare(program []Op, platform, ours []any) []Mismatch {
	return compareAt("", program, platform, ours)
}

func compareAt(where string, program []Op, platform, ours []any) []Mismatch {
	var all []Mismatch
	for i := range max(len(program), len(platform), len(ours)) {
		if i >= len(program) || i >= len(platform) || i >= len(ours) {
			all = append(all, Mismatch{
				Where:    fmt.Sprintf("%s%d operations", where, len(program)),
				Platform: fmt.Sprintf("%d facts", len(platform)),
				Ours:     fmt.Sprintf("%d facts", len(ours)),
			})
			break
		}
		o := program[i]
		all = append(all, compareOp(fmt.Sprintf("%s%d %s", where, i+1, o), o, platform[i], ours[i])...)
	}
	return all
}

func compareOp(where string, o Op, platform, ours any) []Mismatch {
	if o.racy {
		return nil
	}
	if o.want == nil {
		_, ofPlatform := nested(platform)
		_, ofOurs := nested(ours)
		if len(o.Do) > 0 && ofPlatform && ofOurs {
			return compareNested(where, o, platform.(object), ours.(object))
		}
		if o.mustSucceed() && (!ofPlatform || !ofOurs) {
			return []Mismatch{{where, show(platform), show(ours), "facts of its operations"}}
		}
		if reflect.DeepEqual(platform, ours) {
			return nil
		}
		return []Mismatch{{where, show(platform), show(ours), ""}}
	}
	wantPlatform, wantOurs := plain(o.want.platform), plain(o.want.ours)
	if reflect.DeepEqual(platform, wantPlatform) && reflect.DeepEqual(ours, wantOurs) {
		return nil
	}
	want := show(wantPlatform)
	if o.want.chosen {
		want += ", ours " + show(wantOurs)
	}
	return []Mismatch{{where, show(platform), show(ours), want}}
}

// compareNested compares the facts of an operation that consists of others.
func compareNested(where string, o Op, platform, ours object) []Mismatch {
	p, _ := nested(platform)
	q, _ := nested(ours)
	threw := platform["threw"]
	if !reflect.DeepEqual(threw, ours["threw"]) {
		return []Mismatch{{where, show(platform), show(ours), ""}}
	}
	program := o.Do
	// A throw and a rollback skip the others, and are no facts.
	if done := len(p); done == len(q) && done < len(program) && (threw != nil || program[done].Name == "rollback") {
		program = program[:done]
		if left := (Op{Do: o.Do[done:]}); left.mustSucceed() {
			return []Mismatch{{where, show(platform), show(ours), "facts of all its operations"}}
		}
	}
	return compareAt(where+" / ", program, p, q)
}

// mustSucceed reports whether the case expects facts of an operation in o. Then both sides failing
// alike is a mismatch, too.
func (o Op) mustSucceed() bool {
	return anyOp(o.Do, func(inner Op) bool { return inner.want != nil })
}

// String names the operation and its main argument.
func (o Op) String() string {
	s := o.Name
	for _, argument := range []string{o.Object, o.Key, o.Text, o.Query} {
		if argument != "" {
			s += " " + fmt.Sprintf("%.30q", argument)
		}
	}
	return s
}

// nested returns the facts that a fact consists of, if it consists of others.
func nested(fact any) ([]any, bool) {
	o, ok := fact.(map[string]any)
	if !ok {
		return nil, false
	}
	facts, ok := o["facts"].([]any)
	return facts, ok
}

// plain returns v as it is after a round trip through JSON. So a value written in Go compares with
// one from the network.
func plain(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("expected fact is not JSON: %v", err)) // a fault of the case
	}
	var p any
	if err := json.Unmarshal(b, &p); err != nil {
		panic(err) // it was just encoded
	}
	return p
}

// How many bytes of a fact a mismatch shows, and of a program a report.
const (
	maxShown   = 400
	maxProgram = 10_000
)

func show(v any) string { return showUpTo(maxShown, v) }

// showUpTo returns v in JSON, cut after n bytes.
func showUpTo(n int, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > n {
		return fmt.Sprintf("%s… (%d bytes)", b[:n], len(b))
	}
	return string(b)
}
