package durabletest

import (
	"encoding/json"
	"net/http"
)

// The faults that a test can inject. Each strikes the object once, at its next event of that kind.
// The object need not exist yet. The log has a line when a fault strikes. A fault that has not
// struck when the test ends fails the test, with the reason.

// FailNextAlarm makes the next run of the object's alarm fail before its handler is called. The
// alarm is then retried, as after a failure of the handler.
func (o Object) FailNextAlarm() {
	o.t.Helper()
	o.inject("fail-alarm")
}

// DuplicateNextAlarm makes the object's alarm run once more after its next successful run, with the
// same ScheduledTime, as at-least-once delivery permits. What the first run wrote stays, and so
// does the alarm that it has set or deleted.
//
// In the second run, GetAlarm returns the alarm that the first run left: the one that it set, or
// none. The second run may set or delete it, and what it leaves stands. The second run begins as
// soon as the clock moves, also by 0, or at the next Trigger.
func (o Object) DuplicateNextAlarm() {
	o.t.Helper()
	o.inject("duplicate-alarm")
}

// CrashBeforeCommit makes the object's next event that writes something lose its writes just before
// the commit. The object is reset, and the caller gets the same error as after a crash of the
// program. SQL that changes nothing, such as CREATE TABLE IF NOT EXISTS of a table that exists, is
// not a write.
func (o Object) CrashBeforeCommit() {
	o.t.Helper()
	o.inject("crash-before-commit")
}

// CrashAfterCommit is like CrashBeforeCommit, but strikes after the commit: the writes stay,
// although the caller gets an error.
func (o Object) CrashAfterCommit() {
	o.t.Helper()
	o.inject("crash-after-commit")
}

func (o Object) inject(fault string) {
	o.t.Helper()
	o.emulator.injected.Store(true)
	o.ask("inject "+fault+" into "+o.String(), http.MethodPost, "faults", struct {
		Identity
		Fault string `json:"fault"`
	}{o.identity(), fault}, new(json.RawMessage))
}
