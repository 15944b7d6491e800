package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

// mirror answers, and sends the question's body back as it comes.
func mirror(s *wire.Stream) {
	if err := s.Answer(&wire.Response{Status: 200}, false); err != nil {
		return
	}
	if _, err := io.Copy(s, s); err == nil {
		s.CloseWrite()
	}
}

func TestBodiesPassBothWaysAtOnce(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		const streams, size = 8, 1 << 20
		p := connect(t, tr, mirror, mirror)
		var wg sync.WaitGroup
		for _, c := range []*wire.Conn{p.emulator, p.program} {
			for i := range streams {
				wg.Go(func() {
					want := pattern(i, size)
					s := mustOpen(t, c, false)
					wg.Go(func() {
						if n, err := s.Write(want); err != nil {
							t.Errorf("write body: %v after %d bytes", err, n)
						}
						if err := s.CloseWrite(); err != nil {
							t.Errorf("end body: %v", err)
						}
					})
					if _, err := s.Await(t.Context()); err != nil {
						t.Errorf("await answer: %v", err)
					}
					if got := readAll(t, s); !bytes.Equal(got, want) {
						t.Errorf("the body changed on its way: %d bytes, want %d", len(got), len(want))
					}
				})
			}
		}
		wg.Wait()
	})
}

// A body arrives whole and in order, in whatever pieces it is written and read.
func TestBodiesArriveAsTheyWereWritten(t *testing.T) {
	p := connect(t, pipe, ignore, mirror)
	rapid.Check(t, func(t *rapid.T) {
		writes := rapid.SliceOfN(rapid.IntRange(0, 3*wire.MaxData), 0, 12).Draw(t, "writes")
		portion := rapid.IntRange(1, 2*wire.MaxData).Draw(t, "portion")
		s, err := p.emulator.Open(wire.MethodFetch, new(wire.Fetch), false)
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, n := range writes {
			total += n
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			at := 0
			for _, n := range writes {
				s.Write(pattern(at, n))
				at += n
			}
			s.CloseWrite()
		})
		var got []byte
		buf := make([]byte, portion)
		for {
			n, err := s.Read(buf)
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil || n == 0 {
				t.Fatalf("read body: %d, %v after %d bytes", n, err, len(got))
			}
		}
		wg.Wait()
		if !bytes.Equal(got, pattern(0, total)) {
			t.Errorf("%d bytes arrived, want %d, the same", len(got), total)
		}
	})
}

func TestABrokenBodyIsReadUpToTheBreak(t *testing.T) {
	reason := &wire.Error{Message: "disk on fire", Remote: true, Detail: "a stack"}
	isReason := func(t *testing.T, err error) {
		var got *wire.Error
		if !errors.As(err, &got) {
			t.Errorf("got %v, want an *Error", err)
		} else if d := cmp.Diff(reason, got); d != "" {
			t.Errorf("the failure changed (-sent +arrived):\n%s", d)
		}
	}
	isClosed := func(t *testing.T, err error) {
		if err != wire.ErrClosed {
			t.Errorf("got %v, want ErrClosed", err)
		}
	}
	tests := []struct {
		name     string
		question bool // the question's body, else the answer's
		breakOff func(p pair, writing *wire.Stream)
		check    func(*testing.T, error)
	}{
		{"answer fails", false, func(_ pair, s *wire.Stream) { s.Fail(reason) }, isReason},
		{"connection lost during the answer", false, func(p pair, _ *wire.Stream) { p.cut() }, isClosed},
		{"question withdrawn", true, func(_ pair, s *wire.Stream) { s.Withdraw() }, checkCanceled},
		{"connection lost during the question", true, func(p pair, _ *wire.Stream) { p.cut() }, isClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, writing, reading := askAndAnswer(t, pipe)
				if !tt.question {
					writing, reading = reading, writing
				}
				if _, err := writing.Write([]byte("abc")); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				tt.breakOff(p, writing)
				synctest.Wait()
				got, err := io.ReadAll(reading)
				if string(got) != "abc" {
					t.Errorf("read %q before the failure, want abc", got)
				}
				tt.check(t, err)
				if reading.Ended() {
					t.Error("a body that broke off counts as ended")
				}
			})
		})
	}
}

