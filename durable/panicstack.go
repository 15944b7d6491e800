//go:build !js

package durable

import (
	"runtime"

	"devtool.internal/durable/wire"
)

// trace returns the stack of the panic as the emulator shows it: without the SDK, unless the SDK
// may be at fault.
func (e *panicError) trace() string {
	_, broken := e.value.(runtime.Error)
	return wire.UserStack(string(e.stack), broken)
}
