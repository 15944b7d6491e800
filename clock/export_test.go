package clock

// Elapsed gives tests both clocks' differences separately, because a test cannot make a time.Time
// whose two clocks disagree.
var Elapsed = elapsed
