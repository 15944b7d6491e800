// Package durable is what a handler program is written with: a worker that
// takes requests, and classes of durable objects, each of which has its own
// storage and one alarm.
//
//	func main() {
//		durable.Serve(durable.Worker{
//			Fetch:   fetch,
//			Classes: durable.Classes{"Counter": durable.NewClass(newCounter)},
//		})
//	}
//
// Any type can be a class. What its objects can do is what the type implements:
// http.Handler for requests, Alarmer for the alarm.
//
// An object exists at most once, and its handlers run one at a time: whoever
// runs has the object's turn. A handler keeps the turn across storage calls. It gives
// the turn up, so that others may run in between, only where it waits for something
// else: in Stub.Fetch, HTTPClient and Sleep, when it reads a body that has not
// arrived, and when it writes a response faster than the client takes it.
//
// What a handler writes between two such places is one transaction. A
// response or a request leaves the object only after the writes before it are
// on disk.
//
// Every handler gets a context. Calls into this package take that context, or one
// derived from it: it says on whose behalf they are made. It ends when nobody
// waits for the handler any more. Storage calls are carried out all the same,
// so that a client that goes away does not leave half of what a handler writes;
// Stub.Fetch, HTTPClient, Sleep and bodies fail then. WithTimeout ends it earlier, on the clock
// that Now and Sleep go by.
//
// A handler that starts goroutines shares one turn among them: it is given
// up when any of them waits.
//
// The package imports the standard library only, because all that it links is
// linked again with each save of a handler.
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
	// Fetch answers the requests that reach the worker.
	Fetch func(w http.ResponseWriter, r *http.Request, env *Env)
	// Scheduled is called when one of the configuration's cron triggers is due. Each run is on its own: it
	// does not wait for the run before, and one that fails is not tried again.
	Scheduled func(ctx context.Context, event ScheduledEvent, env *Env) error
	// Classes are the classes by the names that the configuration uses.
	Classes Classes
}

// Classes are the classes of a worker by name.
type Classes map[string]Class

// A Class makes objects. NewClass returns one.
type Class struct {
	construct func(context.Context, *State, *Env) (any, error)
	fetch     bool
	alarm     bool
}

// NewClass returns the class whose objects construct makes. It is called before
// the first event of an object that is not in memory, and nothing else of the object
// runs until it has returned: it may load from storage what the handlers need. When it
// fails, so does the event, and the next event constructs again.
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

// An Alarmer is an object that can set an alarm (see Storage.SetAlarm). Alarm is
// called at the alarm's time or, if the emulator was busy or down, later; at least
// once. When it returns nil and has set no other alarm, the object has none. When it
// returns an error or panics it is called again, after 2 s, 4 s, 8 s and so on, up to
// six times; what it wrote before it failed stays.
type Alarmer interface {
	Alarm(ctx context.Context, info AlarmInfo) error
}

// AlarmInfo describes one run of an alarm.
type AlarmInfo struct {
	// ScheduledTime is the time that was set, the same in each retry.
	ScheduledTime time.Time
	// RetryCount counts the failed runs so far. IsRetry reports whether it is positive.
	RetryCount int
	IsRetry    bool
}
