package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// crowd returns calls to one object that come one after the other, while the first one keeps the
// turn or waits. They note each step, so the trace shows who went on when.
func crowd(r *rand.Rand) []Op {
	c := crowding{Rand: r, blocks: r.IntN(2) == 0}
	first := []Op{note(crowdBegins)}
	switch r.IntN(4) {
	case 0:
		first = append(first, c.sleep())
	case 1:
		first = append(first, call(c.sleep()).to("other").entirely())
	case 2:
		first = append(first, transaction("t", put("a", 0), c.sleep()).entirely())
	default:
		first = append(first, block(put("a", 0), c.sleep()).entirely())
	}
	calls := []Op{inCrowd(0, append(first, note("0 ends"))...)}
	for i := 1; i <= 1+r.IntN(4); i++ {
		operations := []Op{note(fmt.Sprintf("%d begins", i))}
		for j := range 1 + r.IntN(4) {
			operations = append(operations, c.step(), note(fmt.Sprintf("%d did %d", i, j+1)))
		}
		if r.IntN(8) < 3 {
			operations = append(operations, c.failure())
		}
		calls = append(calls, inCrowd(i, operations...).after(crowdBegins).later(int64(crowdArrives*i)))
	}
	return calls
}

// inCrowd returns the ith call of a crowd.
func inCrowd(i int, operations ...Op) Op {
	return outcomeOf(fmt.Sprintf("the caller of %d", i), call(operations...))
}

const (
	crowdBegins = "0 begins"
	// crowdArrives is how much later than the one before each call comes, and crowdWaits is half
	// of the first sleep, both in milliseconds. Within half of crowdArrives, a busy disk commits.
	crowdArrives = 80
	crowdWaits   = 250
	maxSlept     = 3
)

// A crowding is a crowd in the making. Its events either block for a while, or sleep, call another
// object and reset their own. Differences has what would be different if they did both: a block
// delays requests, answers and the ends of sleeps on the platform.
type crowding struct {
	*rand.Rand
	blocks bool
	slept  int64
}

// sleep returns a sleep that takes longer than all before it together. So no two moments fall
// together: neither side promises an order for them. After maxSlept sleeps it returns another
// operation.
func (c *crowding) sleep() Op {
	if c.slept++; c.slept > maxSlept {
		return count()
	}
	return sleep(crowdWaits << c.slept)
}

// failure returns how an event fails. A reset comes after a sleep that ends between two arrivals:
// meanwhile the answers of the events that have ended leave.
func (c *crowding) failure() Op {
	kind := c.IntN(3)
	switch {
	case kind == 2, c.blocks:
		return throw("case: thrown")
	case kind == 1:
		return group(sleep(crowdArrives/2), block(throw("case: blocked"))).entirely()
	}
	return group(sleep(crowdArrives/2), abort("case: aborted")).entirely()
}

func (c *crowding) step() Op {
	switch c.IntN(12) {
	case 0:
		if !c.blocks {
			return c.sleep()
		}
	case 1, 2: // a call that does not sleep would be back at no certain time
		if !c.blocks && c.slept < maxSlept {
			return call(c.sleep()).to("other").entirely()
		}
	case 3, 4:
		return commit()
	case 5:
		if c.blocks {
			return block(get("a"), c.sleep(), put("a", c.IntN(10))).entirely()
		}
		return block(get("a"), put("a", c.IntN(10)))
	case 6:
		return transaction("t", get("a"), commit(), put("a", c.IntN(10)))
	case 7:
		return sql("CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v); INSERT INTO t (v) VALUES (1) RETURNING *")
	case 8:
		return get("a")
	case 9:
		return put("a", c.IntN(10))
	case 10:
		return list(nil)
	}
	return count()
}

// atOnce runs the calls of a crowd in parallel, and shows what they have left: the failures in
// order, and what went on in the object in order. The sides take different time for an answer and a
// failure, so these have no order among each other.
func atOnce(calls []Op) []Op {
	calls = slices.Clone(calls)
	if !anyOp(calls, func(o Op) bool { return o.Text == crowdBegins }) { // it was left out
		for i := range calls {
			calls[i].After = ""
		}
	}
	return []Op{
		parallel(calls...),
		sleep(300),
		{Name: "trace", Text: "has failed"},
		{Name: "trace", Text: "the caller", By: "others"},
		call(list(nil), count()),
	}
}
