// Command hostile is a worker that passes on what a client sends, wherever a worker can. The
// request's body is the text. /print prints it, /log logs it, and /fail, /panic and /exit fail with
// it. /store makes an object with that name, which stores it as key, value, column and row, and
// sets an alarm that fails with it. /fetch?url=URL&by=WHO fetches a URL: by the worker, by an
// object, or by package net/http.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"devtool.internal/durable"
)

func main() {
	log.SetFlags(0)
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Object": durable.NewClass(newObject)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		text := string(body)
		switch r.URL.Path {
		case "/fetch":
			if r.URL.Query().Get("by") == "object" {
				env.Namespace("OBJECTS").GetByName("fetcher").ServeHTTP(w, r)
				return nil
			}
			return fetch(w, r)
		case "/print":
			log.Print(text)
			fmt.Println(text)
			fmt.Fprint(os.Stderr, text)
		case "/log":
			durable.Logger(r.Context()).With(text, text).WithGroup(text).Warn(text, text, map[string]string{text: text})
		case "/fail":
			return errors.New(text)
		case "/panic":
			panic(text)
		case "/exit":
			fmt.Fprintln(os.Stderr, text)
			os.Exit(3)
		case "/store":
			out := r.Clone(r.Context())
			out.Body = io.NopCloser(strings.NewReader(text))
			env.Namespace("OBJECTS").GetByName(text).ServeHTTP(w, out)
		default:
			fmt.Fprint(w, "fine")
		}
		return nil
	})
}

// fetch answers with what is at the URL of r's query.
func fetch(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	out, err := http.NewRequestWithContext(r.Context(), query.Get("method"), query.Get("url"), nil)
	if err != nil {
		return err
	}
	if host := query.Get("host"); host != "" {
		out.Host = host
	}
	client := durable.HTTPClient
	if query.Get("by") == "net/http" {
		client = http.DefaultClient
	}
	answer, err := client.Do(out)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, err = io.Copy(w, answer.Body)
	return err
}

// An Object stores what it gets.
type Object struct{ storage *durable.Storage }

func newObject(_ context.Context, state *durable.State, _ *durable.Env) (*Object, error) {
	return &Object{state.Storage}, nil
}

func (o *Object) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/fetch" {
		if err := fetch(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
		return
	}
	if err := o.store(r); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (o *Object) store(r *http.Request) error {
	ctx := r.Context()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	text := string(body)
	if err := o.storage.Put(ctx, text, text); err != nil {
		return err
	}
	for _, statement := range []string{
		`create table if not exists "` + strings.ReplaceAll(text, `"`, `""`) + `" (v)`,
		`create table if not exists texts (v)`,
	} {
		if _, err := o.storage.SQL().Exec(ctx, statement); err != nil {
			return err
		}
	}
	if _, err := o.storage.SQL().Exec(ctx, `insert into texts values (?)`, text); err != nil {
		return err
	}
	return o.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Hour))
}

// Alarm fails with what the object stores.
func (o *Object) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	entries, err := durable.List[string](ctx, o.storage, durable.ListOptions{})
	if err != nil {
		return err
	}
	for _, e := range entries {
		return errors.New(e.Value)
	}
	return nil
}
