package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"devtool.internal/emulator/control"
)

// cronAPI adds the requests about cron triggers: devtool's own, and the platform's, which it
// answers as the platform's local server does. Source: miniflare's workers/core/scheduled.ts.
func (e controlAPI) cronAPI(rs *routes) {
	rs.answer("GET cron", func(*http.Request) (any, error) { return e.Crons(), nil })
	rs.answer("POST cron/trigger", e.triggerCron)
	for _, path := range []string{"/cdn-cgi/local/scheduled", "/cdn-cgi/handler/scheduled", "/cdn-cgi/mf/scheduled"} {
		rs.withoutToken(path, e.serveScheduled)
	}
}

// Crons lists the cron triggers with their next times.
func (e *Emulator) Crons() control.Crons {
	p := e.host.Serving()
	return control.Crons{Now: e.world.Clock().Now(), Handled: p == nil || p.Scheduled(), Crons: e.world.Crons()}
}

func (e controlAPI) triggerCron(r *http.Request) (any, error) {
	var q control.CronTriggerRequest
	if err := decode(r, &q); err != nil {
		return nil, err
	}
	expr, err := e.world.FindCron(q.Cron)
	if err != nil {
		return nil, err
	}
	scheduled := e.world.Clock().Now()
	if q.Time != nil {
		scheduled = q.Time.UTC()
	}
	fired, _ := e.world.RunCron(expr, scheduled) // fired has the error
	return fired, nil
}

// The platform's names for the outcomes of a run.
const (
	platformOK        = "ok"
	platformException = "exception"
)

// serveScheduled runs the worker's Scheduled handler with the query's cron and time. The cron need
// not be one of the configuration's; the time is in milliseconds since 1970.
func (e controlAPI) serveScheduled(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	scheduled := e.world.Clock().Now()
	if given := query.Get("time"); given != "" {
		ms, err := strconv.ParseInt(given, 10, 64)
		if err != nil {
			respond(w, nil, &control.Error{
				Code: control.CodeBadRequest, Message: fmt.Sprintf("time=%q is not a time", given),
				Hint: "give milliseconds since 1970, as JavaScript's Date.now() does",
			})
			return
		}
		scheduled = time.UnixMilli(ms).UTC()
	}
	outcome, status := platformOK, http.StatusOK
	if _, err := e.world.RunCron(query.Get("cron"), scheduled); err != nil {
		outcome, status = platformException, http.StatusInternalServerError
	}
	if query.Get("format") == "json" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		answer := map[string]any{"outcome": outcome, "noRetry": false}
		json.NewEncoder(w).Encode(answer) //nolint:errcheck // the caller has gone
		return
	}
	w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	w.WriteHeader(status)
	w.Write([]byte(outcome)) //nolint:errcheck // the caller has gone
}
