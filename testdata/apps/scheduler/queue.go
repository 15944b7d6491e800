package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"devtool.internal/durable"
)

const (
	maxAttempts  = 5
	firstPause   = time.Minute      // before the second attempt; each later pause is twice as long
	answerWithin = 30 * time.Second // of a request, on the emulator's clock
	atOnce       = 10               // jobs of one run of the alarm; the others get a run of their own
	keepFor      = 7 * 24 * time.Hour
)

// States of a job.
const (
	waiting  = "waiting" // for its time, or for its next attempt
	done     = "done"
	failed   = "failed" // after maxAttempts
	canceled = "canceled"
)

const schema = `
CREATE TABLE IF NOT EXISTS jobs (
	id       INTEGER PRIMARY KEY,
	key      TEXT UNIQUE,           -- of the client, so that it can repeat a request; NULL for none
	url      TEXT NOT NULL,
	body     TEXT NOT NULL,
	urgent   INTEGER NOT NULL,      -- runs before others that are due
	every    INTEGER NOT NULL,      -- seconds; 0 for a job that runs once
	state    TEXT NOT NULL,
	due      TEXT NOT NULL,
	next     TEXT NOT NULL,         -- when the next attempt comes: due, or later
	runs     INTEGER NOT NULL DEFAULT 0, -- that have ended
	attempts INTEGER NOT NULL DEFAULT 0, -- of the run that is next
	error    TEXT NOT NULL DEFAULT '',
	ended    TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_time ON jobs (state, next);`

// A Job is a row of the table, and what clients send and get.
type Job struct {
	ID       int64      `json:"id"`
	Key      *string    `json:"key,omitempty"`
	URL      string     `json:"url"`
	Body     string     `json:"body"`
	Urgent   bool       `json:"urgent"`
	Every    int64      `json:"every"`
	State    string     `json:"state"`
	Due      time.Time  `json:"due"` // at once if a client sends none
	Next     time.Time  `json:"next"`
	Runs     int        `json:"runs"`
	Attempts int        `json:"attempts"`
	Error    string     `json:"error,omitempty"`
	Ended    *time.Time `json:"ended,omitempty"`
}

// A Queue has jobs, and an alarm for the next one that is due.
type Queue struct {
	http.Handler // routes requests to the methods below
	name         string
	storage      *durable.Storage
	sql          *durable.SQL
}

func newQueue(ctx context.Context, state *durable.State, _ *durable.Env) (*Queue, error) {
	q := &Queue{storage: state.Storage, sql: state.Storage.SQL()}
	q.name, _ = state.ID.Name()
	mux := http.NewServeMux()
	mux.Handle("POST /jobs", durable.HandlerFunc(q.add))
	mux.Handle("GET /jobs", durable.HandlerFunc(q.list))
	mux.Handle("GET /jobs/{id}", durable.HandlerFunc(q.show))
	mux.Handle("DELETE /jobs/{id}", durable.HandlerFunc(q.cancel))
	mux.Handle("GET /stats", durable.HandlerFunc(q.stats))
	mux.Handle("POST /clean", durable.HandlerFunc(q.clean))
	q.Handler = mux
	_, err := q.sql.Exec(ctx, schema)
	return q, err
}

// add takes all jobs of a JSON array, or none of them. With ?dry-run it takes none, and answers as
// if it had.
func (q *Queue) add(w http.ResponseWriter, r *http.Request) error {
	var jobs []Job
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&jobs); err != nil {
		return durable.HTTPError(http.StatusBadRequest, "send an array of jobs: "+err.Error())
	}
	dryRun := r.URL.Query().Has("dry-run")
	err := q.storage.Transaction(r.Context(), func(ctx context.Context) error {
		for i := range jobs {
			if err := q.insert(ctx, &jobs[i]); err != nil {
				return err
			}
		}
		if err := q.arm(ctx); err != nil {
			return err
		}
		if dryRun {
			return durable.ErrRollback
		}
		return nil
	})
	if refused, ok := errors.AsType[*durable.Error](err); ok && refused.Code == "SQLITE_CONSTRAINT_UNIQUE" {
		return durable.HTTPError(http.StatusConflict, "a job has a key that is taken: none was added")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, jobs)
}

