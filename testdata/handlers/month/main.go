// Command month is a worker whose objects are chores that come due within a month, once or
// repeatedly. Some fail at first, and some plan another chore. Each records when it was done, so
// that a test sees whether a crash has lost an alarm or made it early.
//
// POST /NAME plans the chore NAME, as a [Plan] in JSON. GET /NAME reads it. /pid is the id of the
// program's process. A cron trigger plans the chore whose name is its expression.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler:   newHandler,
		Scheduled: scheduled,
		Classes:   durable.Classes{"Chore": durable.NewClass(newChore)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pid" {
			fmt.Fprint(w, os.Getpid())
			return
		}
		env.Namespace("CHORES").GetByName(strings.TrimPrefix(r.URL.Path, "/")).ServeHTTP(w, r)
	})
}

// afterCron is the time from a cron trigger until its chore is due.
const afterCron = 90 * time.Minute

func scheduled(ctx context.Context, event durable.ScheduledEvent, env *durable.Env) error {
	return plan(ctx, env, event.Cron, Plan{Due: event.ScheduledTime.Add(afterCron).UnixMilli()})
}

// A Plan says when a chore is due, in ms since 1970.
type Plan struct {
	Due      int64
	Every    int64  // ms until the chore is due again; 0 if it is due once
	Failures int    // how often it fails before it succeeds, each time
	Next     string // the chore that is due an hour later; empty for none
}

// plan plans the chore called name.
func plan(ctx context.Context, env *durable.Env, name string, p Plan) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	address := "http://chore/" + url.PathEscape(name)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := env.Namespace("CHORES").GetByName(name).Fetch(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("plan %s: %s", name, response.Status)
	}
	return nil
}

// Keys of a chore.
const (
	planned = "plan"   // the Plan of the next time; missing if there is none
	failed  = "failed" // how often it has failed since it was due
	done    = "done/"  // and when it was due: when it was done
)

// Chore is an object that does its work in its alarm.
type Chore struct {
	storage *durable.Storage
	env     *durable.Env
}

func newChore(_ context.Context, state *durable.State, env *durable.Env) (*Chore, error) {
	return &Chore{state.Storage, env}, nil
}

func (c *Chore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(c.serve).ServeHTTP(w, r)
}

func (c *Chore) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodPost {
		var p Plan
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			return err
		}
		return c.plan(r.Context(), p)
	}
	answer, err := c.read(r.Context())
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(answer)
}

// plan stores a plan. It ignores a plan that was carried out already, because its sender repeats it
// after a crash.
func (c *Chore) plan(ctx context.Context, p Plan) error {
	if _, found, err := durable.Get[int64](ctx, c.storage, doneKey(p.Due)); err != nil || found {
		return err
	}
	if err := c.storage.Put(ctx, planned, p); err != nil {
		return err
	}
	return c.storage.SetAlarm(ctx, time.UnixMilli(p.Due))
}

func doneKey(due int64) string { return fmt.Sprintf("%s%014d", done, due) }

// Alarm does the chore and plans the next one.
func (c *Chore) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	p, found, err := durable.Get[Plan](ctx, c.storage, planned)
	if err != nil || !found {
		return errors.Join(err, errors.New("nothing is planned"))
	}
	failures, _, err := durable.Get[int](ctx, c.storage, failed)
	if err != nil {
		return err
	}
	if failures < p.Failures {
		return errors.Join(c.storage.Put(ctx, failed, failures+1), errors.New("not yet"))
	}
	if p.Next != "" {
		next := Plan{Due: time.UnixMilli(p.Due).Add(time.Hour).UnixMilli()}
		if err := plan(ctx, c.env, p.Next, next); err != nil {
			return err
		}
	}
	if err := c.storage.Put(ctx, doneKey(p.Due), durable.Now(ctx).UnixMilli()); err != nil {
		return err
	}
	if err := c.storage.Put(ctx, failed, 0); err != nil {
		return err
	}
	if p.Every == 0 {
		_, err := c.storage.Delete(ctx, planned)
		return err
	}
	p.Due += p.Every
	if err := c.storage.Put(ctx, planned, p); err != nil {
		return err
	}
	return c.storage.SetAlarm(ctx, time.UnixMilli(p.Due))
}

// State is everything that a chore stores. Times are in ms since 1970.
type State struct {
	Due   int64            // when it is due; 0 for never
	Alarm int64            // when its alarm is set; 0 for never
	Done  map[string]int64 // when it was done, by the time that it was due
}

func (c *Chore) read(ctx context.Context) (s State, err error) {
	p, _, err := durable.Get[Plan](ctx, c.storage, planned)
	if err != nil {
		return s, err
	}
	s.Due, s.Done = p.Due, make(map[string]int64)
	runs, err := durable.List[int64](ctx, c.storage, durable.ListOptions{Prefix: done})
	if err != nil {
		return s, err
	}
	for _, run := range runs {
		s.Done[strings.TrimLeft(strings.TrimPrefix(run.Key, done), "0")] = run.Value
	}
	at, set, err := c.storage.GetAlarm(ctx)
	if set {
		s.Alarm = at.UnixMilli()
	}
	return s, err
}
