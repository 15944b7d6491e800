//go:build unix && !linux

package plugin

// closeOnExec does nothing: this system may have no such flag. The lock against forks does the same
// among the processes that this program starts.
const closeOnExec = 0
