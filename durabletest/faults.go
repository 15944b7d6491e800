package durabletest

import (
	"encoding/json"
	"net/http"
)

// The faults that a test can inject. Each strikes the object once, at its next event of that kind.
// The object need not exist yet. The log has a line when a fault strikes.

// FailNextAlarm makes the next run of the object's alarm fail before its handler is called. The
// alarm is then retried, as after a failure of the handler.
func (s *Server) FailNextAlarm(class, object string) {
	s.t.Helper()
	s.inject("fail-alarm", class, object)
}

// DuplicateNextAlarm makes the object's alarm run once more after its next successful run, as
// at-least-once delivery permits: what the handler wrote stays, but the run itself is forgotten.
// The fault skips a run in which the handler sets or deletes the alarm.
func (s *Server) DuplicateNextAlarm(class, object string) {
	s.t.Helper()
	s.inject("duplicate-alarm", class, object)
}

// CrashBeforeCommit makes the object's next event that writes something lose its writes just before
// the commit. The object is reset, and the caller gets the same error as after a crash of the
// program.
func (s *Server) CrashBeforeCommit(class, object string) {
	s.t.Helper()
	s.inject("crash-before-commit", class, object)
}

// CrashAfterCommit is like CrashBeforeCommit, but strikes after the commit: the writes stay,
// although the caller gets an error.
func (s *Server) CrashAfterCommit(class, object string) {
	s.t.Helper()
	s.inject("crash-after-commit", class, object)
}

func (s *Server) inject(fault, class, object string) {
	s.t.Helper()
	s.ask("inject "+fault+" into "+class+"/"+object, http.MethodPost, "faults", struct {
		Object
		Fault string `json:"fault"`
	}{objectOf(class, object), fault}, new(json.RawMessage))
}
