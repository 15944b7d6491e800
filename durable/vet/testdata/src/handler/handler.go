// Package handler is a handler program.
package handler

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"
	clock "time"

	"devtool.internal/durable"
	"helper"
)

// The start of the program belongs to no event.
var started = time.Now()

// What is held in a variable is called later.
var now = time.Now // want `time.Now goes by the machine's clock, not by the emulator's: use durable.Now\(ctx\)`

var worker = durable.Worker{
	Handler: func(env *durable.Env) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, time.Now()) // want `time.Now goes`
		})
	},
}

func init() { time.Sleep(time.Millisecond) }

func main() {
	for time.Since(started) < time.Second {
		<-time.After(time.Millisecond)
	}
	go func() {
		for range time.Tick(time.Minute) {
		}
	}()
	worker.Handler = func(*durable.Env) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second) // want `time.Sleep goes .*: use durable.Sleep\(ctx, d\)`
		})
	}
	durable.Serve(worker)
}

// Object is a class.
type Object struct {
	storage *durable.Storage
	clock   func() time.Time
	seen    time.Time
}

func newObject(_ context.Context, state *durable.State, _ *durable.Env) (*Object, error) {
	return &Object{clock: time.Now}, nil // want `time.Now goes`
}

func (o *Object) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.seen = time.Now()                   // want `time.Now goes`
	if time.Since(o.seen) > time.Minute { // want `time.Since goes .*: use durable.Now\(ctx\).Sub\(t\)`
		fmt.Fprintln(w, time.Until(o.seen), clock.Now()) // want `time.Until goes .*: use t.Sub\(durable.Now\(ctx\)\)` `time.Now goes`
	}
	fmt.Fprintln(w, time.Until(*o.expiry()).Round(time.Second)) // want `time.Until goes`
	ctx := context.WithValue(r.Context(), "key", 1)
	fmt.Fprintln(w, time.Now()) // want `time.Now goes`
	{
		ctx := "not a context"
		fmt.Fprintln(w, ctx, time.Now()) // want `time.Now goes`
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // want `context.WithTimeout goes .*: use durable.WithTimeout\(ctx, d\)`
	defer cancel()
	_, cancel = context.WithTimeout(context.Background(), time.Second) // want `context.WithTimeout goes`
	cancel()
	_, cancel = context.WithDeadline(ctx, o.seen) // want `context.WithDeadline goes .*: use durable.WithDeadline\(ctx, t\)`
	cancel()
	o.helpers()
	o.measured(ctx)
}

func (o *Object) expiry() *time.Time { return &o.seen }

// helpers has no context at hand.
func (o *Object) helpers() {
	o.seen = time.Now()             // want `time.Now goes`
	t := time.NewTimer(time.Second) // want `time.NewTimer goes`
	defer t.Stop()
	time.AfterFunc(time.Second, func() {}) // want `time.AfterFunc goes .*: use an alarm`
	time.NewTicker(time.Second)            // want `time.NewTicker goes .*: use an alarm that sets itself again`
	fmt.Println(o.seen.After(o.seen), started)
	fmt.Println(helper.Stamp())       // want `helper.Stamp goes by the machine's clock, not by the emulator's \(time.Now at helper.go:10\): let it use durable.Now\(ctx\), or take the time as an argument`
	helper.Pause()                    // want `helper.Pause goes .*\(time.Sleep at helper.go:14\)`
	new(helper.Queue[int]).Deadline() // want `helper.Queue.Deadline goes .*\(time.Now at helper.go:19\)`
	helper.Timed(func() { helper.Trace("so") })
	fmt.Println(helper.Before(o.seen, o.seen), helper.Started())
	go func() {
		time.Sleep(time.Second) // want `time.Sleep goes`
	}()
}

// measured takes times of this machine, for its log.
func (o *Object) measured(ctx context.Context) {
	start := time.Now()
	again := time.Now()
	defer func() { log.Println(time.Since(start), time.Now().Sub(again), again.Sub(start)) }()
	log.Printf("%.1f ms", float64(time.Since(start))/float64(time.Millisecond))
	start = time.Now()
	log.Println(start.Sub(time.Now()).Seconds())

	until := time.Now()                   // want `time.Now goes`
	for time.Since(until) < time.Second { // want `time.Since goes`
	}
	since := time.Now()                                                    // want `time.Now goes`
	if time.Since(since).Seconds() > 1 || float64(time.Since(since)) > 1 { // want `time.Since goes` `time.Since goes`
		return
	}
	kept := time.Now() // want `time.Now goes`
	o.seen = kept
	fmt.Println(time.Since(kept)) // want `time.Since goes`
}

// Where the machine's clock is meant, a comment says so.
func (o *Object) onPurpose() {
	o.seen = time.Now() //devtool:realtime the certificate's dates are real
	//devtool:realtime so is this
	o.seen = time.Now()
	o.seen = time.Now() // want `time.Now goes`
	// devtool:realtime is no directive with a blank
	o.seen = time.Now() // want `time.Now goes`
	//devtool:realtimes
	o.seen = time.Now() // want `time.Now goes`
}

//devtool:realtime
func (o *Object) onPurposeAltogether() { o.seen = time.Now() }
