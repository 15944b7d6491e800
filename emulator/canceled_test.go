package emulator

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"devtool.internal/emulator/internal/scripted"
)

// A client that sends nothing more, as `nc -N` does, looks like one that has gone. Its request is
// canceled, and must not be answered with an empty 200.
func TestACanceledRequestIsNotAnswered(t *testing.T) {
	w := newWorld(t, scripted.New(handlers{
		"/wait": func(c *call) (string, error) {
			<-c.Canceled
			return "", context.Canceled
		},
	}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /wait HTTP/1.1\r\nHost: localhost\r\nObject: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); len(got) != 0 || err != nil {
		t.Errorf("got %q, %v, want a closed connection", got, err)
	}
}
