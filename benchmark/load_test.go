package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// serveHTTP serves h. It returns the address, and a count of the connections that were opened.
func serveHTTP(t *testing.T, h http.HandlerFunc) (address string, opened *atomic.Int64) {
	t.Helper()
	opened = new(atomic.Int64)
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), opened
}

func TestRequestsArriveAsWritten(t *testing.T) {
	address, _ := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL, r.Header.Get("Object"), body)
	})
	for _, test := range []struct{ request, want string }{
		{string(get("/put?n=3", "a b")), "GET /put?n=3 a b "},
		{string(post("/orders", `{"n":1}`)), `POST /orders  {"n":1}`},
	} {
		got, err := one(t.Context(), address, []byte(test.request))
		if got != test.want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", test.request, got, err, test.want)
		}
	}
}

func TestAnAnswerInChunksIsReadWhole(t *testing.T) {
	address, _ := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			io.WriteString(w, "piece ")
			w.(http.Flusher).Flush()
		}
	})
	got, err := one(t.Context(), address, get("/", ""))
	if want := "piece piece piece "; got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestEachSendsEveryRequestOnceOverTheGivenConnections(t *testing.T) {
	var mu sync.Mutex
	arrived, seen := 0, map[string]int{}
	together := make(chan struct{}) // closed when three requests are under way at once
	address, opened := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.Header.Get("Object")]++
		if arrived++; arrived == 3 {
			close(together)
		}
		mu.Unlock()
		select {
		case <-together:
		case <-r.Context().Done():
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	took, err := each(ctx, address, 3, 100, func(i int) []byte { return get("/", fmt.Sprint(i)) })
	if err != nil || took <= 0 {
		t.Fatalf("got %s, %v, want a time", took, err)
	}
	for i := range 100 {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("request %d was sent %d times, want 1", i, n)
		}
	}
	if got := opened.Load(); len(seen) != 100 || got != 3 {
		t.Errorf("got %d requests over %d connections, want 100 over 3", len(seen), got)
	}
}

func TestRateKeepsItsConnectionsAndLeavesTheWarmUpOut(t *testing.T) {
	var handled atomic.Int64
	byConnection := sync.Map{}
	address, opened := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) {
		byConnection.Store(r.Header.Get("Object"), true)
		handled.Add(1)
	})
	const duration = 20 * time.Millisecond
	got, err := rate(t.Context(), address, 16, duration, func(n int) []byte { return get("/", fmt.Sprint(n)) })
	if err != nil {
		t.Fatal(err)
	}
	for n := range 16 {
		if _, ok := byConnection.Load(fmt.Sprint(n)); !ok {
			t.Errorf("connection %d sent nothing", n)
		}
	}
	if n := opened.Load(); n != 16 {
		t.Errorf("got %d connections, want 16", n)
	}
	if counted := got * duration.Seconds(); counted < 0 || counted > float64(handled.Load()-16) {
		t.Errorf("counted %.0f of %d answers, want neither those of the warm-up nor those after the end", counted,
			handled.Load())
	}
}

func TestAFailureOfOneRequestEndsTheLoad(t *testing.T) {
	var n atomic.Int64
	address, _ := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 50 {
			http.Error(w, "the disk is full", http.StatusInternalServerError)
		}
	})
	_, err := rate(t.Context(), address, 4, time.Hour, func(int) []byte { return get("/put?n=1", "a") })
	want := "GET /put?n=1 HTTP/1.1 was answered with 500 Internal Server Error: the disk is full"
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestAServerThatHangsUpIsAnError(t *testing.T) {
	address, _ := serveHTTP(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := one(t.Context(), address, get("/", ""))
	if err == nil || !strings.Contains(err.Error(), "read answer") {
		t.Errorf("got error %v, want one that says that the answer can't be read", err)
	}
}

func TestTheLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var once sync.Once
	address, _ := serveHTTP(t, func(http.ResponseWriter, *http.Request) { once.Do(cancel) })
	_, err := rate(ctx, address, 2, time.Hour, func(int) []byte { return get("/", "") })
	if err == nil {
		t.Error("got no error, want one")
	}
}
