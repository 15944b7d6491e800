package durabletest

import (
	"encoding/json"
	"net/http"
)

// What can be made to go wrong. Each strikes the object once, at its next event of the kind; the object needs not
// exist yet. The log tells when one has struck.

// FailNextAlarm makes the next run of the object's alarm fail before its handler is called: as a failure of the
// handler, which is tried again.
func (s *Server) FailNextAlarm(class, object string) {
	s.t.Helper()
	s.inject("fail-alarm", class, object)
}

// DuplicateNextAlarm makes the object's alarm come once more after its next run that succeeds, as it may with
// at-least-once delivery: what the handler wrote is kept, that it ran is forgotten. A run that has set or deleted the
// alarm itself is passed over.
func (s *Server) DuplicateNextAlarm(class, object string) {
	s.t.Helper()
	s.inject("duplicate-alarm", class, object)
}

// CrashBeforeCommit makes the next event of the object that has written something lose that where it was to be
// committed. The object is reset, and the caller gets an error as after a crash of the program.
func (s *Server) CrashBeforeCommit(class, object string) {
	s.t.Helper()
	s.inject("crash-before-commit", class, object)
}

// CrashAfterCommit is CrashBeforeCommit after the commit: what was written is kept, only the caller does not get to know.
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