func TestAnUnfinishedBodyBreaksOff(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		p := connect(t, tr, ignore, func(s *wire.Stream) {
			s.Answer(new(wire.Response), false)
			s.Write([]byte("abc"))
		})
		s := mustOpen(t, p.emulator, true)
		if _, err := s.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		var e *wire.Error
		if string(got) != "abc" || !errors.As(err, &e) {
			t.Errorf("read %q, %v; want abc and then an *Error", got, err)
		}
	})
}

func TestAServeGoroutineThatExitsFailsItsStream(t *testing.T) {
	p := connect(t, pipe, ignore, func(*wire.Stream) { runtime.Goexit() })
	err := p.emulator.Call(t.Context(), wire.MethodAlarm, new(wire.Alarm), new(wire.Empty))
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want an *Error", err)
	}
}

func TestTheAnswersEndEndsAQuestionThatIsStillComing(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		rest := make(chan error, 1)
		p := connect(t, tr, ignore, func(s *wire.Stream) {
			if s.Method != wire.MethodFetch {
				answerGets(s)
				return
			}
			s.Answer(&wire.Response{Status: 413}, false)
			io.ReadFull(s, make([]byte, 3*wire.MaxData))
			s.Write([]byte("too much"))
			s.CloseWrite()
			_, err := io.ReadAll(s)
			rest <- err
		})
		s := mustOpen(t, p.emulator, false)
		var err error
		for err == nil {
			_, err = s.Write(make([]byte, wire.MaxData))
		}
		if err != wire.ErrOver {
			t.Errorf("writing on after the answer's end: %v, want ErrOver", err)
		}
		if err := <-rest; err != wire.ErrOver {
			t.Errorf("reading on after the answer's end: %v, want ErrOver", err)
		}
		b, err := s.Await(t.Context())
		var got wire.Response
		if err == nil {
			err = wire.Decode(b, &got)
		}
		if err != nil || got.Status != 413 {
			t.Errorf("the answer is %d, %v; want 413", got.Status, err)
		}
		if body := readAll(t, s); string(body) != "too much" {
			t.Errorf("the answer's body is %q, want too much", body)
		}
		checkUsable(t, p.emulator)
	})
}

func TestCompleteBodiesOutliveTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, asking, answering := ask(t, pipe)
		if err := answering.Answer(&wire.Response{Status: 200}, false); err != nil {
			t.Fatal(err)
		}
		answering.Write([]byte("abc"))
		answering.CloseWrite()
		synctest.Wait()
		p.cut()
		<-p.emulator.Done()
		if _, err := asking.Await(t.Context()); err != nil {
			t.Errorf("await an answer that has arrived: %v", err)
		}
		if got := readAll(t, asking); string(got) != "abc" {
			t.Errorf("the body is %q, want abc", got)
		}
	})
}

func TestTheContextsCauseSaysWhyTheStreamIsOver(t *testing.T) {
	isError := func(canceled bool) func(error) bool {
		return func(err error) bool {
			var e *wire.Error
			return errors.As(err, &e) && e.Canceled == canceled
		}
	}
	tests := []struct {
		name   string
		finish func(p pair, asking, answering *wire.Stream)
		want   func(error) bool
	}{
		{"withdrawn", func(_ pair, s, _ *wire.Stream) { s.Withdraw() }, isError(true)},
		{"failed", func(_ pair, _, s *wire.Stream) { s.Fail(&wire.Error{Message: "no"}) }, isError(false)},
		{
			"complete",
			func(_ pair, _, s *wire.Stream) { s.CloseWrite() },
			func(err error) bool { return err == wire.ErrOver },
		},
		{
			"closed",
			func(p pair, _, _ *wire.Stream) { p.emulator.Close() },
			func(err error) bool { return err == wire.ErrClosed },
		},
		{"lost", func(p pair, _, _ *wire.Stream) { p.cut() }, func(err error) bool { return err == wire.ErrClosed }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				p, asking, answering := askAndAnswer(t, tr)
				if err := context.Cause(answering.Context()); err != nil {
					t.Fatalf("the context has ended before the stream: %v", err)
				}
				tt.finish(p, asking, answering)
				for name, s := range map[string]*wire.Stream{"asking": asking, "answering": answering} {
					<-s.Context().Done()
					if err := context.Cause(s.Context()); !tt.want(err) {
						t.Errorf("the %s side's context ends with %v", name, err)
					}
				}
			})
		})
	}
}

