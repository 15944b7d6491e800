// Command cron is a worker whose cron triggers write to a diary: an object that stores a line for
// each run. A GET shows the lines. The trigger "fail" fails.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler:   newHandler,
		Scheduled: scheduled,
		Classes:   durable.Classes{"Diary": durable.NewClass(newDiary)},
	})
}

func diaryOf(env *durable.Env) *durable.Stub { return env.Namespace("DIARY").GetByName("one") }

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { diaryOf(env).ServeHTTP(w, r) })
}

func scheduled(ctx context.Context, event durable.ScheduledEvent, env *durable.Env) error {
	if event.Cron == "fail" {
		return errors.New("no luck")
	}
	due, now := event.ScheduledTime.Format(time.RFC3339), durable.Now(ctx).Format(time.RFC3339)
	line := fmt.Sprintf("%s due %s at %s", event.Cron, due, now)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://diary/", strings.NewReader(line))
	if err != nil {
		return err
	}
	response, err := diaryOf(env).Fetch(r)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Diary is an object that stores lines.
type Diary struct{ storage *durable.Storage }

func newDiary(_ context.Context, state *durable.State, _ *durable.Env) (*Diary, error) {
	return &Diary{storage: state.Storage}, nil
}

func (d *Diary) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(d.serve).ServeHTTP(w, r)
}

func (d *Diary) serve(w http.ResponseWriter, r *http.Request) error {
	lines, _, err := durable.Get[[]string](r.Context(), d.storage, "lines")
	if err != nil {
		return err
	}
	if r.Method == http.MethodGet {
		_, err := fmt.Fprint(w, strings.Join(lines, "\n"))
		return err
	}
	line, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return d.storage.Put(r.Context(), "lines", append(lines, string(line)))
}
