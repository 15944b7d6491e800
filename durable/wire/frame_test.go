package wire_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable/wire"
)

func TestFramesAreReadAsSpecified(t *testing.T) {
	tests := []struct {
		b    string
		want wire.Frame
	}{
		{
			"\x00\x00\x00\x03" + "\x00\x00\x00\x00\x00\x00\x00\x02" + "\x01" + "\x01" + "abc",
			wire.Frame{Stream: 2, Kind: open, End: true, Payload: []byte("abc")},
		},
		{
			"\x00\x00\x00\x01" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x02" + "\x00" + "x",
			wire.Frame{Stream: 0x0102030405060708, Kind: reply, Payload: []byte("x")},
		},
		{
			"\x00\x00\x00\x00" + "\xff\xff\xff\xff\xff\xff\xff\xff" + "\x03" + "\x01",
			wire.Frame{Stream: 1<<64 - 1, Kind: data, End: true},
		},
	}
	for _, tt := range tests {
		got, err := wire.ReadFrame(strings.NewReader(tt.b))
		if err != nil {
			t.Errorf("%q: %v", tt.b, err)
		} else if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.b, d)
		}
	}
}

// An endless reader returns as many zero bytes as it is asked for.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestFramesHaveLimits(t *testing.T) {
	tests := []struct {
		name   string
		header string
		want   int    // bytes of payload
		err    string // or this
	}{
		{"largest message", "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00", wire.MaxPayload, ""},
		{
			"larger message",
			"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00",
			0,
			"payload of 16777217 bytes, the limit is 16777216",
		},
		{
			"largest length",
			"\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00",
			0,
			"payload of 4294967295 bytes, the limit is 16777216",
		},
		{"largest data", "\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x03\x00", wire.MaxData, ""},
		{
			"larger data",
			"\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x03\x00",
			0,
			"65537 bytes of data, the limit is 65536",
		},
		{"kind 0", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00", 0, "unknown kind 0"},
		{"kind 8", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x08\x00", 0, "unknown kind 8"},
		{"notice on a stream", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x07\x00", 0, "notice on stream 1"},
		{"flag 2", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x02", 0, "unknown flags 0x2"},
		{"flag 2 beside END", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01\x03", 0, "unknown flags 0x3"},
		{"stream 0", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00", 0, "stream id 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := wire.ReadFrame(io.MultiReader(strings.NewReader(tt.header), endless{}))
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("got %v, want a frame", err)
			case tt.err == "" && len(f.Payload) != tt.want:
				t.Errorf("got %d bytes, want %d", len(f.Payload), tt.want)
			case tt.err != "" && (err == nil || err.Error() != "read frame: "+tt.err):
				t.Errorf("got %v, want read frame: %s", err, tt.err)
			}
		})
	}
}

func TestReadFrameReturnsEOFOnlyBetweenFrames(t *testing.T) {
	b := appendFrame(nil, 1, open, end, []byte("abc"))
	b = appendFrame(b, 3, open, end, nil)
	boundaries := []int{0, len(b) - 14, len(b)}
	for n := range len(b) + 1 {
		r := bytes.NewReader(b[:n])
		var err error
		for err == nil {
			_, err = wire.ReadFrame(r)
		}
		if slices.Contains(boundaries, n) {
			if err != io.EOF {
				t.Errorf("after %d bytes, between frames: %v, want io.EOF", n, err)
			}
		} else if err == io.EOF || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes, within a frame: %v, want io.ErrUnexpectedEOF", n, err)
		}
	}
}

func TestReadFrameReportsTheReadersError(t *testing.T) {
	broken := errors.New("cable cut")
	for n, b := range map[int]string{
		0:  "",
		5:  "\x00\x00\x00\x03\x00",
		15: "\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x02\x01\x01a",
	} {
		_, err := wire.ReadFrame(io.MultiReader(strings.NewReader(b), failing{broken}))
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v, want %v", n, err, broken)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A frame that was read encodes to the bytes that it was read from. Reading ends with io.EOF
// exactly if no byte is left over.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(appendFrame(appendFrame(nil, 1, open, end, []byte("abc")), 2, fail, 0, nil))
	f.Add(appendFrame(nil, 0, 9, 8, nil))
	f.Add([]byte("\x00\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02\x01\x01a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		for {
			at := len(b) - r.Len()
			f, err := wire.ReadFrame(r)
			if err != nil {
				if (err == io.EOF) != (at == len(b)) {
					t.Errorf("with %d bytes left: %v", len(b)-at, err)
				}
				return
			}
			flags := byte(0)
			if f.End {
				flags = end
			}
			got := appendFrame(nil, f.Stream, f.Kind, flags, f.Payload)
			if want := b[at : len(b)-r.Len()]; !bytes.Equal(got, want) {
				t.Fatalf("frame %+v was read from %q", f, want)
			}
		}
	})
}
