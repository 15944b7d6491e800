// Package durable is the SDK for handler programs: Durable Objects in Go. A program has a worker,
// which takes requests, and classes of objects. Each object has its own storage and one alarm.
//
//	func main() {
//		durable.Serve(durable.Worker{
//			Handler: newHandler,
//			Classes: durable.Classes{"Counter": durable.NewClass(newCounter)},
//		})
//	}
//
//	func newHandler(env *durable.Env) http.Handler {
//		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//			env.Namespace("COUNTER").GetByName(r.URL.Path).ServeHTTP(w, r)
//		})
//	}
//
// The worker's handler is made once. For each request it names an object and passes the request on.
// Any type can be a class. The interfaces that the type implements decide what its objects can do:
// http.Handler for requests, Alarmer for the alarm.
//
//	func (c *Counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
//		durable.HandlerFunc(c.count).ServeHTTP(w, r)
//	}
//
//	func (c *Counter) count(w http.ResponseWriter, r *http.Request) error {
//		count, _, err := durable.Get[int](r.Context(), c.storage, "count")
//		if err != nil {
//			return err
//		}
//		fmt.Fprintln(w, count+1)
//		return c.storage.Put(r.Context(), "count", count+1)
//	}
//
// # Turns
//
// An object exists at most once, and its handlers run one at a time: the running handler has the
// object's turn. A handler keeps the turn across storage calls. It gives the turn up, so that
// others may run in between, only where it waits for something else: in Stub.Fetch, HTTPClient,
// Sleep and Cond.Wait, when it reads a body that has not arrived, and when it writes a response
// faster than the client takes it. The goroutines of a handler share one turn. It is given up when
// any of them waits.
//
// # Transactions
//
// The writes of a handler between two places where it gives the turn up are one transaction. A
// response or a request leaves the object only after the writes before it are committed. An error
// of the handler undoes nothing; Storage.Transaction is for that.
//
// # Contexts
//
// Every handler gets a context. Calls into this package take that context, or one derived from it,
// and so belong to the handler's event. The context ends when nobody waits for the handler any
// more. Then Stub.Fetch, HTTPClient, Sleep, Cond.Wait and bodies fail. Storage calls still work, so
// that a client that goes away does not leave half of what a handler writes. WithTimeout ends a
// context earlier, on the clock of Now and Sleep.
//
// # Errors
//
// An event fails with the error that its handler returns, or with its panic. The caller of a stub
// gets an *Error, which says what became of the object and whether to call again. A handler's own
// *Error keeps its flags. HTTPError is for errors that a client should see as a status.
//
// The package imports only the standard library and small packages beside it. Every save of a
// handler links them again.
package durable

import (
	"context"
	"net/http"
	"reflect"
	"time"
)

// A Worker is a handler program: the entry points for requests and cron triggers, and the
// classes of its objects.
type Worker struct {
	// Handler returns the handler of the requests that reach the worker. It is called once, before
	// the first event, so an http.ServeMux and middleware are made once. It belongs to no event: it
	// can use variables and namespaces, but not call objects. Make stubs for each request, because
	// one whose object was reset stays broken. If Handler panics or returns nil, the program does
	// not start, and the version before it serves on.
	Handler func(env *Env) http.Handler
	// Scheduled is called when one of the configuration's cron triggers is due. A run does not wait
	// for the previous one. A run that fails is not repeated.
	Scheduled func(ctx context.Context, event ScheduledEvent, env *Env) error
	// Classes are the classes by the names that the configuration uses.
	Classes Classes
}

// Classes are the classes of a worker by name.
type Classes map[string]Class

// A Class constructs objects. NewClass returns one.
type Class struct {
	construct func(context.Context, *State, *Env) (any, error)
	fetch     bool
	alarm     bool
}

// NewClass returns the class whose objects construct makes. construct is called before the first
// event of an object that is not in memory. Nothing else of the object runs until it has returned,
// so it may load from storage what the handlers need. If construct fails, the event fails, and the
// next event calls it again.
func NewClass[T any](construct func(ctx context.Context, state *State, env *Env) (T, error)) Class {
	t := reflect.TypeFor[T]()
	return Class{
		construct: func(ctx context.Context, state *State, env *Env) (any, error) {
			return construct(ctx, state, env)
		},
		fetch: t.Implements(reflect.TypeFor[http.Handler]()),
		alarm: t.Implements(reflect.TypeFor[Alarmer]()),
	}
}

// An Alarmer is an object that can set an alarm (see Storage.SetAlarm).
//
// Alarm is called at least once, at the alarm's time or, if the emulator was busy or down, later.
// If it returns nil and has set no other alarm, the object has none. If it returns an error or
// panics, it is called again after 2 s, 4 s, 8 s and so on, up to six times. Its writes
// before the failure stay.
type Alarmer interface {
	Alarm(ctx context.Context, info AlarmInfo) error
}

// AlarmInfo describes one run of an alarm.
type AlarmInfo struct {
	// ScheduledTime is the time that SetAlarm was called with. Retries have the same one.
	ScheduledTime time.Time
	// RetryCount counts the failed runs so far. IsRetry reports whether RetryCount is positive.
	RetryCount int
	IsRetry    bool
}
