package cli

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// logLimit is how much of the log's end is shown if a command fails, in bytes.
const logLimit = 64 << 10

// An execLog is the log of an emulator while a command runs. It passes the log on at once, or keeps
// its end for show.
type execLog struct {
	live io.Writer // gets the log at once; nil to keep it

	// mu guards what follows.
	mu      sync.Mutex
	kept    []byte
	dropped int // bytes before kept
}

func (l *execLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live != nil {
		return l.live.Write(p)
	}
	l.kept = append(l.kept, p...)
	if len(l.kept) > 2*logLimit {
		l.trimLocked()
	}
	return len(p), nil
}

// trimLocked keeps the last logLimit bytes. It also drops the rest of a line that is cut.
func (l *execLog) trimLocked() {
	from := len(l.kept) - logLimit
	if from <= 0 {
		return
	}
	if end := bytes.IndexByte(l.kept[from:], '\n'); end >= 0 {
		from += end + 1
	}
	l.dropped += from
	l.kept = append(l.kept[:0], l.kept[from:]...)
}

// show writes the kept log. If why is not empty, it adds lines around the log that say why it is
// shown.
func (l *execLog) show(w io.Writer, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trimLocked()
	if len(l.kept) == 0 {
		return
	}
	var text bytes.Buffer
	if why != "" {
		fmt.Fprintf(&text, "--- %s: the log of its emulator ---\n", why)
	}
	if l.dropped > 0 {
		fmt.Fprintf(&text, "… %d bytes before (--verbose shows all)\n", l.dropped)
	}
	text.Write(l.kept)
	if !bytes.HasSuffix(l.kept, []byte("\n")) {
		text.WriteByte('\n')
	}
	if why != "" {
		text.WriteString("--- end of the log ---\n")
	}
	w.Write(text.Bytes()) //nolint:errcheck // an error could not be shown either
}
