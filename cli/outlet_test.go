package cli

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator"
)

// A lazyReader is the reader of a stream. It takes nothing before read is called.
type lazyReader struct {
	mu      sync.Mutex
	reading chan struct{}
	begun   chan struct{} // receives a value when a write waits
	text    bytes.Buffer
}

func newLazyReader() *lazyReader {
	return &lazyReader{reading: make(chan struct{}), begun: make(chan struct{}, 100)}
}

func (r *lazyReader) Write(p []byte) (int, error) {
	select {
	case r.begun <- struct{}{}:
	default:
	}
	<-r.reading
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *lazyReader) read() { close(r.reading) }

func (r *lazyReader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func plainNotice(_, n int) []byte { return []byte(droppedLines(n) + "\n") }

func TestAReaderThatReadsNothingDelaysNobody(t *testing.T) {
	r := newLazyReader()
	o := newOutlet(r, plainNotice)
	o.limit, o.patience = 1000, 0
	const line = "123456789\n"
	io.WriteString(o, line) //nolint:errcheck // an outlet never fails
	<-r.begun
	for range 200 {
		io.WriteString(o, line) //nolint:errcheck // as above
	}
	r.read()
	o.flush(time.Hour, time.Hour)
	io.WriteString(o, "after\n") //nolint:errcheck // as above
	o.flush(time.Hour, time.Hour)
	want := strings.Repeat(line, 101) + "100 lines were dropped, because the reader of the log was slow\nafter\n"
	if got := r.String(); got != want {
		t.Errorf("got %d bytes that end with %q, want %d that end with %q",
			len(got), got[max(0, len(got)-100):], len(want), want[len(want)-100:])
	}
}

// What is read while a writer waits for room is not dropped.
func TestAReaderThatKeepsUpLosesNothing(t *testing.T) {
	var got bytes.Buffer
	o := newOutlet(&got, plainNotice)
	o.limit, o.patience = 1000, time.Hour
	var want bytes.Buffer
	for i := range 10000 {
		fmt.Fprintln(io.MultiWriter(o, &want), i)
	}
	o.flush(time.Hour, time.Hour)
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("got %d bytes, want the %d that were written", got.Len(), want.Len())
	}
}

// What must not be lost passes a full outlet, and is not delayed. The lines that were dropped
// before it are counted first, by their source.
func TestWhatIsKeptIsNeverDropped(t *testing.T) {
	r := newLazyReader()
	o := newOutlet(r, func(source, lines int) []byte { return fmt.Appendf(nil, "%d lost %d\n", source, lines) })
	o.limit, o.patience = 20, 0
	o.take([]byte("first\n"), 1, 1)
	<-r.begun
	for range 5 {
		o.take([]byte("1234567890\n"), 1, 1)
		o.take([]byte("1234567890\n"), 2, 3)
	}
	o.keep([]byte("kept of 1\n"), 1)
	o.keep([]byte("kept of 3\n"), 3)
	r.read()
	o.flush(time.Hour, time.Hour)
	const want = "first\n1234567890\n1 lost 4\nkept of 1\nkept of 3\n2 lost 15\n"
	if got := r.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheEndDoesNotWaitForAReaderThatReadsNothing(t *testing.T) {
	r := newLazyReader()
	o := newOutlet(r, plainNotice)
	io.WriteString(o, "stuck\n") //nolint:errcheck // an outlet never fails
	<-r.begun
	o.flush(0, time.Hour)
	o.flush(time.Hour, 0)
	r.read()
	o.flush(time.Hour, time.Hour)
}

// A text without a newline, of any length, becomes lines of a bounded length. Each names its
// author.
func TestOutputWithoutANewlineIsBounded(t *testing.T) {
	var b bytes.Buffer
	log := newEmulatorLog(logJSON, slog.LevelInfo, &b, &b, new(emulator.Journal), false)
	const size = 5*maxLine + 10
	text := string(wire.MarkPrinted(5, "Basic/a", bytes.Repeat([]byte("x"), size)))
	for rest := text; rest != ""; {
		n := min(len(rest), 8<<10)
		io.WriteString(log.output, rest[:n]) //nolint:errcheck // a buffer takes everything
		rest = rest[n:]
	}
	io.WriteString(log.output, "\nnext\n") //nolint:errcheck // as above
	log.end()
	sum := 0
	all := records(t, b.String())
	for _, r := range all[:len(all)-1] {
		sum += len(r["msg"].(string))
		if r["object"] != "Basic/a" {
			t.Errorf("a line names %v as its author, want Basic/a", r["object"])
		}
		if len(r["msg"].(string)) > maxLine {
			t.Errorf("a line has %d bytes, want at most %d", len(r["msg"].(string)), maxLine)
		}
	}
	if sum != size || len(all) != 7 || all[6]["msg"] != "next" {
		t.Errorf("got %d lines of %d bytes, want 7 of %d, and the next line last", len(all), sum, size)
	}
}

func TestALongLineIsCutBetweenCharacters(t *testing.T) {
	for _, character := range []string{"é", "世", "👩", "\x80"} { // the last is not UTF-8
		var b bytes.Buffer
		log := newEmulatorLog(logJSON, slog.LevelInfo, &b, &b, new(emulator.Journal), false)
		text := "x" + strings.Repeat(character, maxLine)
		io.WriteString(log.output, text) //nolint:errcheck // a buffer takes everything
		log.end()
		var got strings.Builder
		for _, r := range records(t, b.String()) {
			got.WriteString(r["msg"].(string))
		}
		if want := strings.ToValidUTF8(text, ""); strings.ReplaceAll(got.String(), "\ufffd", "") != want {
			t.Errorf("%q: the lines together have %d bytes, want %d", character, got.Len(), len(want))
		}
	}
}

// BenchmarkOutputWithoutANewline shows that the cost of a byte does not grow with the line.
func BenchmarkOutputWithoutANewline(b *testing.B) {
	for _, megabytes := range []int{1, 4, 16, 64} {
		b.Run(fmt.Sprintf("%dMB", megabytes), func(b *testing.B) {
			piece := bytes.Repeat([]byte("x"), 8<<10)
			b.SetBytes(int64(megabytes) << 20)
			for b.Loop() {
				log := newEmulatorLog(logText, slog.LevelInfo, io.Discard, io.Discard, new(emulator.Journal), false)
				for range megabytes << 20 / len(piece) {
					log.output.Write(piece) //nolint:errcheck // it never fails
				}
				log.end()
			}
		})
	}
}
