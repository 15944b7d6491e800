package durable

// trace returns the stack of the panic.
func (e *panicError) trace() string { return string(e.stack) }
