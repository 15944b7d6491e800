//go:build !unix

package safefile

// openFlags are empty: this system has no named pipes in its folders.
const openFlags = 0
