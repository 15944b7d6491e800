package durable

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"

	"devtool.internal/durable/wire"
)

// An Error is why a call to an object, a request or a storage operation failed.
type Error struct {
	// Message says what happened.
	Message string
	// Remote is set when the code of the object that was called failed, not the
	// way to it. It is not set when the object was reset over it.
	Remote bool
	// Retryable is set when the way to the object broke, so that the same call may
	// succeed. The object may have seen the first one.
	Retryable bool
	// Overloaded is set when the object had too much to do. Do not retry.
	Overloaded bool
	// Reset is set when the object lost its memory, and what it had not yet
	// committed, over it.
	Reset bool
	// ObjectID is the object's id in 64 hex digits, or empty.
	ObjectID string
	// Code is SQLite's extended result code, such as "SQLITE_CONSTRAINT_UNIQUE", when
	// SQL failed in the database, and otherwise empty.
	Code string

	detail string // for the emulator's log, when the error is passed on to it
}

func (e *Error) Error() string { return e.Message }

// fromWire turns the errors of the connection into those of this package.
func fromWire(err error) error {
	if errors.Is(err, wire.ErrClosed) {
		return &Error{Message: "the emulator has gone", Retryable: true}
	}
	e, ok := err.(*wire.Error)
	if !ok {
		return err
	}
	return &Error{
		Message:    e.Message,
		Remote:     e.Remote,
		Retryable:  e.Retryable,
		Overloaded: e.Overloaded,
		Reset:      e.Reset,
		ObjectID:   e.ObjectID,
		Code:       e.Code,
		detail:     e.Detail,
	}
}

// Unwrap returns the error that a handler has panicked with: a handler of requests can fail
// in no other way, and what an *Error says of itself must reach the caller all the same.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// toWire describes err to the emulator, and through it to the caller. The error is the handler's own: if one of
// its methods panics, this one event fails, and not the program.
func toWire(err error) (w *wire.Error) {
	message := textOf(err)
	w = &wire.Error{Message: message, Remote: true}
	defer func() {
		if recover() != nil { // in an Unwrap, Is or As
			w = &wire.Error{Message: message, Remote: true}
		}
	}()
	var e *Error
	if errors.As(err, &e) && e != nil {
		w.Retryable, w.Overloaded, w.Detail = e.Retryable, e.Overloaded, e.detail
		if utf8.ValidString(e.ObjectID) { // handlers make errors of their own, and the message must decode
			w.ObjectID = e.ObjectID
		}
		if utf8.ValidString(e.Code) {
			w.Code = e.Code
		}
	}
	return w
}

// textOf is err.Error(), also where that panics, as it does for the nil pointer that somebody has returned as an
// error.
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

// errEventOver is why the context of an event has ended whose handler has returned.
var errEventOver = fmt.Errorf("the event is over, its handler has returned: %w", context.Canceled)

// causeOf is context.Cause for a context of a handler, in the words of this package.
func causeOf(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, wire.ErrOver) {
		return errEventOver
	}
	return err
}
