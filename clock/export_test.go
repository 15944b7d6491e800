package clock

// Elapsed is told apart from its readings, since a test cannot make a time.Time whose two clocks disagree.
var Elapsed = elapsed
