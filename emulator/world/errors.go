package world

import (
	"context"
	"errors"
	"strings"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// WireError converts err into an error of the protocol. It returns a copy, which the caller may
// change.
func WireError(err error) *wire.Error {
	if e := (*wire.Error)(nil); errors.As(err, &e) {
		c := *e
		return &c
	}
	w := &wire.Error{Message: err.Error()}
	if e := (*store.SQLError)(nil); errors.As(err, &e) {
		w.Code = e.Extended
	}
	return w
}

// IsCanceled reports whether err only says that nobody waits for the event any more.
func IsCanceled(err error) bool {
	if e := (*wire.Error)(nil); errors.As(err, &e) && e.Canceled {
		return true
	}
	return errors.Is(err, context.Canceled)
}

// CallerError converts the error of an event into the one that its caller sees. If the object was
// reset, that is the reset's error, whatever the handler returned. It is Remote, because the object
// failed and not the way to it, unless the object's program is gone. Source: the platform's fetch,
// seen in workerd.
func CallerError(ev *Event, err error) error {
	if err == nil {
		return nil
	}
	if inst := ev.instance(); inst != nil && inst.ctx.Err() != nil {
		err = context.Cause(inst.ctx)
	}
	e := (*wire.Error)(nil)
	if !errors.As(err, &e) || !e.Reset || e.Retryable {
		return err
	}
	c := *e
	c.Remote = true
	return &c
}

// ErrEnding is the error of events after Stop.
var ErrEnding = errors.New("the emulator is shutting down")

// Detail returns what the log shows below the line of a failure: a newline and the stack, or empty
// if there is none.
func Detail(err error) string {
	w := (*wire.Error)(nil)
	// An error that is not Remote has a Detail only if the program crashed. It is the program's
	// output, which the log has already.
	if IsCanceled(err) || !errors.As(err, &w) || w.Detail == "" || !w.Remote {
		return ""
	}
	return "\n" + strings.TrimRight(w.Detail, "\n")
}
