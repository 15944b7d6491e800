package emulator

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"devtool/config"
)

// benchWorld runs the bench program of testdata/handlers, a real process, and returns
// the emulator and a function that sends it a request.
func benchWorld(b *testing.B) (*Emulator, func(object, path string)) {
	b.Helper()
	path, err := filepath.Abs("../testdata/handlers/bench/wrangler.jsonc")
	if err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	e, err := New(Options{
		Load: func() (*config.Config, error) {
			c, _, err := config.Load(path, config.Options{})
			return c, err
		},
		State:    filepath.Join(b.TempDir(), "state"),
		Listener: listener,
		Frozen:   true,
		Output:   io.Discard,
		Log:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	e.builder.Output = filepath.Join(b.TempDir(), "bench")
	e.host.binary = filepath.Join(b.TempDir(), "serving")
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	client := &http.Client{Transport: transport}
	return e, func(object, path string) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listener.Addr().String()+path, nil)
		if err != nil {
			b.Error(err)
			return
		}
		r.Header.Set("Object", object)
		resp, err := client.Do(r)
		if err != nil {
			b.Error(err)
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Errorf("%s: %d %s %v", path, resp.StatusCode, body, err)
		}
	}
}

// A request that the worker answers.
func BenchmarkRequestToWorker(b *testing.B) {
	_, get := benchWorld(b)
	for b.Loop() {
		get("", "/worker")
	}
}

// A request that the worker passes on to an object, one after the other.
func BenchmarkRequestThroughWorkerToObject(b *testing.B) {
	_, get := benchWorld(b)
	get("a", "/hello")
	for b.Loop() {
		get("a", "/hello")
	}
}

// The same from 16 clients, to one object and to 16.
func BenchmarkRequestsThroughWorkerToObjects(b *testing.B) {
	for _, objects := range []int64{1, 16} {
		b.Run(fmt.Sprintf("objects=%d", objects), func(b *testing.B) {
			_, get := benchWorld(b)
			var n atomic.Int64
			b.SetParallelism(8) // of two cores
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				object := fmt.Sprint(n.Add(1) % objects)
				for pb.Next() {
					get(object, "/hello")
				}
			})
		})
	}
}

// The first request of an object: its instance and, with a put, its file are made.
func BenchmarkNewObject(b *testing.B) {
	_, get := benchWorld(b)
	i := 0
	for b.Loop() {
		get(fmt.Sprint("new", i), "/put?n=1")
		i++
	}
}

// Operations inside one handler; now asks for nothing but an answer.
func BenchmarkOperationsInHandler(b *testing.B) {
	for _, op := range []string{"put", "get", "now"} {
		b.Run(op, func(b *testing.B) {
			_, get := benchWorld(b)
			get("a", "/put?n=100")
			b.ResetTimer()
			get("a", fmt.Sprintf("/%s?n=%d", op, b.N))
		})
	}
}

// An advance over 1,000 alarms of as many objects, one a second.
func BenchmarkAdvanceOver1000Alarms(b *testing.B) {
	e, get := benchWorld(b)
	for b.Loop() {
		b.StopTimer()
		for i := range 1000 {
			get(fmt.Sprint(i), fmt.Sprint("/arm?n=", i+1))
		}
		b.StartTimer()
		report, err := advanceBy(context.Background(), e, 1000*time.Second)
		if err != nil || len(report.Fired) != 1000 {
			b.Fatalf("got %d alarms and error %v, want 1000", len(report.Fired), err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "alarms/s")
}
