package wire_test

import (
	"net"
	"slices"
	"testing"

	"devtool.internal/durable/wire"
)

// The streams of both sides count: what one waits for may be the other's.
func TestStreamsOfALostConnectionEndInTheOrderInWhichTheyBegan(t *testing.T) {
	const each = 20
	a, b := net.Pipe()
	peer := rawPeer{t, b}
	go peer.drain(func(wire.Frame) {})
	var streams []*wire.Stream
	var over [][]int // the streams that are over, each time that another one ends
	ended := 0
	served := make(chan *wire.Stream)
	c := wire.NewConn(a, wire.Emulator, wire.Callbacks{
		Serve: func(s *wire.Stream) {
			served <- s
			<-s.Context().Done()
		},
		Ended: func() {
			ended++
			if slices.ContainsFunc(streams, (*wire.Stream).Unwanted) {
				t.Error("a stream has failed before Ended was called")
			}
		},
		Convert: func(err error) error {
			var now []int
			for i, s := range streams {
				if s.Unwanted() {
					now = append(now, i)
				}
			}
			over = append(over, now)
			return err
		},
	})
	for i := range uint64(each) {
		streams = append(streams, mustOpen(t, c, true))
		peer.send(2*i+2, open, end, question(wire.MethodGet, new(wire.Get)))
		streams = append(streams, <-served)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if len(over) < len(streams) || ended != 1 {
		t.Fatalf("%d of %d streams have ended, and Ended was called %d times", len(over), len(streams), ended)
	}
	for i, got := range over[:len(streams)] {
		var want []int
		for k := range i {
			want = append(want, k)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("when the next of them ended, streams %v were over, want %v", got, want)
		}
	}
}
