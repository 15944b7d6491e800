package cli

import (
	"io"

	"devtool.internal/internal/printable"
)

// A safeWriter is an output stream of a command. A command escapes each value where it prints it
// (printable.Line), so that the value keeps to its line. The writer is the last to see the text: it
// escapes whatever else a terminal might obey, except for our colors.
type safeWriter struct {
	raw    io.Writer
	colors bool
}

func (w safeWriter) Write(p []byte) (int, error) {
	text := printable.Bytes(p)
	if w.colors {
		text = printable.Colored(p)
	}
	if _, err := w.raw.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// safe returns s with safe output streams.
func (s Streams) safe() Streams {
	isTerminal, width := s.IsTerminal, s.Width
	s.IsTerminal = func(stream any) bool { return isTerminal(rawStream(stream)) }
	s.Width = func(stream any) int { return width(rawStream(stream)) }
	s.Out = safeWriter{s.Out, colored(s, s.Out)}
	s.Err = safeWriter{s.Err, colored(s, s.Err)}
	return s
}

// rawStream returns the stream itself: for programs that inherit it, and for what moves the cursor.
// Nothing else may be written there.
func rawStream(stream any) any {
	if w, ok := stream.(safeWriter); ok {
		return w.raw
	}
	return stream
}

// raw is rawStream for an output stream.
func raw(w io.Writer) io.Writer { return rawStream(w).(io.Writer) }
