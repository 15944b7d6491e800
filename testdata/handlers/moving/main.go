// Command moving is a worker whose objects do what is hard while the clock moves. /NAME/work runs a
// transaction and a block, which calls the object "other". /NAME/ask?url=… sets an alarm for now,
// whose handler asks that URL. /NAME/self sets an alarm in a minute, whose handler calls its own
// object in a block. /NAME/tick?in=DURATION sets an alarm that only counts itself. /NAME/now is the
// time of the clock in ms since 1970, and /NAME/runs says how often alarms have run.
package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: func(env *durable.Env) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
				env.Namespace("MOVING").GetByName(name).ServeHTTP(w, r)
			})
		},
		Classes: durable.Classes{"Moving": durable.NewClass(newMoving)},
	})
}

// Moving is an object with counters and an alarm.
type Moving struct {
	state *durable.State
	env   *durable.Env
}

func newMoving(ctx context.Context, state *durable.State, env *durable.Env) (*Moving, error) {
	_, err := state.Storage.SQL().Exec(ctx, "CREATE TABLE IF NOT EXISTS work (n INTEGER)")
	return &Moving{state: state, env: env}, err
}

func (m *Moving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(m.serve).ServeHTTP(w, r)
}

func (m *Moving) serve(w http.ResponseWriter, r *http.Request) error {
	ctx, storage := r.Context(), m.state.Storage
	_, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch what {
	case "work":
		return m.work(ctx)
	case "ask":
		if err := storage.Put(ctx, "url", r.URL.Query().Get("url")); err != nil {
			return err
		}
		return storage.SetAlarm(ctx, durable.Now(ctx))
	case "self":
		return storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Minute))
	case "tick":
		in, err := time.ParseDuration(r.URL.Query().Get("in"))
		if err == nil {
			err = storage.Put(ctx, "counts", true)
		}
		if err != nil {
			return err
		}
		return storage.SetAlarm(ctx, durable.Now(ctx).Add(in))
	case "now":
		fmt.Fprint(w, durable.Now(ctx).UnixMilli())
	case "runs":
		runs, _, err := durable.Get[int](ctx, storage, "runs")
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d runs", runs)
	}
	return nil
}

func (m *Moving) work(ctx context.Context) error {
	err := m.state.Storage.Transaction(ctx, func(ctx context.Context) error {
		_, err := m.state.Storage.SQL().Exec(ctx, "INSERT INTO work VALUES (1)")
		return err
	})
	if err != nil {
		return err
	}
	return m.state.BlockConcurrencyWhile(ctx, func(ctx context.Context) error {
		return m.call(ctx, "other")
	})
}

func (m *Moving) call(ctx context.Context, name string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://moving/"+name+"/nothing", nil)
	if err != nil {
		return err
	}
	resp, err := m.env.Namespace("MOVING").GetByName(name).Fetch(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Alarm counts itself. Then it asks the URL, if there is one, or calls its own object in a block.
func (m *Moving) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	url, _, err := durable.Get[string](ctx, m.state.Storage, "url")
	if err != nil {
		return err
	}
	runs, _, err := durable.Get[int](ctx, m.state.Storage, "runs")
	if err == nil {
		err = m.state.Storage.Put(ctx, "runs", runs+1)
	}
	if err != nil {
		return err
	}
	if counts, _, err := durable.Get[bool](ctx, m.state.Storage, "counts"); counts || err != nil {
		return err
	}
	if url == "" {
		return m.state.BlockConcurrencyWhile(ctx, func(ctx context.Context) error {
			name, _ := m.state.ID.Name()
			return m.call(ctx, name)
		})
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := durable.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
