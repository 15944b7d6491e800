//go:build !unix && !js

package durable

// endGroup does nothing: this system has no process groups.
func endGroup() {}
