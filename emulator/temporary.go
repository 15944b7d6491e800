package emulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
)

// A Temporary is a running emulator whose state nobody needs afterwards: that of a test, or of one
// command. It is apart from its project, listens on a free port of the loopback interface, and
// everything that it keeps is in one folder.
type Temporary struct {
	// URL is the front door's. It has the address, because "localhost" may mean [::1], where
	// another server may listen.
	URL string
	// Attach is the path of the socket for attached programs, or empty without one.
	Attach string
	// Token is the one of the control API.
	Token string

	stop  context.CancelFunc
	ended chan struct{} // closed when err is set
	err   error
}

// StartTemporary starts an emulator with o that keeps everything in folder, and returns when it is
// ready. Only this user can enter folder. StartTemporary sets the options that a Temporary decides.
// The emulator outlives ctx; if ctx ends before it is ready, the error is the cause of that. The
// caller removes the folder, in any case.
func StartTemporary(ctx context.Context, folder string, o Options) (*Temporary, error) {
	t := &Temporary{ended: make(chan struct{})}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	t.URL = "http://" + listener.Addr().String()
	o.Listener, o.Apart, o.Temporary = listener, true, true
	o.State, o.Build, o.Sockets = folder, filepath.Join(folder, "build"), folder
	e, err := New(o)
	if err != nil {
		listener.Close()
		return nil, err
	}
	var running context.Context
	running, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan struct{})
	go func() {
		defer close(t.ended)
		t.err = e.Run(running, func() { close(ready) })
	}()
	select {
	case <-ready:
		t.Attach, t.Token = e.Status().Attach, e.token
		return t, nil
	case <-t.ended:
		t.stop()
		return nil, t.err
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), t.End())
	}
}

// Ended is closed when the emulator has ended.
func (t *Temporary) Ended() <-chan struct{} { return t.ended }

// End stops the emulator and returns what went wrong. It may be called again, and after the
// emulator has ended by itself.
func (t *Temporary) End() error {
	t.stop()
	<-t.ended
	return t.err
}
