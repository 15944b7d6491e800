package world

import (
	"context"
	"errors"
	"strings"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/store"
)

// WireError returns a copy of err as it travels.
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

// IsCanceled reports whether err only says that nobody waits any more.
func IsCanceled(err error) bool {
	if e := (*wire.Error)(nil); errors.As(err, &e) && e.Canceled {
		return true
	}
	return errors.Is(err, context.Canceled)
}

// CallerError converts the error of an event into the one that its caller sees. A reset of the
// object goes before whatever the event made of it, and is not its handler's failure: Remote is for
// that alone. Source: the platform, seen in workerd.
func CallerError(ev *Event, err error) error {
	if err == nil {
		return nil
	}
	if inst := ev.instance(); inst != nil && inst.ctx.Err() != nil {
		err = context.Cause(inst.ctx)
	}
	e := (*wire.Error)(nil)
	if !errors.As(err, &e) || !e.Reset || !e.Remote {
		return err
	}
	c := *e
	c.Remote = false
	return &c
}

// errEnding is why nothing runs any more.
var ErrEnding = errors.New("the emulator is shutting down")

// Detail is what stands below the line of a failure: the stack, if there is one.
func Detail(err error) string {
	w := (*wire.Error)(nil)
	// An error that is not Remote has a Detail only if the program crashed. It is what the program
	// printed, which stands in the log already.
	if IsCanceled(err) || !errors.As(err, &w) || w.Detail == "" || !w.Remote {
		return ""
	}
	return "\n" + strings.TrimRight(w.Detail, "\n")
}
