package conformance

import (
	"math/rand/v2"
	"slices"
)

// A generator makes random programs of one sort. The two sides only have to agree on them.
type generator struct {
	name string
	// weight is its share of all random programs.
	weight int
	// parts returns what a program is made of. Shrinking leaves out some of them.
	parts func(*rand.Rand) []Op
	// program returns what the worker runs, of the parts that are left.
	program func(parts []Op) []Op
	// timed is set if its programs depend on how long something takes. They run in real time only,
	// and again if they differ: on a busy machine, some do by chance.
	timed bool
}

var generators = []generator{
	{name: "one object", weight: 10, parts: sequence, program: requests},
	{name: "objects", weight: 4, parts: visits, program: finalStates},
	{name: "expressions", weight: 3, parts: expressions, program: inOneCall},
	{name: "plain", weight: 2, parts: plainSequence, program: plainRequests},
	{name: "crowd", weight: 3, parts: crowd, program: atOnce, timed: true},
}

// random returns the generator and the parts of the random program of a seed, always the same.
func random(seed uint64) (generator, []Op) {
	r := rand.New(rand.NewPCG(seed, 0))
	all := 0
	for _, g := range generators {
		all += g.weight
	}
	n, i := r.IntN(all), 0
	for ; n >= generators[i].weight; i++ {
		n -= generators[i].weight
	}
	return generators[i], generators[i].parts(r)
}

// Sorts returns the names of the sorts of random programs.
func Sorts() []string {
	names := make([]string, len(generators))
	for i, g := range generators {
		names[i] = g.name
	}
	return names
}

// chosenSeeds returns the seeds of the random programs that o selects. The programs of timed depend
// on how long something takes.
func chosenSeeds(o Options) (timed, others []uint64) {
	for seed := o.Seed; len(timed)+len(others) < o.Sequences; seed++ {
		switch g, _ := random(seed); {
		case o.Sort != "" && g.name != o.Sort:
		case g.timed:
			timed = append(timed, seed)
		default:
			others = append(others, seed)
		}
	}
	return timed, others
}

// A pace is how the clock of devtool runs. Programs that do not depend on the clock must give the
// same facts at each.
type pace int

const (
	realTime pace = iota
	frozen
	fast
	paces
)

func (p pace) String() string { return [paces]string{"real time", "a frozen clock", "a fast clock"}[p] }

// paceOf returns the pace of the random program of a seed.
func paceOf(seed uint64) pace {
	g, _ := random(seed)
	switch {
	case g.timed:
	case seed%8 == 6:
		return frozen
	case seed%8 == 7:
		return fast
	}
	return realTime
}

// without are the operations whose facts depend on the clock's pace: on a frozen clock nobody ends
// a sleep, and on a fast one alarms come due, and idle objects leave memory.
var without = [paces][]string{
	frozen: {"sleep"},
	fast:   {"setAlarm", "getAlarm", "deleteAlarm", "count"},
}

// fit leaves out of a program what does not fit a pace.
func fit(program []Op, p pace) []Op {
	var fitting []Op
	for _, o := range program {
		if !slices.Contains(without[p], o.Name) {
			o.Do = fit(o.Do, p)
			fitting = append(fitting, o)
		}
	}
	return fitting
}

// A visit is a place in a random program of objects that call each other. It makes no call that can
// never end, or whose end depends on who comes first.
type visit struct {
	*rand.Rand
	// chain are the objects of the handlers around this place, the innermost last, and blocked are
	// the ones among them that let no other event in.
	chain, blocked []string
}

var visited = []string{"a", "b", "c"}

// visits returns calls to a few objects, which call each other.
func visits(r *rand.Rand) []Op {
	var calls []Op
	for _, name := range visited {
		if r.IntN(2) == 0 {
			calls = append(calls, onConstruct(constructorOf(r)...).to(name))
		}
		calls = append(calls, call(sql(tables)).to(name))
	}
	for range 4 + r.IntN(8) {
		if r.IntN(12) == 0 {
			calls = append(calls, onConstruct(constructorOf(r)...).to(visited[r.IntN(len(visited))]))
			continue
		}
		calls = append(calls, visit{Rand: r}.call())
	}
	return calls
}

// constructorOf returns the program of a constructor. It seldom fails.
func constructorOf(r *rand.Rand) []Op {
	writes := some(r, 3, slices.Concat(storageKinds, alarmKinds))
	switch r.IntN(8) {
	case 0:
		writes = append(writes, throw("case: not made"))
	case 1:
		writes = append(writes, commit())
	case 2:
		return nil
	}
	return writes
}

// call returns a call to an object that can take it.
func (v visit) call() Op {
	name := visited[v.IntN(len(visited))]
	for slices.Contains(v.blocked, name) {
		name = visited[v.IntN(len(visited))]
	}
	inner := visit{Rand: v.Rand, chain: append(slices.Clone(v.chain), name), blocked: v.blocked}
	return call(inner.handler()...).to(name)
}

// handler returns what the innermost object of the chain does.
func (v visit) handler() []Op {
	operations := v.steps(6, len(v.chain) < 4)
	if len(v.chain) == 1 && v.IntN(6) == 0 {
		// The next request must find what it writes. The two sides begin it at different places, so
		// the handler does nothing after it.
		operations = append(operations, waitUntil(some(v.Rand, 3, storageKinds)...))
	}
	return operations
}

// steps returns one to n operations.
func (v visit) steps(n int, mayCall bool) []Op {
	self := v.chain[len(v.chain)-1]
	alone := !slices.Contains(v.chain[:len(v.chain)-1], self) // or else its reset would race with its own caller
	var operations []Op
	for range 1 + v.IntN(n) {
		switch k := v.IntN(40); {
		case k < 8 && mayCall && len(v.blocked) < len(visited)-1:
			operations = append(operations, v.call())
		case k < 10:
			operations = append(operations, commit())
		case k < 12:
			operations = append(operations, sleep(1))
		case k < 14:
			operations = append(operations, count())
		case k == 14 && alone:
			return append(operations, abort("case: aborted"))
		case k == 15:
			return append(operations, throw("case: thrown"))
		case k < 18 && alone:
			operations = append(operations, block(v.inside(self).steps(3, mayCall)...))
		case k < 20 && alone:
			operations = append(operations, transaction("t", v.inside(self).steps(3, mayCall)...))
		default:
			operations = append(operations, choose(v.Rand, innerKinds))
		}
	}
	return operations
}

// inside returns v in a block or transaction of the object self.
func (v visit) inside(self string) visit {
	v.blocked = append(slices.Clone(v.blocked), self)
	return v
}

// finalStates appends what all objects of visits have in the end.
func finalStates(calls []Op) []Op {
	calls = slices.Clone(calls)
	for _, name := range visited {
		calls = append(calls,
			onConstruct().to(name),
			call(append([]Op{list(nil), getAlarm()}, sqlAll()...)...).to(name),
		)
	}
	return calls
}

func inOneCall(operations []Op) []Op { return []Op{call(operations...)} }
