package durable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable/stored"
	"devtool.internal/durable/wire"
)

// maxEntry is the limit of an entry in these tests, in bytes.
const maxEntry = 2 << 20

// withCache lets the program buffer puts and cache entries.
func withCache(e *emulation) { e.maxEntry = maxEntry }

func (h handling) put(key string, v any) {
	h.t.Helper()
	h.check(h.state.Storage.Put(h.ctx, key, v))
}

// want compares the value of key, a text. An empty text stands for no value.
func (h handling) want(key, want string) {
	h.t.Helper()
	var got string
	found, err := h.state.Storage.Get(h.ctx, key, &got)
	h.check(err)
	if got != want || found != (want != "") {
		h.t.Errorf("%s is %.20q (found: %v), want %.20q", key, got, found, want)
	}
}

// alongside runs f on a goroutine of its own and returns when nothing moves any more. The channel
// gets the error of f when f returns.
func (h handling) alongside(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	h.settle()
	return done
}

// finished reports whether f of alongside has returned, and its error.
func (h handling) finished(done <-chan error) (bool, error) {
	select {
	case err := <-done:
		return true, err
	default:
		return false, nil
	}
}

func TestPutsAreBufferedUntilTheNextQuestion(t *testing.T) {
	inHandler(t, func(h handling) {
		h.put("a", "1")
		h.put("b", "2")
		h.put("a", "3")
		h.expectSent()
		h.check(h.state.Storage.Sync(h.ctx))
		h.expectSent("notice write a b a", "sync")
		if got := string(h.values["a"]); got != `J"3"` {
			t.Errorf("stored is %q, want the last value that was put", got)
		}
		h.check(h.state.Storage.Sync(h.ctx))
		h.expectSent("sync")
	}, withCache)
}

func TestPutsAreNotBufferedIfTheLimitOfAnEntryIsUnknown(t *testing.T) {
	inHandler(t, func(h handling) {
		h.put("a", "1")
		h.want("a", "1")
		h.expectSent("put a", "get a")
	})
}

func TestBufferedPutsAreSentBeforeTheyCanShow(t *testing.T) {
	tests := []struct {
		name string
		do   func(h handling)
		want []string
	}{
		{"list", func(h handling) { h.state.Storage.List(h.ctx, ListOptions{}) }, []string{"list"}},
		{"another key", func(h handling) { h.want("other", "") }, []string{"get other"}},
		{"sleep", func(h handling) { h.check(Sleep(h.ctx, time.Second)) }, []string{"sleep 1s"}},
		{
			"alarm",
			func(h handling) { h.check(h.state.Storage.SetAlarm(h.ctx, time.UnixMilli(1))) },
			[]string{"set alarm 1"},
		},
		{"SQL", func(h handling) { h.state.Storage.SQL().Exec(h.ctx, "SELECT 1") }, []string{"exec SELECT 1"}},
		{"block", func(h handling) {
			h.check(h.state.BlockConcurrencyWhile(h.ctx, func(context.Context) error { return nil }))
		}, []string{"block", "unblock"}},
		{"subrequest", func(h handling) {
			h.answerWith(wire.Response{Status: 200})
			resp, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.request("GET", "http://a.test/", nil))
			h.check(err)
			resp.Body.Close()
		}, []string{"subrequest GET http://a.test/ +0"}},
		{"first part of a response", func(h handling) {
			h.check(http.NewResponseController(h.w).Flush())
		}, []string{"pause", "reply 200 +0", "resume"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inHandler(t, func(h handling) {
				h.put("k", "1")
				tt.do(h)
				h.expectSent(append([]string{"notice write k"}, tt.want...)...)
			}, withCache)
		})
	}
}

func TestBufferedPutsAreSentBeforeTheAnswerToTheEvent(t *testing.T) {
	tests := []struct {
		name string
		end  func()
		want string
	}{
		{"return", func() {}, "reply 200 +0 END"},
		{"panic", func() { panic("no luck") }, "fail panic: no luck"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
				p.state.Storage.Put(r.Context(), "k", "1")
				tt.end()
			})
			emulate(t, w, func(e *emulation) {
				e.fetch(e.construct("Object", "one"), wire.Request{}).Await(context.Background())
				e.expectSent("notice write k", tt.want)
			}, withCache)
		})
	}
}

