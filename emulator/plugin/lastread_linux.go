package plugin

import "net"

// endReading lets a reader of conn see what the program has sent, and then the end, although
// another process may hold the other end open.
func endReading(conn net.Conn) {
	if c, ok := conn.(*net.UnixConn); ok {
		_ = c.CloseRead() // what has arrived can still be read
	}
}
