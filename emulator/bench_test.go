package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"devtool.internal/config"
	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/store"
)

// benchEngine returns an emulator for the bench program, which does not run yet.
func benchEngine(b *testing.B, state string, listener net.Listener) *Emulator {
	b.Helper()
	path, err := filepath.Abs("../testdata/handlers/bench/wrangler.jsonc")
	if err != nil {
		b.Fatal(err)
	}
	e, err := New(Options{
		Load: func() (*config.Config, error) {
			c, _, err := config.Load(path, config.Options{})
			return c, err
		},
		State:    state,
		Build:    b.TempDir(),
		Listener: listener,
		Frozen:   true,
		Output:   io.Discard,
		Log:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// benchWorld runs the bench program of testdata/handlers, a real process, and returns
// the emulator and a function that sends it a request.
func benchWorld(b *testing.B) (*Emulator, func(object, path string)) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	e := benchEngine(b, filepath.Join(b.TempDir(), "state"), listener)
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

// A request that the worker answers by itself.
func BenchmarkRequestToWorker(b *testing.B) {
	_, get := benchWorld(b)
	for b.Loop() {
		get("", "/worker")
	}
}

// Requests that the worker passes on to an object, one at a time.
func BenchmarkRequestThroughWorkerToObject(b *testing.B) {
	_, get := benchWorld(b)
	get("a", "/hello")
	for b.Loop() {
		get("a", "/hello")
	}
}

// Requests to objects from 16 clients: to one object, and to 16.
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

// The first request to an object: it creates the instance and, with a put, the file.
func BenchmarkNewObject(b *testing.B) {
	_, get := benchWorld(b)
	i := 0
	for b.Loop() {
		get(fmt.Sprint("new", i), "/put?n=1")
		i++
	}
}

// Operations inside one handler. "now" is the cheapest: it only asks for the time.
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

// advanceOver measures how many alarms a second an advance by d fires. Each advance must fire want.
func advanceOver(b *testing.B, e *Emulator, d time.Duration, want int, arm func()) {
	b.Helper()
	for b.Loop() {
		b.StopTimer()
		arm()
		b.StartTimer()
		report, err := advanceBy(context.Background(), e, d)
		if err != nil || len(report.Fired) != want {
			b.Fatalf("got %d alarms and error %v, want %d", len(report.Fired), err, want)
		}
	}
	b.ReportMetric(float64(b.N*want)/b.Elapsed().Seconds(), "alarms/s")
}

// An alarm that sets itself again every minute, over 30 days. Its object is evicted in between.
func BenchmarkAdvanceOverAnAlarmEveryMinute(b *testing.B) {
	const days = 30
	e, get := benchWorld(b)
	get("a", "/every?n=60")
	advanceOver(b, e, days*24*time.Hour, days*24*60, func() {})
}

// Alarms of many objects: one a second, or all at the same instant.
func BenchmarkAdvanceOverAlarmsOfObjects(b *testing.B) {
	b.Run("1000 one a second", func(b *testing.B) {
		e, get := benchWorld(b)
		advanceOver(b, e, 1000*time.Second, 1000, func() {
			for i := range 1000 {
				get(fmt.Sprint(i), fmt.Sprint("/arm?n=", i+1))
			}
		})
	})
	b.Run("10000 at once", func(b *testing.B) {
		e, get := benchWorld(b)
		advanceOver(b, e, time.Hour, 10_000, func() {
			for i := range 10_000 {
				get(fmt.Sprint(i), "/arm?n=3600")
			}
		})
	})
}

// A start with 100,000 objects on disk that have alarms, up to where the program is built. It also
// measures what each alarm takes in memory afterwards.
func BenchmarkStartWith100000Alarms(b *testing.B) {
	const alarms = 100_000
	state := filepath.Join(b.TempDir(), "state")
	e := benchEngine(b, state, nil)
	key := e.currentSettings().program.Welcome.Bindings[0].UniqueKey
	dir := e.state.ObjectsDir(key)
	if err := e.close(); err != nil {
		b.Fatal(err)
	}
	fillNamespace(b, key, dir, alarms)
	before := heap()
	var perAlarm float64
	for b.Loop() {
		e := benchEngine(b, state, nil)
		b.StopTimer()
		perAlarm = float64(heap()-before) / alarms
		if n := len(e.world.PendingAlarms()); n != alarms {
			b.Fatalf("got %d alarms, want %d", n, alarms)
		}
		if err := e.close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(perAlarm, "B/alarm")
}

// heap returns how much of the heap is in use after garbage collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // frees what the first collection has finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// fillNamespace gives n objects, whose files are in dir, an alarm: their entries in the index, and
// files, which are links to a few.
func fillNamespace(b *testing.B, uniqueKey, dir string, n int) {
	b.Helper()
	index, err := store.OpenIndex(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer index.Close()
	const linksToOne = 10_000 // file systems limit the links to a file
	at := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	original := ""
	for i := range n {
		name := fmt.Sprint("object ", i)
		id := objectid.FromName(uniqueKey, "", name)
		path := store.ObjectPath(dir, id.String())
		if i%linksToOne == 0 {
			original = path
			o, err := store.OpenObject(path, name, true)
			if err == nil {
				err = errors.Join(o.SetAlarm(at), o.Commit(), o.Close())
			}
			if err != nil {
				b.Fatal(err)
			}
		} else if err := os.Link(original, path); err != nil {
			b.Fatal(err)
		}
		if err := index.Set(id.String(), at.Add(time.Duration(i)*time.Second), int64(i), name, true); err != nil {
			b.Fatal(err)
		}
	}
}