// insert adds one job, and completes it.
func (q *Queue) insert(ctx context.Context, job *Job) error {
	if !strings.HasPrefix(job.URL, "http") || job.Every < 0 {
		return durable.HTTPError(http.StatusBadRequest, "a job needs a url, and seconds in every")
	}
	if job.Due.IsZero() {
		job.Due = durable.Now(ctx)
	}
	*job = Job{
		Key: job.Key, URL: job.URL, Body: job.Body, Urgent: job.Urgent, Every: job.Every,
		State: waiting, Due: job.Due, Next: job.Due,
	}
	cursor, err := q.sql.Exec(ctx, `INSERT INTO jobs (key, url, body, urgent, every, state, due, next)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		job.Key, job.URL, job.Body, job.Urgent, job.Every, job.State, job.Due, job.Next)
	if err != nil {
		return err
	}
	return cursor.One(&job.ID)
}

// save stores how a job goes on, unless it has ended meanwhile.
func (q *Queue) save(ctx context.Context, job Job) error {
	_, err := q.sql.Exec(ctx, `UPDATE jobs SET state = ?, due = ?, next = ?, runs = ?, attempts = ?, error = ?,
		ended = ? WHERE id = ? AND state = ?`,
		job.State, job.Due, job.Next, job.Runs, job.Attempts, job.Error, job.Ended, job.ID, waiting)
	return err
}

// query returns the jobs that a SELECT finds.
func (q *Queue) query(ctx context.Context, query string, args ...any) ([]Job, error) {
	cursor, err := q.sql.Exec(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	jobs := []Job{} // an empty array in JSON
	err = cursor.All(&jobs)
	return jobs, err
}

// list answers with the jobs in the state that the query names, or with all.
func (q *Queue) list(w http.ResponseWriter, r *http.Request) error {
	state := r.URL.Query().Get("state")
	jobs, err := q.query(r.Context(), `SELECT * FROM jobs WHERE ?1 IN ('', state) ORDER BY due, id`, state)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, jobs)
}

func (q *Queue) show(w http.ResponseWriter, r *http.Request) error {
	job, err := q.job(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, job)
}

// cancel cancels a job that waits, also while it runs: then it is not tried again.
func (q *Queue) cancel(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	job, err := q.job(r)
	if err != nil {
		return err
	}
	if job.State != waiting {
		return durable.HTTPError(http.StatusConflict, "the job is "+job.State)
	}
	now := durable.Now(ctx)
	job.State, job.Ended = canceled, &now
	if err := q.save(ctx, job); err != nil {
		return err
	}
	if err := q.arm(ctx); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// job returns the job that the path names.
func (q *Queue) job(r *http.Request) (Job, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return Job{}, durable.HTTPError(http.StatusBadRequest, "the id of a job is a number")
	}
	jobs, err := q.query(r.Context(), `SELECT * FROM jobs WHERE id = ?`, id)
	if err != nil {
		return Job{}, err
	}
	if len(jobs) == 0 {
		return Job{}, durable.HTTPError(http.StatusNotFound, fmt.Sprintf("no job %d", id))
	}
	return jobs[0], nil
}

// Stats describe the jobs in one state.
type Stats struct {
	State string    `json:"state"`
	Jobs  int       `json:"jobs"`
	First time.Time `json:"first"` // when the first of them is, or was, due
	Late  int64     `json:"late"`  // the longest time from due to end, in seconds
}

// stats counts the jobs of each state. It uses database/sql, as generated queries would.
func (q *Queue) stats(w http.ResponseWriter, r *http.Request) error {
	rows, err := q.storage.DB().QueryContext(r.Context(), `
		SELECT state, count(*), min(due), coalesce(max(unixepoch(ended) - unixepoch(due)), 0)
		FROM jobs GROUP BY state ORDER BY state`)
	if err != nil {
		return err
	}
	defer rows.Close()
	all := []Stats{}
	for rows.Next() {
		var s Stats
		if err := rows.Scan(&s.State, &s.Jobs, &s.First, &s.Late); err != nil {
			return err
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, all)
}

// clean removes jobs that ended long ago.
func (q *Queue) clean(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	result, err := q.storage.DB().ExecContext(ctx, `DELETE FROM jobs WHERE ended < ?`, durable.Now(ctx).Add(-keepFor))
	if err != nil {
		return err
	}
	removed, err := result.RowsAffected()
	if err != nil {
		return err
	}
	durable.Logger(ctx).Info("removed old jobs", "count", removed)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}
