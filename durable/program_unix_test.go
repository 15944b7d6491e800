//go:build unix

package durable

import (
	"net"
	"os"
	"syscall"
	"testing"

	"devtool.internal/durable/wire"
)

func TestProgramServesOnAnInheritedDescriptor(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	syscall.CloseOnExec(fds[0])
	c, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	ours.Close()
	// Descriptor 3 is the first after the standard streams.
	wait := start(t, build(t), []*os.File{theirs}, wire.EnvFD+"=3", wire.EnvSocket+"=nowhere")
	theirs.Close()
	conn := attach(c, nil)
	expectGreeting(t, conn)
	conn.Close()
	if got := wait(); got != (result{}) {
		t.Errorf("got %+v, want a quiet end", got)
	}
}
