package control

// Faults that can be injected. Each strikes an object once, at the next event of its kind.
const (
	// FaultFailAlarm makes the next run of the object's alarm fail before its handler is called. It
	// counts as a failure of the handler.
	FaultFailAlarm = "fail-alarm"
	// FaultDuplicateAlarm makes the alarm come once more after its next run that succeeds, as it
	// may with at-least-once delivery: what the handler wrote is kept, that it ran is forgotten. It
	// passes over a run that has set or deleted the alarm itself, for then the alarm that ran is
	// gone.
	FaultDuplicateAlarm = "duplicate-alarm"
	// FaultCrashBeforeCommit makes the next event that has written something lose it where it was
	// to be committed. The object is reset, and the caller gets an error like after a crash of the
	// program.
	FaultCrashBeforeCommit = "crash-before-commit"
	// FaultCrashAfterCommit is the same after the commit: what was written is kept, only the caller
	// does not get to know.
	FaultCrashAfterCommit = "crash-after-commit"
)

// KnownFaults are all there are.
var KnownFaults = []string{FaultFailAlarm, FaultDuplicateAlarm, FaultCrashBeforeCommit, FaultCrashAfterCommit}

// Fault is what is to go wrong once with an object, which is named by class and either name or id
// and need not exist yet.
type Fault struct {
	Object
	Fault string `json:"fault"`
}

// Faults lists faults in the order in which they were injected: those of one object and kind of
// event strike in that order.
type Faults struct {
	Faults []Fault `json:"faults"`
}
