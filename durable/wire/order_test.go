package wire_test

import (
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"

	"devtool.internal/durable/wire"
)

// A frameSource is a connection that gives one frame to each Read, as the kernel does with frames
// that arrive apart. Writes go nowhere.
type frameSource struct {
	frames [][]byte
	begin  chan struct{} // closed when the first frame arrives
	end    chan struct{} // closed by Close
	close  sync.Once
}

func (s *frameSource) Read(p []byte) (int, error) {
	<-s.begin
	if len(s.frames) == 0 {
		<-s.end
		return 0, io.EOF
	}
	n := copy(p, s.frames[0])
	s.frames = s.frames[1:]
	return n, nil
}

func (s *frameSource) Write(p []byte) (int, error) { return len(p), nil }

func (s *frameSource) Close() error {
	s.close.Do(func() { close(s.end) })
	return nil
}

// Go's scheduler may interrupt any goroutine, so a few rounds may be out of order. If the reader
// does not yield, all rounds are; if it yields only once, a quarter of them is.
func TestHandlersGoOnInTheOrderOfTheirAnswers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // as in a handler program
	const rounds, each, tolerated = 200, 10, 8
	wrong := 0
	for range rounds {
		if got := orderOfAnswers(t, each); !slices.IsSorted(got) {
			wrong++
		}
	}
	if wrong > tolerated {
		t.Errorf("in %d of %d rounds, goroutines did not go on in the order of their answers", wrong, rounds)
	}
}

// orderOfAnswers returns the order in which n goroutines go on, of which each gets its answer in a
// frame that arrives after that of the one before.
func orderOfAnswers(t *testing.T, n int) (order []int) {
	t.Helper()
	source := &frameSource{begin: make(chan struct{}), end: make(chan struct{})}
	c := wire.NewConn(source, wire.Program, wire.Callbacks{Serve: func(*wire.Stream) {}})
	var waiting, wg sync.WaitGroup
	var mu sync.Mutex
	for i := range n {
		waiting.Add(1)
		s := mustOpen(t, c, true)
		source.frames = append(source.frames, appendFrame(nil, 2*uint64(i)+2, reply, end, nil))
		wg.Go(func() {
			waiting.Done()
			s.Await(t.Context()) //nolint:errcheck // only when it returns counts
			mu.Lock()
			defer mu.Unlock()
			order = append(order, i)
		})
	}
	waiting.Wait()
	for range 100 {
		runtime.Gosched()
	}
	close(source.begin)
	wg.Wait()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	return order
}
