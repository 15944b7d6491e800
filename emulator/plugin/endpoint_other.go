//go:build !unix

package plugin

// newEndpoint returns an endpoint to which the program dials: descriptors can't
// be inherited here.
func newEndpoint() (*endpoint, error) { return newSocketEndpoint() }
