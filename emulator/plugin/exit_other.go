//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package plugin

// awaitExit returns false: this system has no way to watch a child without reaping it.
func awaitExit(int) bool { return false }
