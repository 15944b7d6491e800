package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"devtool.internal/durable"
)

// arm sets the alarm for the next job that is due, or deletes it.
func (q *Queue) arm(ctx context.Context) error {
	cursor, err := q.sql.Exec(ctx, `SELECT min(next) FROM jobs WHERE state = ?`, waiting)
	if err != nil {
		return err
	}
	var next *time.Time // min of no rows is NULL
	if err := cursor.One(&next); err != nil {
		return err
	}
	if next == nil {
		return q.storage.DeleteAlarm(ctx)
	}
	return q.storage.SetAlarm(ctx, *next)
}

// Alarm runs the jobs that are due. An error of a job is not one of the alarm: the job has attempts
// of its own.
func (q *Queue) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	jobs, err := q.query(ctx, `SELECT * FROM jobs WHERE state = ? AND next <= ?
		ORDER BY urgent DESC, next, id LIMIT ?`, waiting, durable.Now(ctx), atOnce)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if err := q.run(ctx, job); err != nil {
			return err
		}
	}
	return q.arm(ctx)
}

// run makes one attempt at a job, and stores the outcome. A crash in between makes the same attempt
// happen again. So each request has a header by which its receiver knows the run.
func (q *Queue) run(ctx context.Context, job Job) error {
	// The object gives up its turn here. Meanwhile clients may cancel this job and add others.
	failure := q.send(ctx, job)
	now := durable.Now(ctx)
	job.Attempts++
	job.Error = ""
	if failure != nil {
		job.Error = failure.Error()
		durable.Logger(ctx).Warn("job failed", "job", job.ID, "attempt", job.Attempts, "error", job.Error)
	}
	switch {
	case failure != nil && job.Attempts < maxAttempts:
		job.Next = now.Add(firstPause << (job.Attempts - 1))
		return q.save(ctx, job)
	case job.Every > 0:
		job.Runs++
		job.Attempts = 0
		for !job.Due.After(now) { // a queue that was down skips the runs that it has missed
			job.Due = job.Due.Add(time.Duration(job.Every) * time.Second)
		}
		job.Next = job.Due
		return q.save(ctx, job)
	case failure != nil:
		job.State = failed
	default:
		job.State = done
	}
	job.Runs++
	job.Ended = &now
	return q.save(ctx, job)
}

// send sends the request of a job.
func (q *Queue) send(ctx context.Context, job Job) error {
	ctx, cancel := durable.WithTimeout(ctx, answerWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, job.URL, strings.NewReader(job.Body))
	if err != nil {
		return err
	}
	r.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d-%d", q.name, job.ID, job.Runs))
	response, err := durable.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s answered %s", job.URL, response.Status)
	}
	return nil
}
