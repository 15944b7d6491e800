package conformance

import "slices"

// A Case is a program for the worker: what it sends to which objects, and what they must state.
type Case struct {
	Name string
	Do   []Op
}

// Cases returns all hand-written cases. Each has its own name, because objects have the name of
// their case.
func Cases() []Case {
	return slices.Concat(
		keyCases(), listCases(), valueCases(),
		alarmCases(), retryCases(),
		writeCases(), turnCases(), lifecycleCases(), idCases(),
		statementCases(), bindingCases(), schemaCases(), sqlErrorCases(), cursorCases(), rightCases(),
		functionCases(), limitCases(), sizeCases(), buildCases(),
		transactionCases(), survivalCases(), hangUpCases(), plainCases(), systemCases(), orderCases(),
	)
}

// differs reports whether the case expects different facts of the two sides.
func (c Case) differs() bool {
	return anyOp(c.Do, func(o Op) bool { return o.want != nil && o.want.chosen })
}

// timed reports whether the case depends on how long something takes.
func (c Case) timed() bool {
	return anyOp(c.Do, func(o Op) bool {
		return o.Name == "alarms" || o.Name == "sleep" || o.Name == "waitFor" || o.Later > 0
	})
}

// anyOp reports whether f holds for one of the operations, or for one nested in them.
func anyOp(program []Op, f func(Op) bool) bool {
	for _, o := range program {
		if f(o) || anyOp(o.Do, f) || slices.ContainsFunc(o.Runs, func(run []Op) bool { return anyOp(run, f) }) {
			return true
		}
	}
	return false
}

// one returns a case that runs a single program in its main object.
func one(name string, program ...Op) Case {
	return Case{Name: name, Do: []Op{call(program...)}}
}
