// Bench is the handler program of the emulator's benchmarks. A request names an operation and how
// often its object executes it.
package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"devtool.internal/durable"
)

// version is what `make bench` edits to measure how soon a save is served.
const version = "as it is"

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Bench": durable.NewClass(newBench)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/worker":
			fmt.Fprintln(w, "hello")
		case "/version":
			fmt.Fprintln(w, version)
		default:
			env.Namespace("BENCH").GetByName(r.Header.Get("Object")).ServeHTTP(w, r)
		}
	})
}

type bench struct {
	storage *durable.Storage
	sql     *durable.SQL
}

func newBench(_ context.Context, state *durable.State, _ *durable.Env) (*bench, error) {
	return &bench{state.Storage, state.Storage.SQL()}, nil
}

func (b *bench) selectOne(ctx context.Context, id int) error {
	c, err := b.sql.Exec(ctx, "SELECT value FROM entries WHERE id = ?", id)
	if err != nil {
		return err
	}
	var value string
	return c.One(&value)
}

func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	ctx := r.Context()
	var err error
	switch r.URL.Path {
	case "/table":
		_, err = b.sql.Exec(ctx, "CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, value TEXT)")
	case "/put":
		for i := 0; i < n && err == nil; i++ {
			err = b.storage.Put(ctx, "key"+strconv.Itoa(i%100), i)
		}
	case "/get":
		for i := 0; i < n && err == nil; i++ {
			var v int
			_, err = b.storage.Get(ctx, "key"+strconv.Itoa(i%100), &v)
		}
	case "/insert":
		for i := 0; i < n && err == nil; i++ {
			_, err = b.sql.Exec(ctx, "INSERT OR REPLACE INTO entries VALUES (?, ?)", i%100, "value")
		}
	case "/select":
		for i := 0; i < n && err == nil; i++ {
			err = b.selectOne(ctx, i%100)
		}
	case "/now":
		for range n {
			durable.Now(ctx)
		}
	case "/every":
		if err = b.storage.Put(ctx, "every", n); err == nil {
			err = b.rearm(ctx)
		}
	case "/arm":
		err = b.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Duration(n)*time.Second))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "hello")
}

// Alarm does nothing, because benchmarks measure its delivery. After /every it sets the alarm
// again.
func (b *bench) Alarm(ctx context.Context, _ durable.AlarmInfo) error { return b.rearm(ctx) }

// rearm sets the alarm ahead by the number of seconds that /every has stored, if it has.
func (b *bench) rearm(ctx context.Context) error {
	var every int
	found, err := b.storage.Get(ctx, "every", &every)
	if err != nil || !found {
		return err
	}
	return b.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Duration(every)*time.Second))
}
