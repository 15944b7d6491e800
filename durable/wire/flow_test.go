package wire_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

// bodyOf counts the body that arrives at peer.
func bodyOf(peer rawPeer) (n *atomic.Int64) {
	n = new(atomic.Int64)
	go peer.drain(func(f wire.Frame) {
		if f.Kind == data {
			n.Add(int64(len(f.Payload)))
		}
	})
	return n
}

func TestAWriterStopsWhereTheWindowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := connectRaw(t, pipe, wire.Emulator, ignore)
		sent := bodyOf(peer)
		// The part of the body in the question itself does not count.
		s, err := c.Open(wire.MethodFetch, &wire.Fetch{Request: wire.Request{Body: make([]byte, wire.InitialWindow)}},
			false)
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan int, 1)
		go func() {
			n, _ := s.Write(make([]byte, 2*wire.InitialWindow))
			written <- n
		}()
		want := int64(wire.InitialWindow)
		for _, more := range []uint64{0, 1, 1000, wire.MaxData + 1} {
			if more > 0 {
				peer.send(1, window, 0, grant(more))
			}
			want += int64(more)
			synctest.Wait()
			if got := sent.Load(); got != want {
				t.Errorf("after a window of %d more: %d bytes were sent, want %d", more, got, want)
			}
		}
		peer.send(1, window, 0, grant(1<<30))
		if n := <-written; n != 2*wire.InitialWindow {
			t.Errorf("%d bytes were written in the end, want %d", n, 2*wire.InitialWindow)
		}
	})
}

func TestAWriterGoesOnAsTheReaderReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 4 * wire.InitialWindow
		_, writing, reading := askAndAnswer(t, pipe)
		go func() {
			writing.Write(pattern(0, size))
			writing.CloseWrite()
		}()
		synctest.Wait()
		if got := reading.Buffered(); got != wire.InitialWindow {
			t.Errorf("%d bytes arrived while nobody reads, want %d", got, wire.InitialWindow)
		}
		got := make([]byte, 0, size)
		for len(got) < size {
			n, err := reading.Read(got[len(got):min(size, len(got)+10_000)])
			if err != nil {
				t.Fatalf("read body: %v after %d bytes", err, len(got))
			}
			got = got[:len(got)+n]
			synctest.Wait()
			if b := reading.Buffered(); b > wire.InitialWindow || b < min(wire.InitialWindow/2, size-len(got)) {
				t.Fatalf("%d bytes wait to be read after %d, want up to %d and at least half of that", b, len(got),
					wire.InitialWindow)
			}
		}
		if !bytes.Equal(got, pattern(0, size)) {
			t.Error("the body changed on its way")
		}
	})
}

// The window never grows by more than was read. It grows before the writer has less than half a
// window.
func TestReadingGrantsWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reads := rapid.SliceOfN(rapid.IntRange(1, wire.MaxData), 1, 40).Draw(t, "reads")
		rapid.SyncTest(t, func(t *rapid.T) {
			a, b := pipe.connect(nil)
			serve, held := hold()
			c := wire.NewConn(a, wire.Emulator, wire.Callbacks{Serve: serve})
			defer c.Close()
			defer b.Close()
			var granted atomic.Int64
			go rawPeer{nil, b}.drain(func(f wire.Frame) {
				if f.Kind == window {
					n, _ := binary.Uvarint(f.Payload)
					granted.Add(int64(n))
				}
			})
			send := func(kind byte, payload []byte) {
				if _, err := b.Write(appendFrame(nil, 2, kind, 0, payload)); err != nil {
					t.Fatal(err)
				}
			}
			send(open, question(wire.MethodFetch, new(wire.Fetch)))
			s := <-held

			sent, read := 0, 0
			for _, n := range reads {
				for sent+wire.MaxData <= wire.InitialWindow+int(granted.Load()) {
					send(data, make([]byte, wire.MaxData))
					sent += wire.MaxData
				}
				got, err := s.Read(make([]byte, n))
				if err != nil {
					t.Fatal(err)
				}
				read += got
				synctest.Wait()
				if g := int(granted.Load()); g > read || g <= read-wire.InitialWindow/2 {
					t.Fatalf("%d bytes were granted after %d were read", g, read)
				}
			}
		})
	})
}

func TestALargeBodyPassesThroughABoundedBuffer(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		const size, portion = 64 << 20, 32 << 10
		_, writing, reading := askAndAnswer(t, tr)
		var read atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			for sent := 0; sent < size; {
				n, err := writing.Write(pattern(sent, wire.MaxData))
				if err != nil {
					t.Errorf("write body: %v after %d bytes", err, sent)
					return
				}
				// A Read grants window before this goroutine learns of it.
				if sent += n; sent > int(read.Load())+portion+wire.InitialWindow {
					t.Errorf("%d bytes were sent when %d were read", sent, read.Load())
					return
				}
			}
			writing.CloseWrite()
		})
		buf := make([]byte, portion)
		for {
			n, err := reading.Read(buf)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("read body: %v after %d bytes", err, read.Load())
			}
			if !bytes.Equal(buf[:n], pattern(int(read.Load()), n)) {
				t.Fatalf("the body changed after %d bytes", read.Load())
			}
			if b := reading.Buffered(); b > wire.InitialWindow {
				t.Fatalf("%d bytes wait to be read, more than the window", b)
			}
			read.Add(int64(n))
		}
		wg.Wait()
		if got := read.Load(); got != size {
			t.Errorf("%d bytes arrived, want %d", got, size)
		}
	})
}

func TestAnUnreadStreamDoesNotBlockOthers(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		p := connect(t, tr, ignore, func(s *wire.Stream) {
			if s.Method == wire.MethodFetch {
				leaveOpen(s)
				return
			}
			answerGets(s)
		})
		stuck := mustOpen(t, p.emulator, false)
		var wg sync.WaitGroup
		wg.Go(func() { stuck.Write(make([]byte, 2*wire.InitialWindow)) })
		for range 100 {
			checkUsable(t, p.emulator)
		}
		stuck.Withdraw()
		wg.Wait()
	})
}

func TestAWriterGetsTheReasonWhyTheStreamEnds(t *testing.T) {
	for name, ended := range map[string]bool{"question with a body": false, "question without a body": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				serve, held := hold()
				p := connect(t, pipe, ignore, serve)
				asking := mustOpen(t, p.emulator, ended)
				answering := <-held
				if err := answering.Answer(new(wire.Response), false); err != nil {
					t.Fatal(err)
				}
				result := make(chan error, 1)
				go func() {
					_, err := answering.Write(make([]byte, 2*wire.InitialWindow))
					result <- err
				}()
				synctest.Wait() // it waits for a larger window
				asking.Withdraw()
				checkCanceled(t, <-result)
				_, err := answering.Write([]byte("x"))
				checkCanceled(t, err)
			})
		})
	}
}
