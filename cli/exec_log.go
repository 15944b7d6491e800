package cli

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// logLimit is how much of the log is shown when a command has failed: its end.
const logLimit = 64 << 10

// An execLog takes what is logged while a command runs. It passes it on at once, or keeps the end
// of it for the case that the command fails.
type execLog struct {
	live io.Writer // where it goes at once, or nil

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

// trimLocked drops the beginning, up to the end of a line where there is one.
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

// show writes what was kept, between lines that say what it is if why is not empty.
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
	w.Write(text.Bytes()) //nolint:errcheck // there is nowhere left to say so
}
