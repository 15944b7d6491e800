package wire_test

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"devtool.internal/durable/wire"
)

// The kinds of frame and the flag, as the specification numbers them.
const (
	open   = 1
	reply  = 2
	data   = 3
	window = 4
	fail   = 5
	cancel = 6
	notice = 7

	end = 1
)

// A transport makes two connected ends.
type transport struct {
	name    string
	connect func(testing.TB) (net.Conn, net.Conn)
}

var (
	pipe = transport{"pipe", func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }}
	unix = transport{"unix", connectUnix}
)

func connectUnix(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire") // t.TempDir may be too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// overEach runs test over a pipe without any buffer and over a Unix socket.
func overEach(t *testing.T, test func(*testing.T, transport)) {
	for _, tr := range []transport{pipe, unix} {
		t.Run(tr.name, func(t *testing.T) { test(t, tr) })
	}
}

// A pair has both ends of a connection. Each passes the streams that the other end opens to its own
// serve function.
type pair struct {
	emulator, program *wire.Conn
	cut               func() // lets the transport break
}

func connect(t testing.TB, tr transport, serveEmulator, serveProgram func(*wire.Stream)) pair {
	t.Helper()
	a, b := tr.connect(t)
	p := pair{
		emulator: wire.NewConn(a, wire.Emulator, wire.Callbacks{Serve: serveEmulator}),
		program:  wire.NewConn(b, wire.Program, wire.Callbacks{Serve: serveProgram}),
		cut:      func() { b.Close() },
	}
	t.Cleanup(func() {
		p.emulator.Close()
		p.program.Close()
	})
	return p
}

// ignore leaves every stream without an answer.
func ignore(*wire.Stream) {}

// hold returns a serve function that leaves each stream to the test, until it
// is over.
func hold() (serve func(*wire.Stream), held <-chan *wire.Stream) {
	ch := make(chan *wire.Stream, 1)
	return func(s *wire.Stream) {
		ch <- s
		<-s.Context().Done()
	}, ch
}

// ask opens a stream from the emulator, with a body to follow, and returns both
// ends of it. The program leaves it to the test.
func ask(t *testing.T, tr transport) (p pair, asking, answering *wire.Stream) {
	t.Helper()
	serve, held := hold()
	p = connect(t, tr, ignore, serve)
	return p, mustOpen(t, p.emulator, false), <-held
}

// askAndAnswer is ask, and answers with a body to follow.
func askAndAnswer(t *testing.T, tr transport) (p pair, asking, answering *wire.Stream) {
	t.Helper()
	p, asking, answering = ask(t, tr)
	if err := answering.Answer(new(wire.Response), false); err != nil {
		t.Fatal(err)
	}
	if _, err := asking.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, asking, answering
}

func mustOpen(t testing.TB, c *wire.Conn, end bool) *wire.Stream {
	t.Helper()
	s, err := c.Open(wire.MethodFetch, new(wire.Fetch), end)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answerGets answers each Get with the key as its value.
func answerGets(s *wire.Stream) {
	var q wire.Get
	if err := wire.Decode(s.Message, &q); err != nil {
		return
	}
	s.Answer(&wire.Value{Found: true, Value: []byte(q.Key)}, true)
}

// checkUsable asks c a question. The other end must use answerGets.
func checkUsable(t *testing.T, c *wire.Conn) {
	t.Helper()
	var got wire.Value
	if err := c.Call(t.Context(), wire.MethodGet, &wire.Get{Key: "still there"}, &got); err != nil {
		t.Errorf("the connection is not usable any more: %v", err)
	} else if string(got.Value) != "still there" {
		t.Errorf("the connection answers %q", got.Value)
	}
}

// A rawPeer is the far end of a connection. It sends single frames, also frames that a Conn
// never sends.
type rawPeer struct {
	t *testing.T
	net.Conn
}

func connectRaw(t *testing.T, tr transport, side wire.Side, serve func(*wire.Stream)) (*wire.Conn, rawPeer) {
	t.Helper()
	a, b := tr.connect(t)
	c := wire.NewConn(a, side, wire.Callbacks{Serve: serve})
	t.Cleanup(func() {
		c.Close()
		b.Close()
	})
	return c, rawPeer{t, b}
}

// appendFrame appends a frame as in the specification.
func appendFrame(b []byte, stream uint64, kind, flags byte, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint64(b, stream)
	b = append(b, kind, flags)
	return append(b, payload...)
}

func (p rawPeer) send(stream uint64, kind, flags byte, payload []byte) {
	p.t.Helper()
	if _, err := p.Write(appendFrame(nil, stream, kind, flags, payload)); err != nil {
		p.t.Errorf("send frame: %v", err)
	}
}

func (p rawPeer) next() wire.Frame {
	p.t.Helper()
	f, err := wire.ReadFrame(p)
	if err != nil {
		p.t.Errorf("next frame: %v", err)
	}
	return f
}

// drain reads frames until the connection ends, and passes each to take.
func (p rawPeer) drain(take func(wire.Frame)) {
	for {
		f, err := wire.ReadFrame(p)
		if err != nil {
			return
		}
		take(f)
	}
}

// question returns the payload of an Open frame.
func question(method wire.Method, m wire.Message) []byte {
	return append([]byte{byte(method)}, wire.Encode(m)...)
}

func grant(n uint64) []byte { return binary.AppendUvarint(nil, n) }

// pattern returns the n bytes at offset of a body whose every part shows its position.
func pattern(offset, n int) []byte {
	const period = 251
	start := offset % period
	return patternBytes[start : start+n]
}

var patternBytes = func() []byte {
	b := make([]byte, 2<<20)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}()

// readAll reads the body of s to its end.
func readAll(t *testing.T, s *wire.Stream) []byte {
	t.Helper()
	b, err := io.ReadAll(s)
	if err != nil {
		t.Errorf("read body: %v after %d bytes", err, len(b))
	}
	return b
}
