package client

import (
	"fmt"
	"net/http"

	"devtool.internal/emulator/control"
)

// How a command and the emulator that it has found make sure of each other. An address may lead to
// another server: the emulator was killed and its port taken, or it runs in a container that shares
// the project's folder and not the network.

// Identify makes next answer as the emulator with this identity. It refuses requests that are for
// another emulator.
func Identify(identity string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(control.IdentityHeader, identity)
		if meant := r.Header.Get(control.IdentityHeader); meant != "" && meant != identity {
			refuse(w, &control.Error{
				Code: control.CodeOtherEmulator, Message: "the request is for another emulator",
				Hint: "that one has ended, or does not listen here",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// identified returns an error unless response is from the emulator that c is for.
func (c *Client) identified(response *http.Response) error {
	if c.Identity == "" || response.Header.Get(control.IdentityHeader) == c.Identity {
		return nil
	}
	return &control.Error{
		Code:    control.CodeOtherEmulator,
		Message: fmt.Sprintf("another server answers at %s than the emulator that runs for the project", c.URL),
		Hint: "does the emulator run in a container? run the command there, " +
			"or name the emulator's address from here with --url",
	}
}