func TestPutsOfConstructorsAlarmsAndBackgroundWorkAreBuffered(t *testing.T) {
	why := errors.New("no luck")
	w := Worker{Classes: Classes{"Object": NewClass(func(ctx context.Context, state *State, _ *Env) (*probe, error) {
		return &probe{
			ring: func(ctx context.Context, _ *probe, _ AlarmInfo) error {
				return errors.Join(state.Storage.Put(ctx, "rung", 1), why)
			},
			fetch: func(_ *probe, _ http.ResponseWriter, r *http.Request) {
				state.WaitUntil(r.Context(),
					func(ctx context.Context) error { return state.Storage.Put(ctx, "later", 1) })
			},
		}, state.Storage.Put(ctx, "made", 1)
	})}}
	emulate(t, w, func(e *emulation) {
		m := &wire.Construct{
			Event:    e.newID(),
			Instance: e.newID(),
			Class:    "Object",
			ID:       objects.IDFromName("one").String(),
		}
		e.check(e.ask(wire.MethodConstruct, m))
		e.expectSent("notice write made", "done construct")
		if err := e.ask(wire.MethodAlarm, &wire.Alarm{Event: e.newID(), Instance: m.Instance}); err == nil {
			t.Error("the alarm has not failed")
		}
		e.expectSent("notice write rung", "fail no luck")
		e.on(wire.MethodBackground, func(s *wire.Stream) {
			s.Answer(&wire.Background{Event: e.newID()}, false)
			io.Copy(io.Discard, s)
			s.CloseWrite()
		})
		turn := e.hold(wire.MethodResume)
		e.fetch(m.Instance, wire.Request{}).text()
		e.settle()
		e.tap.take() // resume and reply, in any order
		turn()
		e.expectSent("notice write later", "END")
	}, withCache)
}

func TestEntriesThatWerePutOrGotAreCached(t *testing.T) {
	inHandler(t, func(h handling) {
		h.values["there"] = []byte(`J"1"`)
		for range 2 {
			h.want("there", "1")
			h.want("absent", "")
		}
		h.put("absent", "2")
		h.want("absent", "2")
		h.expectSent("get there", "get absent")
	}, withCache)
}

func TestCachedEntriesOutliveTheEvent(t *testing.T) {
	var e *emulation
	w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
		h := handling{emulation: e, ctx: r.Context(), state: p.state}
		if r.URL.Path == "/put" {
			h.put("k", "1")
		}
		h.want("k", "1")
	})
	emulate(t, w, func(started *emulation) {
		e = started
		object := e.construct("Object", "one")
		for _, path := range []string{"put", "get"} {
			e.fetch(object, wire.Request{URL: "http://a.test/" + path}).text()
		}
		e.expectSent("notice write k", "reply 200 +0 END", "reply 200 +0 END")
	}, withCache)
}

func TestChangesClearTheCache(t *testing.T) {
	tests := map[string]func(h handling){
		"delete":      func(h handling) { h.state.Storage.Delete(h.ctx, "k") },
		"delete many": func(h handling) { h.state.Storage.DeleteMany(h.ctx, []string{"k"}) },
		"delete all":  func(h handling) { h.check(h.state.Storage.DeleteAll(h.ctx)) },
		"put many":    func(h handling) { h.check(h.state.Storage.PutMany(h.ctx, map[string]any{"k": "2"})) },
		"rollback": func(h handling) {
			h.state.Storage.Transaction(h.ctx, func(ctx context.Context) error {
				h.check(h.state.Storage.Put(ctx, "k", "2"))
				return ErrRollback
			})
		},
		"failed transaction": func(h handling) {
			h.state.Storage.Transaction(h.ctx, func(ctx context.Context) error {
				h.check(h.state.Storage.Put(ctx, "k", "2"))
				return errors.New("no luck")
			})
		},
		"a notice of the emulator": func(h handling) {
			h.check(h.state.Storage.Sync(h.ctx))
			h.values["k"] = []byte(`J"2"`)
			h.forget(h.instance)
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inHandler(t, func(h handling) {
				h.put("k", "1")
				change(h)
				h.tap.take()
				var want string
				if v, ok := h.values["k"]; ok {
					want = strings.Trim(string(v[1:]), `"`)
				}
				h.want("k", want)
				h.expectSent("get k")
			}, withCache)
		})
	}
}

