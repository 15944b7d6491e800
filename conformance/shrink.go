package conformance

import "slices"

// shrink returns a short part of the operations for which fails still holds. fails must hold for
// all of them. It leaves out operations, and then operations nested in the remaining ones, but none
// in a whole operation.
func shrink(operations []Op, fails func([]Op) bool) []Op {
	operations = shrinkList(operations, fails)
	for i, o := range operations {
		if len(o.Do) == 0 || o.whole {
			continue
		}
		with := func(inner []Op) []Op {
			changed := slices.Clone(operations)
			changed[i].Do = inner
			return changed
		}
		operations = with(shrink(o.Do, func(inner []Op) bool { return fails(with(inner)) }))
	}
	return operations
}

// shrinkList leaves out ever smaller pieces of a list while fails still holds.
func shrinkList(operations []Op, fails func([]Op) bool) []Op {
	for size := (len(operations) + 1) / 2; size > 0; {
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
