package door

import "devtool.internal/emulator/control"

// An Unserved is returned to requests while no program serves, because neither the first version
// nor a later one could be served.
type Unserved struct {
	Cause   error
	Failure *control.Failure // Cause, as it is shown
}

func (e *Unserved) Error() string { return e.Failure.Message }

func (e *Unserved) Unwrap() error { return e.Cause }

// What an answer says about an Unserved.
const (
	UnservedTitle = "no version of the handler program serves yet"
	UnservedHint  = "It is built again when a file is saved."
)
