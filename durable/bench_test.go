package durable

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"devtool.internal/durable/wire"
)

// benchmarkHandler measures a handler that carries operation out, over a socket.
func benchmarkHandler(b *testing.B, operation func(ctx context.Context, s *Storage, i int) error) {
	for _, entry := range []uint64{0, maxEntry} {
		b.Run(map[bool]string{false: "asked", true: "remembered"}[entry > 0], func(b *testing.B) {
			ours, theirs := socketpair(b)
			e := &emulation{memory: newMemory()}
			e.maxEntry = entry
			e.conn = wire.NewConn(ours, wire.Emulator, wire.Callbacks{
				Serve:  e.memory.serve,
				Manner: func(wire.Method) wire.Manner { return wire.Inline },
				Notice: e.notice,
			})
			defer e.conn.Close()
			var failure error
			go newServer(withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
				for i := 0; b.Loop() && failure == nil; i++ {
					failure = operation(r.Context(), p.state.Storage, i)
				}
			})).serve(theirs)
			ask := func(method wire.Method, m wire.Message) {
				s, err := e.conn.Open(method, m, true)
				if err == nil {
					_, err = s.Await(context.Background())
				}
				if err = errors.Join(err, failure); err != nil {
					b.Fatal(err)
				}
			}
			ask(wire.MethodConstruct,
				&wire.Construct{Event: 1, Instance: 1, Class: "Object", ID: objects.IDFromName("one").String()})
			ask(wire.MethodFetch,
				&wire.Fetch{Event: 2, Instance: 1, Request: wire.Request{Method: "GET", URL: "http://a.test/"}})
		})
	}
}

func socketpair(b *testing.B) (ours, theirs net.Conn) {
	l, err := net.Listen("unix", b.TempDir()+"/socket")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("unix", l.Addr().String()); err == nil {
		theirs, err = l.Accept()
	}
	if err != nil {
		b.Fatal(err)
	}
	return ours, theirs
}

func BenchmarkPut(b *testing.B) {
	benchmarkHandler(b, func(ctx context.Context, s *Storage, i int) error {
		return s.Put(ctx, fmt.Sprint("key", i%100), i)
	})
}

func BenchmarkGet(b *testing.B) {
	benchmarkHandler(b, func(ctx context.Context, s *Storage, i int) error {
		_, err := s.Get(ctx, fmt.Sprint("key", i%100), &i)
		return err
	})
}