// The value may be older than the change, or newer.
func TestNothingIsCachedWhileAChangeIsUnderWay(t *testing.T) {
	inHandler(t, func(h handling) {
		h.values["k"] = []byte(`J"1"`)
		done := h.hold(wire.MethodDelete)
		deleted := h.alongside(func() error { _, err := h.state.Storage.Delete(h.ctx, "k"); return err })
		h.want("k", "1")
		h.put("put", "1")
		h.want("put", "1")
		done()
		h.check(<-deleted)
		h.want("k", "")
		h.want("put", "1")
		h.want("put", "1")
		h.expectSent("delete k", "get k", "notice write put", "get put", "get k", "get put")
	}, withCache)
}

func TestAFailedChangeClearsTheCacheToo(t *testing.T) {
	inHandler(t, func(h handling) {
		h.put("k", "1")
		h.on(wire.MethodDelete, func(s *wire.Stream) { // the answer gets lost, but not the change
			h.mu.Lock()
			delete(h.values, "k")
			h.mu.Unlock()
			s.Fail(&wire.Error{Message: "no luck"})
		})
		if _, err := h.state.Storage.Delete(h.ctx, "k"); err == nil {
			t.Error("the deletion has not failed")
		}
		h.want("k", "")
	}, withCache)
}

// An answer that was under way while the key changed must not be cached.
func TestAnAnswerThatIsTooOldIsNotCached(t *testing.T) {
	tests := map[string]func(h handling){
		"put":    func(h handling) { h.put("k", "new") },
		"forget": func(h handling) { h.check(h.emulationPut("k", "new")); h.forget(h.instance) },
		"put many": func(h handling) {
			h.check(h.state.Storage.PutMany(h.ctx, map[string]any{"k": "new"}))
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			inHandler(t, func(h handling) {
				answer := make(chan struct{})
				h.on(wire.MethodGet, func(s *wire.Stream) {
					<-answer
					s.Answer(&wire.Value{Found: true, Value: []byte(`J"old"`)}, true)
				})
				got := h.alongside(func() error {
					var v string
					_, err := h.state.Storage.Get(h.ctx, "k", &v)
					return err
				})
				change(h)
				close(answer)
				h.check(<-got)
				h.on(wire.MethodGet, nil)
				h.want("k", "new")
			}, withCache)
		})
	}
}

// emulationPut changes a value without the program.
func (h handling) emulationPut(key, value string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, err := stored.Encode(value)
	h.values[key] = v
	return err
}

func TestAFullBufferEndsInAQuestion(t *testing.T) {
	inHandler(t, func(h handling) {
		large := strings.Repeat("x", maxBufferedPuts/2)
		h.put("a", large)
		h.expectSent()
		h.put("b", large)
		h.expectSent("notice write a b", "write")
	}, withCache)
}

// Otherwise a put would fail with the error of an earlier one, and a handler that ignores the
// failure of this put would lose the earlier one.
func TestTheQuestionOfAFullBufferCarriesNoPuts(t *testing.T) {
	inHandler(t, func(h handling) {
		h.on(wire.MethodWrite, func(s *wire.Stream) {
			var q wire.PutMany
			mustDecode(s.Message, &q)
			if len(q.Entries) > 0 {
				t.Errorf("the question has %d entries, want none", len(q.Entries))
			}
			s.Fail(&wire.Error{Message: "disk full"})
		})
		large := strings.Repeat("x", maxBufferedPuts/2)
		h.put("a", large)
		expectError(t, h.state.Storage.Put(h.ctx, "b", large), `put "b": disk full`)
	}, withCache)
}

