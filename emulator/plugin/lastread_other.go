//go:build !linux

package plugin

import (
	"net"
	"time"
)

// lastReads is how long what a program has sent before its end is still read.
const lastReads = time.Second

// endReading lets a reader of conn see what the program has sent, and then an error, although
// another process may hold the other end open. Only Linux can say when all has been read.
func endReading(conn net.Conn) { _ = conn.SetReadDeadline(time.Now().Add(lastReads)) }
