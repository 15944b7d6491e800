package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The limits of frames and bodies, in bytes. See the package comment.
const (
	MaxPayload    = 16 << 20
	MaxData       = 64 << 10
	InitialWindow = 256 << 10

	headerSize = 14
)

type kind uint8

const (
	kindOpen   kind = 1
	kindReply  kind = 2
	kindData   kind = 3
	kindWindow kind = 4
	kindFail   kind = 5
	kindCancel kind = 6
	kindNotice kind = 7
)

const flagEnd = 1

type frame struct {
	stream  uint64
	kind    kind
	end     bool
	payload []byte
}

// appendHeader appends the header of a frame with a payload of n bytes.
func appendHeader(b []byte, f frame, n int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = binary.BigEndian.AppendUint64(b, f.stream)
	flags := byte(0)
	if f.end {
		flags = flagEnd
	}
	return append(b, byte(f.kind), flags)
}

// readFrame reads the next frame. Its payload is newly allocated and belongs to the caller. The
// error is io.EOF only between two frames.
func readFrame(r io.Reader) (frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(h[:])
	f := frame{
		stream: binary.BigEndian.Uint64(h[4:]),
		kind:   kind(h[12]),
		end:    h[13] == flagEnd,
	}
	switch {
	case f.kind < kindOpen || f.kind > kindNotice:
		return frame{}, violation("read frame: unknown kind %d", f.kind)
	case h[13] > flagEnd:
		return frame{}, violation("read frame: unknown flags %#x", h[13])
	case f.stream == 0 && f.kind != kindNotice:
		return frame{}, violation("read frame: stream id 0")
	case f.stream != 0 && f.kind == kindNotice:
		return frame{}, violation("read frame: notice on stream %d", f.stream)
	case n > MaxPayload:
		return frame{}, violation("read frame: payload of %d bytes, the limit is %d", n, MaxPayload)
	case f.kind == kindData && n > MaxData:
		return frame{}, violation("read frame: %d bytes of data, the limit is %d", n, MaxData)
	}
	if n == 0 {
		return f, nil
	}
	f.payload = make([]byte, n)
	if _, err := io.ReadFull(r, f.payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return frame{}, fmt.Errorf("read frame: %w", err)
	}
	return f, nil
}
