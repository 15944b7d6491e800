package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// crowd returns calls to one object that come one after the other, while the first one keeps the
// turn or waits. They note each step, so the trace shows who went on when.
func crowd(r *rand.Rand) []Op {
	c := crowding{Rand: r}
	first := []Op{note(crowdBegins)}
	switch r.IntN(4) {
	case 0:
		first = append(first, c.sleep())
	case 1:
		first = append(first, call(c.sleep()).to("other"))
	case 2:
		first = append(first, transaction("t", put("a", 0), c.sleep()))
	default:
		first = append(first, block(put("a", 0), c.sleep()))
	}
	calls := []Op{inCrowd(0, append(first, note("0 ends"))...)}
	for i := 1; i <= 1+r.IntN(4); i++ {
		operations := []Op{note(fmt.Sprintf("%d begins", i))}
		for j := range 1 + r.IntN(4) {
			operations = append(operations, c.step(), note(fmt.Sprintf("%d did %d", i, j+1)))
		}
		switch r.IntN(8) {
		case 0:
			operations = append(operations, c.pause(), abort("case: aborted"))
		case 1:
			operations = append(operations, c.pause(), block(throw("case: blocked")))
		case 2:
			operations = append(operations, throw("case: thrown"))
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
	// of the first sleep, both in milliseconds. Less would be too close on a busy machine.
	crowdArrives = 25
	crowdWaits   = 100
	maxSlept     = 3
)

// A crowding is a crowd in the making.
type crowding struct {
	*rand.Rand
	slept int64
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

// pause returns a sleep before a reset, which ends between two arrivals. Meanwhile the answers of
// those that have ended leave. On the platform, the caller of one that aborts at once is first.
func (c *crowding) pause() Op { return sleep(crowdArrives / 2) }

func (c *crowding) step() Op {
	switch c.IntN(12) {
	case 0:
		return c.sleep()
	case 1, 2: // a call that does not sleep would be back at no certain time
		if c.slept < maxSlept {
			return call(c.sleep()).to("other")
		}
	case 3, 4:
		return commit()
	case 5:
		return block(get("a"), c.sleep(), put("a", c.IntN(10)))
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
