//go:build !unix

package wire

import "io"

// eager returns r. Where sockets are not files, they cannot be read without waiting.
func eager(r io.Reader, _ func() bool) io.Reader { return r }
