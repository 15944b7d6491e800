package wire

import "io"

// Patience is how long Serve may take inline before another goroutine reads on.
const Patience = patience

// Frame is a frame for the tests.
type Frame struct {
	Stream  uint64
	Kind    byte
	End     bool
	Payload []byte
}

// ReadFrame reads the next frame of r.
func ReadFrame(r io.Reader) (Frame, error) {
	f, err := readFrame(r)
	return Frame{Stream: f.stream, Kind: byte(f.kind), End: f.end, Payload: f.payload}, err
}

// Receive passes f to s, like a reading goroutine that has looked s up before it was over.
func (s *Stream) Receive(f Frame) error {
	return s.receive(frame{stream: f.Stream, kind: kind(f.Kind), end: f.End, payload: f.Payload})
}

// Buffered returns how much body has arrived on s and was not read.
func (s *Stream) Buffered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, p := range s.in {
		n += len(p)
	}
	return n
}

// Streams returns how many streams c holds.
func (c *Conn) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)
}

// AnnounceFlush lets c see another writer that is about to flush, until over is called. So it is
// while two goroutines write at once.
func (c *Conn) AnnounceFlush() (over func()) {
	set := func(v bool) {
		c.wmu.Lock()
		c.flushing = v
		c.wmu.Unlock()
	}
	set(true)
	return func() { set(false) }
}
