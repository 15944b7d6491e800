// Command timeouts is a worker with an object that sets timeouts. A POST sets its alarm a minute
// ahead. The alarm starts a sleep and then a request to another object, each of which would take an
// hour, with a timeout of five seconds. A GET shows the outcome.
package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: func(env *durable.Env) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				env.Namespace("PATIENT").GetByName("one").ServeHTTP(w, r)
			})
		},
		Classes: durable.Classes{"Patient": durable.NewClass(newPatient)},
	})
}

// Patient is an object whose alarm runs into timeouts.
type Patient struct {
	storage *durable.Storage
	env     *durable.Env
}

func newPatient(_ context.Context, state *durable.State, env *durable.Env) (*Patient, error) {
	return &Patient{storage: state.Storage, env: env}, nil
}

func (p *Patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(p.serve).ServeHTTP(w, r)
}

func (p *Patient) serve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	switch {
	case r.URL.Path == "/slow":
		err := durable.Sleep(ctx, time.Hour)
		fmt.Println("slow:", err)
	case r.Method == http.MethodPost:
		return p.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Minute))
	default:
		log, _, err := durable.Get[string](ctx, p.storage, "log")
		if err != nil {
			return err
		}
		fmt.Fprint(w, log)
	}
	return nil
}

// Alarm runs the two operations that take an hour, and stores when and how each ended.
func (p *Patient) Alarm(ctx context.Context, info durable.AlarmInfo) error {
	log := ""
	for _, try := range []func(context.Context) error{
		func(ctx context.Context) error { return durable.Sleep(ctx, time.Hour) },
		func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://patient/slow", nil)
			if err != nil {
				return err
			}
			resp, err := p.env.Namespace("PATIENT").GetByName("two").Fetch(r)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		},
	} {
		limited, cancel := durable.WithTimeout(ctx, 5*time.Second)
		err := try(limited)
		cancel()
		log += fmt.Sprintf("%s: %v\n", durable.Now(ctx).Sub(info.ScheduledTime), err)
	}
	return p.storage.Put(ctx, "log", log)
}
