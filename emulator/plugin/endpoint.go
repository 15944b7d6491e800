package plugin

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// These variables tell the program where its connection is. It has exactly one of them.
const (
	envFD     = "DEVTOOL_FD"
	envSocket = "DEVTOOL_SOCKET"
)

// envToken has the token of another emulator's control API, if this process runs below `devtool
// exec`. The program does not need it.
const envToken = "DEVTOOL_TOKEN"

// connectTimeout bounds how long a program may take to dial DEVTOOL_SOCKET, in real time. On a busy
// machine a virus scanner may read the program first.
const connectTimeout = 20 * time.Second

// endpoint is a connection to a program that has not started yet.
type endpoint struct {
	env    string   // variable that tells the program where its end is
	file   *os.File // the program's end, inherited as descriptor 3, or nil
	accept func(context.Context) (net.Conn, error)
	close  func() // releases what accept has not returned; may be called twice
}

// environ returns env with the endpoint's variable, and without those meant for this process.
func (e *endpoint) environ(env []string) []string {
	if env == nil {
		env = os.Environ()
	}
	clean := make([]string, 0, len(env)+1)
	for _, v := range env {
		if name, _, _ := strings.Cut(v, "="); name != envFD && name != envSocket && name != envToken {
			clean = append(clean, v)
		}
	}
	return append(clean, e.env)
}

// newSocketEndpoint returns an endpoint that the program dials.
func newSocketEndpoint() (*endpoint, error) {
	s, err := Listen("")
	if err != nil {
		return nil, err
	}
	release := func() { _ = s.Close() }
	accept := func(ctx context.Context) (net.Conn, error) {
		defer release()
		ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout,
			fmt.Errorf("it did not dial %s within %v", envSocket, connectTimeout))
		defer cancel()
		stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
		defer stop()
		conn, err := s.Accept()
		if err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return conn, err
	}
	return &endpoint{env: envSocket + "=" + s.Path, accept: accept, close: release}, nil
}
