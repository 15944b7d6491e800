package durable

import (
	"context"
	"fmt"
	"reflect"
)

// An Error describes why a call to an object, a request or a storage operation failed.
type Error struct {
	// Message says what happened.
	Message string
	// Remote is set if the called object failed, and not the way to it.
	Remote bool
	// Retryable is set if the way to the object broke: the same call may succeed.
	// The object may have seen the first one.
	Retryable bool
	// Overloaded is set if the object had too much to do. Do not retry.
	Overloaded bool
	// Reset is set if the failure reset an object: it lost its memory and what it had not yet
	// committed. ObjectID says which object.
	Reset bool
	// ObjectID is the id of the object that failed, in 64 hex digits, or empty.
	ObjectID string
	// Code is SQLite's extended result code, such as "SQLITE_CONSTRAINT_UNIQUE", if the
	// database reported the failure. Otherwise it is empty.
	Code string

	detail string // for the emulator's log, if the error is passed on to it
}

func (e *Error) Error() string { return e.Message }

// A panicError is a panic of a handler.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return "panic: " + e.text() }

// text describes the value of the panic.
func (e *panicError) text() string {
	if err, ok := e.value.(error); ok {
		return textOf(err)
	}
	return fmt.Sprint(e.value)
}

// Unwrap returns the error that a handler has panicked with. A handler of requests can fail in no
// other way, and the flags of its *Error must reach the caller all the same.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// textOf returns err.Error(). If that panics, as for a nil pointer that was returned as an error,
// it returns a text that says so.
func textOf(err error) (text string) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if p := reflect.ValueOf(err); p.Kind() == reflect.Pointer && p.IsNil() {
			text = fmt.Sprintf("the error is a nil %T, which is not nil as an error: return nil itself", err)
			return
		}
		text = fmt.Sprintf("the error is a %T, whose Error method panicked: %v", err, v)
	}()
	return err.Error()
}

// errHandlerReturned is the cause of an invocation's context after its handler has returned.
var errHandlerReturned = fmt.Errorf("the event is over, its handler has returned: %w", context.Canceled)
