//go:build unix

package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
)

// sockets returns both ends of a connection.
func sockets(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	if theirs, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

func TestAnEagerReaderReadsTheSameBytes(t *testing.T) {
	want := bytes.Repeat([]byte("what is written"), 100_000)
	for name, hope := range map[string]func() func() bool{
		"always": func() func() bool { return func() bool { return true } },
		"never":  func() func() bool { return func() bool { return false } },
		"by turns": func() func() bool {
			hope := false
			return func() bool { hope = !hope; return hope }
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := sockets(t)
			written := make(chan error, 1)
			go func() {
				var err error
				for b := want; len(b) > 0 && err == nil; {
					n := min(len(b), 1+len(b)%7000)
					_, err = theirs.Write(b[:n])
					b = b[n:]
				}
				written <- errors.Join(err, theirs.Close())
			}()
			got, err := io.ReadAll(eager(ours, hope()))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes and error %v, want %d", len(got), err, len(want))
			}
			if err := <-written; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnEagerReaderEndsWithItsSocket(t *testing.T) {
	ours, _ := sockets(t)
	ended := make(chan error, 1)
	began := make(chan struct{})
	r := eager(ours, func() bool { close(began); return true })
	go func() {
		_, err := r.Read(make([]byte, 1))
		ended <- err
	}()
	<-began
	ours.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got error %v, want %v", err, net.ErrClosed)
	}
}

func TestEagerReturnsOtherReadersUnchanged(t *testing.T) {
	r := bytes.NewReader(nil)
	if got := eager(r, nil); got != io.Reader(r) {
		t.Errorf("got a %T", got)
	}
}
