//go:build !(darwin || freebsd || linux)

package cli

import "context"

// useKeyboard does nothing: there are no hotkeys on this system.
func useKeyboard(context.Context, any, *hotkeys) (release func()) { return func() {} }

// keepTerminal has nothing to keep.
func keepTerminal(func(string) string) (code int, asked bool) { return 0, false }
