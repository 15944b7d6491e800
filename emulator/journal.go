package emulator

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// A Journal keeps at most so many lines and bytes.
const (
	journalLines = 5000
	journalBytes = 4 << 20
)

// A Journal keeps the last lines of the log for `devtool logs`, and hands new lines to its
// followers. Its lines are JSON, as slog's JSON handler writes them.
type Journal struct {
	// mu guards what follows.
	mu      sync.Mutex
	lines   [][]byte
	size    int           // of lines, in bytes
	first   uint64        // the number of lines[0]; the first line ever has number 0
	changed chan struct{} // closed when there are new lines; nil if nobody waits for them
	ended   bool
}

// Write adds the line p, which includes its newline. It never fails.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := bytes.Clone(printable.Bytes(p)) // slog's JSON has some characters as they are
	j.lines = append(j.lines, line)
	j.size += len(line)
	for len(j.lines) > journalLines || j.size > journalBytes && len(j.lines) > 1 {
		j.size -= len(j.lines[0])
		j.lines[0] = nil
		j.lines = j.lines[1:]
		j.first++
	}
	j.changedLocked()
	return len(p), nil
}

// end tells followers that no more lines will come.
func (j *Journal) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	j.changedLocked()
}

func (j *Journal) changedLocked() {
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
}

// last returns the number of the first of the last n lines, or of the first line kept if n is
// negative.
func (j *Journal) last(n int) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n < 0 || n > len(j.lines) {
		n = len(j.lines)
	}
	return j.first + uint64(len(j.lines)-n)
}

// since returns the lines from number on, and the number of the line after them. lost says how many
// of them are no longer kept. more is closed when there are new lines; it is nil if no more will
// come.
func (j *Journal) since(number uint64) (lost uint64, lines [][]byte, next uint64, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := max(number, j.first)
	kept := j.lines[from-j.first:]
	lines = append(lines, kept...)
	next = from + uint64(len(kept))
	if j.ended {
		return from - number, lines, next, nil
	}
	if j.changed == nil {
		j.changed = make(chan struct{})
	}
	return from - number, lines, next, j.changed
}

// lostLines returns a line of the log that says how many lines a follower has missed.
func lostLines(n uint64) []byte {
	what := fmt.Sprintf("%d lines were", n)
	if n == 1 {
		what = "1 line was"
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Warn(what + " dropped, because the reader of the log was slow")
	return b.Bytes()
}

// serveLogs answers a control.LogsRequest.
func (e controlAPI) serveLogs(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("lines"))
	if err != nil {
		respond(w, nil, &control.Error{
			Code: control.CodeBadRequest, Message: "lines is not a number", Hint: "-1 stands for all",
		})
		return
	}
	follow, err := strconv.ParseBool(r.URL.Query().Get("follow"))
	if err != nil {
		respond(w, nil, &control.Error{Code: control.CodeBadRequest, Message: "follow is neither true nor false"})
		return
	}
	w.Header().Set("Content-Type", control.LinesType)
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	number := e.journal.last(n)
	for {
		lost, lines, next, more := e.journal.since(number)
		if lost > 0 {
			lines = append([][]byte{lostLines(lost)}, lines...)
		}
		for _, line := range lines {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		if err := out.Flush(); err != nil || !follow || more == nil {
			return
		}
		number = next
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}
