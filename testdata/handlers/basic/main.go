// Command basic is a worker that tells what it knows: /var is the variable
// GREETING, /host the request's host, /pid the program's process. Everything
// else goes to an object, which sets an alarm an hour ahead on a POST. After a POST to
// /again it sets it again whenever it has run.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"devtool/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Fetch:   fetch,
		Classes: durable.Classes{"Basic": durable.NewClass(newBasic)},
	})
}

func fetch(w http.ResponseWriter, r *http.Request, env *durable.Env) {
	switch r.URL.Path {
	case "/var":
		fmt.Fprint(w, env.Var("GREETING"))
	case "/host":
		fmt.Fprint(w, r.Host)
	case "/pid":
		fmt.Fprint(w, os.Getpid())
	default:
		env.Namespace("BASIC").GetByName("one").ServeHTTP(w, r)
	}
}

// Basic is an object with nothing but an alarm.
type Basic struct{ storage *durable.Storage }

func newBasic(_ context.Context, state *durable.State, _ *durable.Env) (*Basic, error) {
	return &Basic{storage: state.Storage}, nil
}

func (b *Basic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return
	}
	ctx := r.Context()
	if r.URL.Path == "/again" {
		if err := b.storage.Put(ctx, "again", true); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if err := b.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Hour)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// Alarm does nothing, or sets the alarm again.
func (b *Basic) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	again, err := b.storage.Get(ctx, "again", new(bool))
	if again && err == nil {
		err = b.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Hour))
	}
	return err
}
