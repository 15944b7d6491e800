// Command crash is a worker that ends its own program on request, in the way that the path names.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Fragile": durable.NewClass(newFragile)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			fmt.Fprint(w, "ok")
		case "/panic":
			panic("only this request")
		case "/crash", "/exit", "/fatal", "/kill", "/loop", "/deadlock", "/output":
			ruin(r.URL.Path)
		default:
			env.Namespace("FRAGILE").GetByName("one").ServeHTTP(w, r)
		}
	})
}

// ruin ends the program, or hangs, in the way that path names. It does not return.
func ruin(path string) {
	switch path {
	case "/exit":
		os.Exit(3)
	case "/output":
		log.Fatal("there is no such file")
	case "/fatal":
		race()
	case "/kill": // as a system does that has run out of memory
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			panic(err)
		}
	case "/loop":
		log.Print("never ends")
		loop()
	case "/deadlock":
		var mu sync.Mutex
		mu.Lock()
		log.Print("never ends")
		mu.Lock()
	default:
		crash("all of the program")
	}
	select {}
}

func loop() {
	for n := 0; ; n++ {
		_ = n
	}
}

// race writes to a map from several goroutines, which the Go runtime does not survive.
func race() {
	m := make(map[int]int)
	write := func() {
		for i := 0; ; i++ {
			m[i%100] = i
			if i%7 == 0 {
				runtime.Gosched()
			}
		}
	}
	runtime.GOMAXPROCS(4)
	for range 8 {
		go write()
	}
	write()
}

// crash panics on a goroutine where nothing recovers. It does not return.
func crash(reason string) {
	go panic(reason)
	select {}
}

// Fragile is an object whose first alarm crashes the program.
type Fragile struct{ storage *durable.Storage }

func newFragile(_ context.Context, state *durable.State, _ *durable.Env) (*Fragile, error) {
	return &Fragile{storage: state.Storage}, nil
}

// ServeHTTP sets the alarm on a POST, and answers a GET with the number of its runs.
func (f *Fragile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if path, ok := strings.CutPrefix(r.URL.Path, "/one"); ok {
		ruin(path)
	}
	if r.Method == http.MethodPost {
		if err := f.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Second)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		return
	}
	runs, err := f.runs(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, runs)
}

func (f *Fragile) runs(ctx context.Context) (runs int, err error) {
	_, err = f.storage.Get(ctx, "runs", &runs)
	return runs, err
}

// Alarm counts its runs. In the first run it commits the count, changes the count again without a
// commit, and crashes the program.
func (f *Fragile) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	runs, err := f.runs(ctx)
	if err != nil {
		return err
	}
	if err := f.storage.Put(ctx, "runs", runs+1); err != nil {
		return err
	}
	if runs > 0 {
		return nil
	}
	if err := f.storage.Sync(ctx); err != nil {
		return err
	}
	if err := f.storage.Put(ctx, "runs", 100); err != nil {
		return err
	}
	crash("the alarm")
	return nil
}