func TestWaitingCallsFailWhenThePeerVanishes(t *testing.T) {
	operations := map[string]func(t *testing.T, asking, answering *wire.Stream) error{
		"await": func(t *testing.T, s, _ *wire.Stream) error {
			_, err := s.Await(t.Context())
			return err
		},
		"read the answer": func(t *testing.T, s, answering *wire.Stream) error {
			answering.Answer(new(wire.Response), false)
			_, err := s.Read(make([]byte, 1))
			return err
		},
		"read the question": func(t *testing.T, _, s *wire.Stream) error {
			_, err := s.Read(make([]byte, 1))
			return err
		},
		"write the question": func(t *testing.T, s, _ *wire.Stream) error {
			_, err := s.Write(make([]byte, 2*wire.InitialWindow))
			return err
		},
		"write the answer": func(t *testing.T, _, s *wire.Stream) error {
			s.Answer(new(wire.Response), false)
			_, err := s.Write(make([]byte, 2*wire.InitialWindow))
			return err
		},
	}
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, asking, answering := ask(t, pipe)
				result := make(chan error, 1)
				go func() { result <- operation(t, asking, answering) }()
				synctest.Wait()
				select {
				case err := <-result:
					t.Fatalf("it did not wait, and returned %v", err)
				default:
				}
				p.cut()
				if err := <-result; err != wire.ErrClosed {
					t.Errorf("got %v, want ErrClosed", err)
				}
				<-p.emulator.Done()
				<-p.program.Done()
			})
		})
	}
}

// This holds even if the question has no body, so that nothing is left to read.
func TestEverythingFailsAfterThePeerVanished(t *testing.T) {
	for name, ended := range map[string]bool{"question with a body": false, "question without a body": true} {
		t.Run(name, func(t *testing.T) {
			serve, held := hold()
			p := connect(t, unix, serve, serve)
			asking := mustOpen(t, p.emulator, ended)
			unanswered := <-held
			mustOpen(t, p.emulator, ended)
			answered := <-held
			if err := answered.Answer(new(wire.Response), false); err != nil {
				t.Fatal(err)
			}
			p.cut()
			<-p.emulator.Done()
			<-p.program.Done()

			check := func(operation string, err error) {
				t.Helper()
				if err != wire.ErrClosed {
					t.Errorf("%s: %v, want ErrClosed", operation, err)
				}
			}
			_, err := p.emulator.Open(wire.MethodFetch, new(wire.Fetch), true)
			check("open", err)
			check("call", p.program.Call(t.Context(), wire.MethodGet, new(wire.Get), new(wire.Value)))
			_, err = asking.Await(t.Context())
			check("await", err)
			_, err = asking.Read(make([]byte, 1))
			check("read", err)
			check("answer", unanswered.Answer(new(wire.Response), true))
			_, err = answered.Write([]byte("x"))
			check("write", err)
			unanswered.Fail(new(wire.Error))
			asking.Withdraw()
		})
	}
}

func TestAQuestionHasOneAnswer(t *testing.T) {
	for _, ended := range []bool{false, true} {
		_, asking, answering := ask(t, unix)
		if err := answering.Answer(&wire.Response{Status: 1}, ended); err != nil {
			t.Fatal(err)
		}
		if err := answering.Answer(&wire.Response{Status: 2}, ended); err != wire.ErrOver {
			t.Errorf("the second answer: %v, want ErrOver", err)
		}
		b, err := asking.Await(t.Context())
		if want := wire.Encode(&wire.Response{Status: 1}); err != nil || !bytes.Equal(b, want) {
			t.Errorf("got answer %q, %v; want %q", b, err, want)
		}
	}
}

func TestNothingIsSentOnAStreamThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve, held := hold()
		c, peer := connectRaw(t, pipe, wire.Emulator, serve)
		var mu sync.Mutex
		var kinds []byte
		go peer.drain(func(f wire.Frame) {
			mu.Lock()
			defer mu.Unlock()
			kinds = append(kinds, f.Kind)
		})
		peer.send(2, open, 0, question(wire.MethodFetch, new(wire.Fetch)))
		s := <-held
		if err := s.Answer(new(wire.Response), false); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.CloseWrite(); err != nil {
				t.Errorf("CloseWrite: %v", err)
			}
			s.Fail(new(wire.Error))
			s.Withdraw()
			if n, err := s.Write([]byte("x")); n != 0 || err != wire.ErrOver {
				t.Errorf("Write: %d, %v; want 0, ErrOver", n, err)
			}
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []byte{reply, data}; !slices.Equal(kinds, want) {
			t.Errorf("sent frames of kinds %v, want %v", kinds, want)
		}
		if err := c.Err(); err != nil {
			t.Errorf("the connection ended: %v", err)
		}
	})
}

