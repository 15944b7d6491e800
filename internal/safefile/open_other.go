//go:build !unix

package safefile

// These flags are empty: this system has no named pipes in its folders.
const withoutWaiting, openFlags = 0, 0
