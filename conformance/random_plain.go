package conformance

import (
	"math/rand/v2"
	"slices"
)

// plainKinds are the operations of random sequences for an object of a class without SQLite.
var plainKinds = slices.Concat(plainStorage, []kind{
	{12, func(*rand.Rand) Op { return request() }},
	{2, func(*rand.Rand) Op { return deleteAll() }},
	{3, func(*rand.Rand) Op { return commit() }},
	{3, func(*rand.Rand) Op { return count() }},
	{2, func(*rand.Rand) Op { return sleep(1) }},
	{3, func(*rand.Rand) Op { return throw("case: thrown") }},
	{3, func(*rand.Rand) Op { return abort("case: aborted") }},
	{3, func(r *rand.Rand) Op { return block(some(r, 3, plainStorage)...) }},
	{2, func(r *rand.Rand) Op { return block(append(some(r, 2, plainStorage), throw("case: blocked"))...) }},
	{3, func(r *rand.Rand) Op { return call(choose(r, plainStorage), list(nil)).of("Plain").to("other") }},
	{8, plainTransaction},
})

// plainStorage are storageKinds with values that fit such a class.
var plainStorage = func() []kind {
	kinds := slices.Clone(storageKinds)
	for i, k := range storageKinds {
		kinds[i].make = func(r *rand.Rand) Op { return withPlainValues(k.make(r)) }
	}
	return kinds
}()

// maxPlain is less than the largest text that production lets such a class store in a value.
const maxPlain = 130_000

func withPlainValues(o Op) Op {
	o.Value = plainValue(o.Value)
	for key, v := range o.Entries {
		o.Entries[key] = plainValue(v)
	}
	return o
}

func plainValue(v any) any {
	if text, ok := v.(object); ok {
		if n, ok := text["$long"].(int); ok {
			return long(min(n, maxPlain))
		}
	}
	return v
}

// plainTransaction returns a transaction of storage operations. All use its own object: on the
// platform, others would not belong to it.
func plainTransaction(r *rand.Rand) Op {
	var operations []Op
	for range 1 + r.IntN(6) {
		switch r.IntN(10) {
		case 0:
			operations = append(operations, rollback())
		case 1:
			operations = append(operations, throw("case: in a transaction"))
		default:
			operations = append(operations, choose(r, plainStorage).in("t"))
		}
	}
	return transaction("t", operations...)
}

// plainSequence returns random operations for one object of a class without SQLite.
func plainSequence(r *rand.Rand) []Op {
	operations := make([]Op, sequenceLength)
	for i := range operations {
		operations[i] = choose(r, plainKinds)
	}
	return operations
}

// plainRequests divides such a sequence into the requests that run it, and appends one that shows
// the final state.
func plainRequests(operations []Op) []Op {
	calls := divided(operations)
	for i := range calls {
		calls[i].Class = "Plain"
	}
	return append(calls,
		call(list(nil), count()).of("Plain"),
		call(list(nil)).of("Plain").to("other"))
}
