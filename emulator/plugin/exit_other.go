//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package plugin

// awaitExit reports that a child can't be watched here without reaping it.
func awaitExit(int) bool { return false }
