package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// sequenceLength is the number of operations in a random sequence.
const sequenceLength = 30

// A kind is a sort of operation in random sequences, with its relative frequency.
type kind struct {
	weight int
	make   func(*rand.Rand) Op
}

// kinds are the operations of random sequences. They avoid operations on which the two sides are
// known to differ.
var kinds = slices.Concat(storageKinds, alarmKinds, sqlKinds, []kind{
	{16, func(*rand.Rand) Op { return request() }},
	{2, func(*rand.Rand) Op { return deleteAll() }},
	{4, func(*rand.Rand) Op { return commit() }},
	{4, func(*rand.Rand) Op { return count() }},
	{3, func(*rand.Rand) Op { return sleep(1) }},
	{4, func(*rand.Rand) Op { return throw("case: thrown") }},
	{4, func(*rand.Rand) Op { return abort("case: aborted") }},
	{4, func(r *rand.Rand) Op { return block(some(r, 3, innerKinds)...) }},
	{2, func(r *rand.Rand) Op { return block(append(some(r, 2, innerKinds), throw("case: blocked"))...) }},
	{4, func(r *rand.Rand) Op { return call(put(key(r), anyValue(r)), list(nil)).to("other") }},
	{2, func(r *rand.Rand) Op { return call(put(key(r), anyValue(r)), throw("case: other")).to("other") }},
	{12, func(r *rand.Rand) Op { return anyTransaction(r, "t") }},
	{2, func(r *rand.Rand) Op { return block(anyTransaction(r, "t")) }},
})

// innerKinds are the kinds that may also occur in blocks and transactions.
var innerKinds = slices.Concat(storageKinds, alarmKinds, sqlKinds)

var storageKinds = []kind{
	{10, func(r *rand.Rand) Op { return put(key(r), anyValue(r)) }},
	{4, func(r *rand.Rand) Op { return putMany(anyEntries(r)) }},
	{6, func(r *rand.Rand) Op { return get(key(r)) }},
	{3, func(r *rand.Rand) Op { return getMany(keys(r)...) }},
	{4, func(r *rand.Rand) Op { return remove(key(r)) }},
	{2, func(r *rand.Rand) Op { return deleteMany(keys(r)...) }},
	{10, func(r *rand.Rand) Op { return list(anyOptions(r)) }},
}

var alarmKinds = []kind{
	{3, func(r *rand.Rand) Op { return setAlarm(int64(1+r.IntN(9)) * 100_000) }},
	{4, func(*rand.Rand) Op { return getAlarm() }},
	{2, func(*rand.Rand) Op { return deleteAlarm() }},
}

// sequence returns random operations for one object. They begin with the tables that the others
// use.
func sequence(r *rand.Rand) []Op {
	operations := []Op{sql(tables)}
	for len(operations) < sequenceLength {
		operations = append(operations, choose(r, kinds))
	}
	return operations
}

// choose returns an operation of one of the kinds, chosen by weight.
func choose(r *rand.Rand, kinds []kind) Op {
	all := 0
	for _, k := range kinds {
		all += k.weight
	}
	n := r.IntN(all)
	i := 0
	for ; n >= kinds[i].weight; i++ {
		n -= kinds[i].weight
	}
	return kinds[i].make(r)
}

// some returns one to n operations.
func some(r *rand.Rand, n int, kinds []kind) []Op {
	operations := make([]Op, 1+r.IntN(n))
	for i := range operations {
		operations[i] = choose(r, kinds)
	}
	return operations
}

// request marks where a sequence continues in another request. It is not an operation itself.
func request() Op { return Op{Name: "request"} }

// requests divides a sequence into the requests that run it, and appends one that shows the final
// state.
func requests(operations []Op) []Op {
	return append(divided(operations),
		call(append([]Op{list(nil), getAlarm(), count()}, sqlAll()...)...),
		call(list(nil)).to("other"))
}

// divided returns the requests that run a sequence.
func divided(operations []Op) []Op {
	var calls []Op
	var one []Op
	for _, o := range operations {
		if o.Name != "request" {
			one = append(one, o)
			continue
		}
		if len(one) > 0 {
			calls = append(calls, call(one...))
		}
		one = nil
	}
	if len(one) > 0 {
		calls = append(calls, call(one...))
	}
	return calls
}

// sampleKeys are few, so that operations meet. Their order by bytes differs from that of UTF-16.
var sampleKeys = []string{"", "a", "aa", "ab", "a:1", "a:2", "a\x00", "b", "B", "é", "\ufffd", "😀"}

func key(r *rand.Rand) string { return sampleKeys[r.IntN(len(sampleKeys))] }

func keys(r *rand.Rand) []string {
	some := make([]string, r.IntN(5))
	for i := range some {
		some[i] = key(r)
	}
	return some
}

func anyEntries(r *rand.Rand) object {
	entries := object{}
	for _, k := range keys(r) {
		entries[k] = anyValue(r)
	}
	return entries
}

func anyValue(r *rand.Rand) any {
	switch r.IntN(9) {
	case 8:
		return large(r)
	case 0:
		return nil
	case 1:
		return r.IntN(2) == 0
	case 2:
		return r.NormFloat64()
	case 3:
		return fmt.Sprintf("text %d <&>\u2028", r.IntN(100))
	case 4:
		return []any{r.IntN(10), nil, []any{}}
	case 5:
		return object{"n": r.IntN(10), "": object{}}
	case 6:
		return binary("AP8B")
	}
	return date(int64(r.IntN(1 << 40)))
}

// large returns a text of a size at which something may change: from 64 KiB on it is sent by
// itself, and it takes several pages of the file.
func large(r *rand.Rand) any {
	sizes := []int{1000, 4000, 65_000, 65_536, 66_000, 300_000}
	return long(sizes[r.IntN(len(sizes))])
}

// anyOptions returns options of list. Bounds are never empty and the limit is never zero, because
// the two sides differ on those.
func anyOptions(r *rand.Rand) object {
	options := object{}
	bounds := []string{"start", "startAfter", "end", "prefix"}
	for _, name := range bounds {
		if k := key(r); k != "" && r.IntN(3) == 0 {
			options[name] = k
		}
	}
	if r.IntN(3) == 0 {
		options["reverse"] = true
	}
	if r.IntN(3) == 0 {
		options["limit"] = 1 + r.IntN(4)
	}
	return options
}
