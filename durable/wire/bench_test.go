package wire_test

import (
	"fmt"
	"io"
	"testing"

	"devtool.internal/durable/wire"
)

// echoValue answers a Put with its value.
func echoValue(s *wire.Stream) {
	var q wire.Put
	if err := wire.Decode(s.Message, &q); err == nil {
		s.Answer(&wire.Value{Found: true, Value: q.Value}, true)
	}
}

// callWith calls c once with a value of n bytes, there and back.
func callWith(b testing.TB, c *wire.Conn, value []byte) {
	var got wire.Value
	if err := c.Call(b.Context(), wire.MethodPut, &wire.Put{Event: 1, Key: "key", Value: value}, &got); err != nil {
		b.Error(err)
	}
}

func BenchmarkCall(b *testing.B) {
	for _, n := range []int{64, 4 << 10} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			p := connect(b, unix, echoValue, ignore)
			value := make([]byte, n)
			b.ReportAllocs()
			for b.Loop() {
				callWith(b, p.program, value)
			}
		})
	}
}

func BenchmarkParallelCalls(b *testing.B) {
	p := connect(b, unix, echoValue, ignore)
	value := make([]byte, 64)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			callWith(b, p.program, value)
		}
	})
}

func BenchmarkBody(b *testing.B) {
	done := make(chan int64, 1)
	p := connect(b, unix, ignore, func(s *wire.Stream) {
		n, _ := io.Copy(io.Discard, s)
		done <- n
	})
	s := mustOpen(b, p.emulator, false)
	piece := make([]byte, wire.MaxData)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	written := int64(0)
	for b.Loop() {
		n, err := s.Write(piece)
		if err != nil {
			b.Fatal(err)
		}
		written += int64(n)
	}
	s.CloseWrite()
	if n := <-done; n != written {
		b.Errorf("%d bytes arrived, want %d", n, written)
	}
}

func BenchmarkCodec(b *testing.B) {
	m := &wire.Request{
		Method: "POST",
		URL:    "http://localhost:8787/orders?limit=10",
		Host:   "localhost:8787",
		Header: []wire.Field{
			{Name: "Accept", Value: "application/json"},
			{Name: "Content-Type", Value: "application/json"},
			{Name: "User-Agent", Value: "curl/8.15.0"},
		},
		ContentLength: 64,
		Body:          make([]byte, 64),
	}
	b.ReportAllocs()
	for b.Loop() {
		var got wire.Request
		if err := wire.Decode(wire.Encode(m), &got); err != nil {
			b.Fatal(err)
		}
	}
}
