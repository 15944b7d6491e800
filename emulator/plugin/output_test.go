package plugin_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/emulator/plugin"
)

// chunks records the writes it gets.
type chunks [][]byte

func (c *chunks) Write(p []byte) (int, error) {
	*c = append(*c, bytes.Clone(p))
	return len(p), nil
}

// However the output is cut into pieces, all of it arrives in order, and in whole lines.
func TestOutputIsPassedOnInWholeLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.StringMatching(`[a-c\n]{0,9}`)).Draw(t, "pieces")
		var got chunks
		w := plugin.NewLineWriter(&got)
		for _, piece := range pieces {
			if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatalf("Write(%q) = %d, %v", piece, n, err)
			}
		}
		w.Flush()
		whole := strings.Join(pieces, "")
		if joined := string(bytes.Join(got, nil)); joined != whole {
			t.Fatalf("got %q, want %q", joined, whole)
		}
		for i, chunk := range got {
			if i < len(got)-1 && !bytes.HasSuffix(chunk, []byte("\n")) {
				t.Fatalf("chunk %d of %q does not end with a line", i, got)
			}
		}
	})
}

func TestALongLineIsPassedOnInPieces(t *testing.T) {
	var got chunks
	w := plugin.NewLineWriter(&got)
	long := strings.Repeat("x", plugin.MaxPartial+1)
	if _, err := w.Write([]byte(long)); err != nil {
		t.Fatal(err)
	}
	if joined := string(bytes.Join(got, nil)); joined != long {
		t.Errorf("%d bytes were passed on, want %d", len(joined), len(long))
	}
}

func TestAnIncompleteLineIsPassedOnAfterAMoment(t *testing.T) {
	got := newBuffer()
	w := plugin.NewLineWriter(got)
	for _, prompt := range []string{"ready? ", "really? "} {
		if _, err := w.Write([]byte(prompt)); err != nil {
			t.Fatal(err)
		}
		got.contains(t, prompt)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("terminal is gone") }

func TestABrokenWriterDoesNotStopTheProgram(t *testing.T) {
	w := plugin.NewLineWriter(brokenWriter{})
	if n, err := w.Write([]byte("line\n")); n != 5 || err != nil {
		t.Errorf("Write = %d, %v, want 5, nil", n, err)
	}
}

// The tail is the end of the output, whatever the sizes of the writes.
func TestTailIsTheEndOfTheOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(0, 3*plugin.MaxTail), 0, 8).Draw(t, "sizes")
		var tail plugin.Tail
		var all []byte
		for i, size := range sizes {
			piece := bytes.Repeat([]byte{byte('a' + i)}, size)
			all = append(all, piece...)
			if n, err := tail.Write(piece); n != size || err != nil {
				t.Fatalf("Write of %d bytes = %d, %v", size, n, err)
			}
			if got, want := tail.String(), string(all[max(0, len(all)-plugin.MaxTail):]); got != want {
				t.Fatalf("after %d bytes the tail has %d bytes, want the last %d", len(all), len(got), len(want))
			}
		}
	})
}
