package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// sequenceLength is how many operations a random sequence has.
const sequenceLength = 30

// A kind is a sort of operation that random sequences have, and how often among all kinds.
type kind struct {
	weight int
	make   func(*rand.Rand) Op
}

// kinds are what random sequences consist of. What the two sides are known to do differently is not among them.
var kinds = []kind{
	{8, func(*rand.Rand) Op { return request() }},
	{10, func(r *rand.Rand) Op { return put(key(r), anyValue(r)) }},
	{4, func(r *rand.Rand) Op { return putMany(anyEntries(r)) }},
	{6, func(r *rand.Rand) Op { return get(key(r)) }},
	{3, func(r *rand.Rand) Op { return getMany(keys(r)...) }},
	{4, func(r *rand.Rand) Op { return remove(key(r)) }},
	{2, func(r *rand.Rand) Op { return deleteMany(keys(r)...) }},
	{10, func(r *rand.Rand) Op { return list(anyOptions(r)) }},
	{1, func(*rand.Rand) Op { return block(deleteAll(), commit()) }},
	{3, func(*rand.Rand) Op { return commit() }},
	{3, func(r *rand.Rand) Op { return setAlarm(int64(1+r.IntN(9)) * 100_000) }},
	{4, func(*rand.Rand) Op { return getAlarm() }},
	{2, func(*rand.Rand) Op { return deleteAlarm() }},
	{2, func(*rand.Rand) Op { return count() }},
	{2, func(*rand.Rand) Op { return sleep(1) }},
	{2, func(*rand.Rand) Op { return throw("case: thrown") }},
	{2, func(*rand.Rand) Op { return abort("case: aborted") }},
	{2, func(r *rand.Rand) Op { return block(put(key(r), anyValue(r)), getAlarm(), list(nil)) }},
	{1, func(r *rand.Rand) Op { return block(put(key(r), anyValue(r)), throw("case: blocked")) }},
	{2, func(r *rand.Rand) Op { return call(put(key(r), anyValue(r)), list(nil)).to("other") }},
	{1, func(r *rand.Rand) Op { return call(put(key(r), anyValue(r)), throw("case: other")).to("other") }},
}

// sequence returns the random operations of a seed, always the same ones.
func sequence(seed uint64) []Op {
	r := rand.New(rand.NewPCG(seed, 0))
	all := 0
	for _, k := range kinds {
		all += k.weight
	}
	operations := make([]Op, sequenceLength)
	for i := range operations {
		n := r.IntN(all)
		for _, k := range kinds {
			if n -= k.weight; n < 0 {
				operations[i] = k.make(r)
				break
			}
		}
	}
	return operations
}

// request is where a sequence goes on in another request. It is not carried out itself.
func request() Op { return Op{Name: "request"} }

// requests divides a sequence into the requests that carry it out, and one at the end that shows what is left.
func requests(operations []Op) []Op {
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
	return append(calls, call(list(nil), getAlarm(), count()), call(list(nil)).to("other"))
}

// sampleKeys are few, so that operations meet, and in an order by bytes that is not that of UTF-16.
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
	switch r.IntN(8) {
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

// anyOptions are options of list. Bounds are never empty and the limit never zero, for with these the two sides differ.
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

// shrink returns a part of the operations, as short as it is found, for which fails still holds; it holds for all of them.
// It leaves out ever smaller pieces as long as that helps.
func shrink(operations []Op, fails func([]Op) bool) []Op {
	for size := len(operations) / 2; size > 0; {
		smaller := false
		for at := 0; at+size <= len(operations); {
			fewer := slices.Delete(slices.Clone(operations), at, at+size)
			if fails(fewer) {
				operations, smaller = fewer, true
			} else {
				at += size
			}
		}
		if !smaller || size > len(operations) {
			size /= 2
		}
	}
	return operations
}
