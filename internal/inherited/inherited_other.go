//go:build !unix

// Package inherited does nothing on this system, where no descriptors are inherited.
package inherited