// It does not even wait for a window, which it does not need.
func TestNothingCanBeWrittenBehindTheEnd(t *testing.T) {
	ends := map[string]func(*testing.T, pair) *wire.Stream{
		"opened with END": func(t *testing.T, p pair) *wire.Stream { return mustOpen(t, p.emulator, true) },
		"CloseWrite": func(t *testing.T, p pair) *wire.Stream {
			s := mustOpen(t, p.emulator, false)
			s.CloseWrite()
			return s
		},
		"CloseWrite with the window used up": func(t *testing.T, p pair) *wire.Stream {
			s := mustOpen(t, p.emulator, false)
			s.Write(make([]byte, wire.InitialWindow))
			s.CloseWrite()
			return s
		},
	}
	for name, ended := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connect(t, pipe, ignore, leaveOpen)
				s := ended(t, p)
				result := make(chan error, 1)
				go func() {
					_, err := s.Write([]byte("x"))
					result <- err
				}()
				synctest.Wait()
				select {
				case err := <-result:
					if err == nil {
						t.Error("something was written behind the end")
					}
				default:
					t.Error("Write waits")
				}
			})
		})
	}
}

func TestReadyReportsWhetherReadingAndWritingWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		check := func(step string, s *wire.Stream, read, write, ended bool) {
			t.Helper()
			synctest.Wait()
			if got := s.ReadReady(); got != read {
				t.Errorf("%s: ReadReady is %t, want %t", step, got, read)
			}
			if got := s.WriteReady(); got != write {
				t.Errorf("%s: WriteReady is %t, want %t", step, got, write)
			}
			if got := s.Ended(); got != ended {
				t.Errorf("%s: Ended is %t, want %t", step, got, ended)
			}
		}
		_, asking, answering := askAndAnswer(t, pipe)
		check("at first, asking", asking, false, true, false)
		check("at first, answering", answering, false, true, false)

		asking.Write(make([]byte, wire.InitialWindow-wire.MaxData))
		check("one piece below the window, asking", asking, false, true, false)
		asking.Write([]byte("x"))
		check("less than a piece below the window, asking", asking, false, false, false)
		check("with body, answering", answering, true, true, false)

		asking.CloseWrite()
		check("with a complete body, answering", answering, true, true, false)
		readAll(t, answering)
		check("after all was read, answering", answering, true, true, true)

		answering.Fail(&wire.Error{Message: "no"})
		check("over, asking", asking, true, true, false)
		check("over, answering", answering, true, true, true)
	})
}

func TestReadingNothingReturnsAtOnce(t *testing.T) {
	_, asking, _ := ask(t, unix)
	if n, err := asking.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v; want 0, nil", n, err)
	}
}

func TestABrokenReadStaysBroken(t *testing.T) {
	broken := errors.New("body closed")
	synctest.Test(t, func(t *testing.T) {
		_, asking, answering := askAndAnswer(t, pipe)
		check := func(when string) {
			t.Helper()
			synctest.Wait()
			if n, err := answering.Read(make([]byte, 1)); n != 0 || err != broken {
				t.Errorf("reading %s: %d, %v; want 0, %v", when, n, err, broken)
			}
		}
		result := make(chan error, 1)
		go func() {
			_, err := answering.Read(make([]byte, 1))
			result <- err
		}()
		synctest.Wait()
		answering.BreakRead(broken)
		if err := <-result; err != broken {
			t.Errorf("the read that waited: %v, want %v", err, broken)
		}
		check("at once")
		asking.Write([]byte("late"))
		check("after more has arrived")
		answering.BreakRead(errors.New("another reason"))
		check("after a second break")
		asking.Withdraw()
		check("after the stream's end")
	})
}

func TestBreakReadDropsUnreadBytes(t *testing.T) {
	broken := errors.New("body closed")
	synctest.Test(t, func(t *testing.T) {
		_, asking, answering := askAndAnswer(t, pipe)
		asking.Write([]byte("abc"))
		synctest.Wait()
		answering.BreakRead(broken)
		if n, err := answering.Read(make([]byte, 1)); n != 0 || err != broken {
			t.Errorf("Read = %d, %v; want 0, %v", n, err, broken)
		}
	})
}
