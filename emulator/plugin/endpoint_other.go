//go:build !unix

package plugin

// newEndpoint returns an endpoint that the program dials: this system can't inherit descriptors.
func newEndpoint() (*endpoint, error) { return newSocketEndpoint() }
