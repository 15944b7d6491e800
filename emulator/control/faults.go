package control

// Faults that can be injected. Each strikes an object once, at the next event of its kind.
const (
	// FaultFailAlarm makes the next run of the object's alarm fail before its handler is called. It
	// counts as a failure of the handler.
	FaultFailAlarm = "fail-alarm"
	// FaultDuplicateAlarm makes the alarm run once more after its next run that succeeds, with the
	// same scheduled time, as at-least-once delivery allows. What the first run wrote is kept, and
	// so is the alarm that it has set or deleted: the second run sees that one, and may change it.
	FaultDuplicateAlarm = "duplicate-alarm"
	// FaultCrashBeforeCommit makes the next event that has written something lose its writes just
	// before the commit. The object is reset, and the caller gets an error as after a crash of the
	// program.
	FaultCrashBeforeCommit = "crash-before-commit"
	// FaultCrashAfterCommit strikes just after the commit: the writes are kept, but the caller gets
	// the same error.
	FaultCrashAfterCommit = "crash-after-commit"
)

// KnownFaults lists all faults.
var KnownFaults = []string{FaultFailAlarm, FaultDuplicateAlarm, FaultCrashBeforeCommit, FaultCrashAfterCommit}

// Fault is a fault to inject once into an object. Class and either name or id name the object,
// which need not exist yet.
type Fault struct {
	Object
	Fault string `json:"fault"`
}

// A PendingFault is a fault that has not struck yet.
type PendingFault struct {
	Fault
	Why string `json:"why"` // a clause for people
}

// Faults lists faults in the order in which they were injected. Faults of one object and kind of
// event strike in that order.
type Faults struct {
	Faults []PendingFault `json:"faults"`
}
