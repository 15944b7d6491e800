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
	mux.Handle("DELETE /jobs/{id}", durable.HandlerFunc(q.cancel))
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
	cursor, err := q.sql.Exec(ctx, `INSERT INTO jobs (key, url, body, urgent, every, state, due, next)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *`,
		job.Key, job.URL, job.Body, job.Urgent, job.Every, waiting, job.Due, job.Due)
	if err != nil {
		return err
	}
	return cursor.One(job)
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

func (q *Queue) list(w http.ResponseWriter, r *http.Request) error {
	jobs, err := q.query(r.Context(), `SELECT * FROM jobs ORDER BY due, id`)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, jobs)
}

// cancel cancels a job that waits, also while it runs: then it is not tried again.
func (q *Queue) cancel(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
	if err != nil {
		return durable.HTTPError(http.StatusBadRequest, "the id of a job is a number")
	}
	jobs, err := q.query(ctx, `SELECT * FROM jobs WHERE id = ?`, id)
	if err != nil {
		return err
	}
	if len(jobs) == 0 {
		return durable.HTTPError(http.StatusNotFound, fmt.Sprintf("no job %d", id))
	}
	job := jobs[0]
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

// clean removes jobs that ended long ago. It uses database/sql, as generated queries would.
func (q *Queue) clean(_ http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	_, err := q.storage.DB().ExecContext(ctx, `DELETE FROM jobs WHERE ended < ?`, durable.Now(ctx).Add(-keepFor))
	return err
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}