// Some classes refuse such an entry, and that must be the error of that put alone.
func TestALargeEntryIsNotBuffered(t *testing.T) {
	for name, entry := range map[string]struct {
		maxEntry uint64
		key      string
		size     int
	}{
		"value":         {maxEntry, "k", maxBufferedPuts},
		"key":           {maxEntry, strings.Repeat("k", maxBufferedKey+1), 1},
		"for the limit": {100, "k", 100},
	} {
		t.Run(name, func(t *testing.T) {
			inHandler(t, func(h handling) {
				h.put("a", "1")
				h.fail(wire.MethodPut, &wire.Error{Message: "too large"})
				err := h.state.Storage.Put(h.ctx, entry.key, strings.Repeat("x", entry.size))
				expectError(t, err, fmt.Sprintf("put %q: too large", entry.key))
				h.expectSent("notice write a", "put "+entry.key)
				h.want(entry.key, "")
			}, func(e *emulation) { e.maxEntry = entry.maxEntry })
		})
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	inHandler(t, func(h handling) {
		h.put("large", strings.Repeat("x", maxCached/4))
		h.tap.take()
		h.want("large", strings.Repeat("x", maxCached/4))
		h.want("large", strings.Repeat("x", maxCached/4))
		h.expectSent("get large", "get large")
		cache := invocationOf(h.ctx).host.(*wireHost).cache
		answer := h.hold(wire.MethodGet)
		get := func() error { _, err := h.state.Storage.Get(h.ctx, "twice", new(string)); return err }
		first, second := h.alongside(get), h.alongside(get)
		answer()
		h.check(errors.Join(<-first, <-second))
		for i := range 1000 {
			h.put(fmt.Sprint("k", i), strings.Repeat("x", 1000))
			h.put("changes", strings.Repeat("x", i))
			size := 0
			for key, r := range cache.entries {
				size += sizeOf(key, r)
			}
			if size != cache.size || size > maxCached {
				t.Fatalf("after %d puts, %d bytes are cached and %d counted; the limit is %d", i+1, size,
					cache.size, maxCached)
			}
		}
		h.want("k0", strings.Repeat("x", 1000))
		h.want("k999", strings.Repeat("x", 1000))
	}, withCache)
}

func TestCachedValuesAreCopies(t *testing.T) {
	inHandler(t, func(h handling) {
		b := []byte("before")
		h.put("k", b)
		h.values["got"] = []byte("Bbefore")
		copy(b, "after!")
		for _, key := range []string{"k", "got"} {
			for range 3 {
				var got []byte
				_, err := h.state.Storage.Get(h.ctx, key, &got)
				h.check(err)
				if string(got) != "before" {
					t.Errorf("%s is %q, want %q", key, got, "before")
				}
				copy(got, "other!")
			}
		}
		h.check(h.state.Storage.Sync(h.ctx))
		if got := string(h.values["k"]); got != "Bbefore" {
			t.Errorf("stored is %q, want %q", got, "Bbefore")
		}
	}, withCache)
}

// While one of its goroutines waits, the event may not have its turn: others may put.
func TestAnEventThatHasGivenItsTurnUpBypassesTheCache(t *testing.T) {
	inHandler(t, func(h handling) {
		h.put("k", "before")
		wake := h.hold(wire.MethodSleep)
		slept := h.alongside(func() error { return Sleep(h.ctx, time.Second) })
		h.expectSent("notice write k", "sleep 1s")
		h.check(h.emulationPut("k", "by another event"))
		h.want("k", "by another event")
		h.put("k", "meanwhile")
		h.expectSent("get k", "put k")
		wake()
		h.check(<-slept)
		h.put("k", "after")
		h.want("k", "after")
		h.expectSent()
	}, withCache)
}

// The put waits for the turn, which the goroutine that sleeps gets first.
func TestAPutThatWaitsKeepsNoOtherGoroutineWaiting(t *testing.T) {
	inHandler(t, func(h handling) {
		wake, turn := h.hold(wire.MethodSleep), h.hold(wire.MethodPut)
		slept := h.alongside(func() error { return Sleep(h.ctx, time.Second) })
		put := h.alongside(func() error { return h.state.Storage.Put(h.ctx, "k", "1") })
		h.expectSent("sleep 1s", "put k")
		wake()
		h.settle()
		if done, err := h.finished(slept); !done || err != nil {
			t.Errorf("the goroutine that slept goes on: %v, %v; want true, nil", done, err)
		}
		h.want("other", "")
		turn()
		h.check(<-put)
	}, withCache)
}

func TestAnEventWhoseWaitHasFailedBuffersAgain(t *testing.T) {
	inHandler(t, func(h handling) {
		h.fail(wire.MethodSleep, &wire.Error{Message: "no luck"})
		expectError(t, Sleep(h.ctx, time.Second), "no luck")
		stub := h.env.Namespace("OBJECTS").GetByName("two")
		if _, err := stub.Fetch(h.request("GET", "http://a.test/", nil)); err == nil { // it gets no answer
			t.Error("the subrequest has not failed")
		}
		ctx, cancel := context.WithCancel(h.ctx)
		h.hold(wire.MethodSleep)
		slept := h.alongside(func() error { return Sleep(ctx, time.Second) })
		cancel()
		if err := <-slept; err != context.Canceled {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		h.tap.take()
		h.put("k", "1")
		h.want("k", "1")
		h.expectSent()
	}, withCache)
}

func TestAnEventWhoseClientHasGoneBypassesTheCache(t *testing.T) {
	var e *emulation
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		h := handling{emulation: e, ctx: r.Context(), state: p.state}
		h.put("k", "1")
		<-h.ctx.Done()
		h.put("k", "2")
	})
	emulate(t, w, func(started *emulation) {
		e = started
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.settle()
		x.cancel()
		e.expectSent("notice write k", "put k", "reply 200 +0 END")
	}, withCache)
}

