// Command reload is a worker whose objects record the requests that they execute, while a test
// edits the program. /version answers with the version. A request to /NAME/DO goes to the object
// NAME:
//
//   - add records the number in the query.
//   - stream records it in the middle of a response that lasts ten times the pace in the query.
//   - arm sets an alarm that records it a little later.
//   - book answers with all numbers and how often each was recorded.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Ledger": durable.NewClass(newLedger)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			fmt.Fprint(w, version)
			return
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		env.Namespace("LEDGER").GetByName(name).ServeHTTP(w, r)
	})
}

// Ledger is an object that counts each number. Its keys are noted:NUMBER for what has happened, and
// armed:NUMBER for what the alarm has yet to record.
type Ledger struct{ storage *durable.Storage }

func newLedger(_ context.Context, state *durable.State, _ *durable.Env) (*Ledger, error) {
	return &Ledger{storage: state.Storage}, nil
}

const (
	delay  = 20 * time.Millisecond // from arm to the alarm
	chunks = 10                    // of a stream
)

func (l *Ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(l.serve).ServeHTTP(w, r)
}

func (l *Ledger) serve(w http.ResponseWriter, r *http.Request) error {
	ctx, number := r.Context(), r.URL.Query().Get("n")
	switch _, do, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); do {
	case "add":
		if err := l.note(ctx, number); err != nil {
			return err
		}
		fmt.Fprint(w, version)
	case "stream":
		pace, err := time.ParseDuration(r.URL.Query().Get("pace"))
		if err != nil {
			pace = 5 * time.Millisecond
		}
		for i := range chunks {
			fmt.Fprintln(w, i, version)
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
			if i == chunks/2 {
				if err := l.note(ctx, number); err != nil {
					return err
				}
			}
			if err := durable.Sleep(ctx, pace); err != nil {
				return err
			}
		}
		fmt.Fprintln(w, "end")
	case "arm":
		if err := l.storage.Put(ctx, "armed:"+number, true); err != nil {
			return err
		}
		return l.storage.SetAlarm(ctx, durable.Now(ctx).Add(delay))
	case "book":
		noted, err := durable.List[int](ctx, l.storage, durable.ListOptions{Prefix: "noted:"})
		if err != nil {
			return err
		}
		book := make(map[string]int)
		for _, item := range noted {
			book[strings.TrimPrefix(item.Key, "noted:")] = item.Value
		}
		return json.NewEncoder(w).Encode(book)
	}
	return nil
}

// note counts number once more.
func (l *Ledger) note(ctx context.Context, number string) error {
	n, _, err := durable.Get[int](ctx, l.storage, "noted:"+number)
	if err != nil {
		return err
	}
	return l.storage.Put(ctx, "noted:"+number, n+1)
}

// Alarm records the armed numbers. If it is interrupted they stay armed.
func (l *Ledger) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	armed, err := durable.List[bool](ctx, l.storage, durable.ListOptions{Prefix: "armed:"})
	if err != nil {
		return err
	}
	for _, item := range armed {
		if err := l.note(ctx, strings.TrimPrefix(item.Key, "armed:")); err != nil {
			return err
		}
		if _, err := l.storage.Delete(ctx, item.Key); err != nil {
			return err
		}
	}
	return nil
}
