package handler

import (
	"net/http"
	"time"

	"devtool.internal/durable"
)

// What makes the worker's handler runs before any event, and what it makes does not.
func newHandler(*durable.Env) http.Handler {
	made := time.Now()
	for made.IsZero() {
		made = time.Now()
	}
	_ = durable.Worker{Handler: func(*durable.Env) http.Handler {
		_ = time.Now() // want `time.Now goes`
		return nil
	}}
	h := &clocked{made: made, now: time.Now}         // want `time.Now goes`
	h.today = func() time.Time { return time.Now() } // want `time.Now goes`
	return h
}

var made = durable.Worker{Handler: func(*durable.Env) http.Handler {
	h := &clocked{made: time.Now()}
	h.since = func() time.Duration { return time.Since(h.made) } // want `time.Since goes`
	return h
}}

// A method is called at any time, whatever it returns.
func (*clocked) handler(*durable.Env) http.Handler {
	time.Sleep(time.Second) // want `time.Sleep goes`
	return nil
}

type clocked struct {
	made  time.Time
	now   func() time.Time
	since func() time.Duration
	today func() time.Time
}

func (*clocked) ServeHTTP(http.ResponseWriter, *http.Request) {}