func TestPutsOfAnEventThatIsOverAreNotBufferedAndFail(t *testing.T) {
	over := &wire.Error{Message: "the event is over"}
	t.Run("returned", func(t *testing.T) {
		result := make(chan error, 1)
		w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
			go func() {
				<-r.Context().Done() // when the event has been answered
				var v string
				_, err := p.state.Storage.Get(r.Context(), "k", &v)
				result <- errors.Join(err, p.state.Storage.Put(r.Context(), "k", "1"))
			}()
			p.state.Storage.Put(r.Context(), "k", "1")
		})
		emulate(t, w, func(e *emulation) {
			e.fail(wire.MethodGet, over)
			e.fail(wire.MethodPut, over)
			e.fetch(e.construct("Object", "one"), wire.Request{}).text()
			expectError(t, <-result, "get \"k\": the event is over\nput \"k\": the event is over")
			e.expectSent("notice write k", "reply 200 +0 END", "get k", "put k")
		}, withCache)
	})
	t.Run("aborted", func(t *testing.T) {
		result := make(chan error, 1)
		w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
			defer func() { result <- p.state.Storage.Put(r.Context(), "k", "2") }()
			p.state.Storage.Put(r.Context(), "k", "1")
			p.state.Abort(r.Context(), "enough", AbortOptions{})
		})
		emulate(t, w, func(e *emulation) {
			e.fail(wire.MethodPut, over)
			e.fetch(e.construct("Object", "one"), wire.Request{}).failure()
			expectError(t, <-result, `put "k": the event is over`)
			e.expectSent("notice write k", "reset enough", "put k", "fail "+endedGoroutine)
		}, withCache)
	})
	t.Run("reset", func(t *testing.T) {
		result := make(chan error, 1)
		w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			result <- p.state.Storage.Put(r.Context(), "k", "1")
		})
		emulate(t, w, func(e *emulation) {
			e.fail(wire.MethodPut, over)
			x := e.fetch(e.construct("Object", "one"), wire.Request{})
			e.settle()
			x.Withdraw()
			expectError(t, <-result, `put "k": the event is over`)
		}, withCache)
	})
}

func TestABodyThatHasNotArrivedGivesTheTurnUp(t *testing.T) {
	var e *emulation
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		h := handling{emulation: e, ctx: r.Context(), state: p.state}
		h.put("k", "before")
		io.ReadAll(r.Body)
		h.want("k", "by another event")
	})
	emulate(t, w, func(started *emulation) {
		e = started
		object := e.construct("Object", "one")
		x := e.deliver(object, wire.Request{Method: "POST", ContentLength: -1}, false)
		e.expectSent("notice write k", "pause")
		e.check(handling{emulation: e}.emulationPut("k", "by another event"))
		e.forget(object)
		x.CloseWrite()
		e.expectSent("resume", "get k", "reply 200 +0 END")
	}, withCache)
}

func TestAWorkerHasNoCache(t *testing.T) {
	w := withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) { Sleep(r.Context(), time.Second) })
	emulate(t, w, func(e *emulation) {
		e.forget(17) // and an object that is not in memory is none to forget
		e.fetch(0, wire.Request{}).text()
		e.expectSent("sleep 1s", "reply 200 +0 END")
	}, withCache)
}
