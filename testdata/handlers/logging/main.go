// Command logging is a worker whose handlers log in all ways there are.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"devtool.internal/durable"
)

func main() {
	log.SetFlags(0)
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Room": durable.NewClass(newRoom)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Print("printed by the worker")
		durable.Logger(r.Context()).Warn("logged by the worker")
		env.Namespace("ROOM").GetByName("one").ServeHTTP(w, r)
	})
}

// A Room logs.
type Room struct{ state *durable.State }

func newRoom(_ context.Context, state *durable.State, _ *durable.Env) (*Room, error) {
	log.Print("printed by the constructor")
	return &Room{state}, nil
}

func (room *Room) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/exit" {
		log.Print("the last line that is printed")
		durable.Logger(r.Context()).Error("the last line that is logged")
		os.Exit(3)
	}
	if err := room.state.Storage.SetAlarm(r.Context(), durable.Now(r.Context()).Add(24*time.Hour)); err != nil {
		panic(err)
	}
}

// Alarm logs in all ways.
func (room *Room) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	durable.Logger(ctx).With("to", "a b").WithGroup("batch").Info("sent \x1b[31mbatch", "items", 3)
	durable.Logger(ctx).Debug("nobody sees this")
	log.Print("printed\nin two lines")
	slog.Info("by slog", "n", 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		log.Print("printed by a goroutine")
	}()
	<-done
	fmt.Fprintln(os.Stderr, "printed without package log")
	return nil
}
