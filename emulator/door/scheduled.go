package door

import "net/http"

// ScheduledPath is the worker's path that runs cron triggers, if the user asks for it.
const ScheduledPath = "/__scheduled"

// ServeScheduled runs the worker's Scheduled handler for the query's cron. Source: wrangler's
// templates/middleware/middleware-scheduled.ts.
func (d *Door) ServeScheduled(w http.ResponseWriter, r *http.Request) {
	if _, err := d.World.RunCron(r.URL.Query().Get("cron"), d.World.Clock().Now()); err != nil {
		d.fail(w, r, err, nil)
		return
	}
	w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	w.Write([]byte("Ran scheduled event")) //nolint:errcheck // the client has gone
}
