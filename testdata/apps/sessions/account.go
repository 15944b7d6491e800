package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"devtool.internal/durable"
)

const (
	maxIdle     = 30 * time.Minute // from the last request to the end of a session
	maxAge      = 24 * time.Hour   // from the start of a session to its end, however busy it is
	maxSessions = 10               // of one account; the next one ends the one that would end first
	seenEvery   = time.Minute      // a busy session is written this often, not at each request
)

// A Session belongs to one browser of one user.
type Session struct {
	User    string    `json:"user"`
	ID      string    `json:"id"`
	Agent   string    `json:"agent"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Expires time.Time `json:"expires"`
}

// An Account has the sessions of one user. Storage has two keys for each:
//
//	session:TIME:ID   the session, so that the first key is the next to expire
//	expiry:ID         the TIME of the other key
//
// The account's alarm is set for the next session to expire.
type Account struct {
	http.Handler // routes requests to the methods below
	user         string
	storage      *durable.Storage
}

func newAccount(_ context.Context, state *durable.State, _ *durable.Env) (*Account, error) {
	a := &Account{storage: state.Storage}
	a.user, _ = state.ID.Name()
	mux := http.NewServeMux()
	mux.Handle("POST /sessions", durable.HandlerFunc(a.start))
	mux.Handle("GET /sessions", durable.HandlerFunc(a.list))
	mux.Handle("POST /sessions/{id}", durable.HandlerFunc(a.see))
	mux.Handle("DELETE /sessions/{id}", durable.HandlerFunc(a.end))
	a.Handler = mux
	return a, nil
}

// start starts a session. If the account has too many, the next to expire makes room.
func (a *Account) start(w http.ResponseWriter, r *http.Request) error {
	ctx, now := r.Context(), durable.Now(r.Context())
	s := Session{
		User: a.user, ID: rand.Text(), Agent: r.UserAgent(),
		Created: now, Seen: now, Expires: now.Add(maxIdle),
	}
	all, err := a.sessions(ctx, durable.ListOptions{})
	if err != nil {
		return err
	}
	if len(all) >= maxSessions {
		if err := a.remove(ctx, all[0]); err != nil {
			return err
		}
	}
	if err := a.put(ctx, s); err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, s)
}

// see prolongs a session and answers with it.
func (a *Account) see(w http.ResponseWriter, r *http.Request) error {
	ctx, now := r.Context(), durable.Now(r.Context())
	s, err := a.session(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	if now.Sub(s.Seen) >= seenEvery {
		if _, err := a.storage.Delete(ctx, sessionKey(s.Expires, s.ID)); err != nil {
			return err
		}
		s.Seen, s.Expires = now, now.Add(maxIdle)
		if end := s.Created.Add(maxAge); end.Before(s.Expires) {
			s.Expires = end
		}
		if err := a.put(ctx, s); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, s)
}

// list answers with the sessions that last, the next to expire first.
func (a *Account) list(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	sessions, err := a.sessions(ctx, durable.ListOptions{Start: keyAfter(durable.Now(ctx))})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, sessions)
}

// end ends a session and answers with it.
func (a *Account) end(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	s, err := a.session(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := a.remove(ctx, s); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s)
}

// Alarm removes the sessions that have expired. If it runs late it removes several.
func (a *Account) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	expired, err := a.sessions(ctx, durable.ListOptions{End: keyAfter(durable.Now(ctx))})
	if err != nil {
		return err
	}
	durable.Logger(ctx).Info("sessions expired", "count", len(expired))
	return a.remove(ctx, expired...)
}

// sessions returns the selected sessions, the next to expire first.
func (a *Account) sessions(ctx context.Context, o durable.ListOptions) ([]Session, error) {
	o.Prefix = "session:"
	items, err := durable.List[Session](ctx, a.storage, o)
	sessions := []Session{} // an empty array in JSON
	for _, item := range items {
		sessions = append(sessions, item.Value)
	}
	return sessions, err
}

// session returns a session that lasts. Without one, the error answers with status 404.
func (a *Account) session(ctx context.Context, id string) (Session, error) {
	expires, found, err := durable.Get[time.Time](ctx, a.storage, "expiry:"+id)
	if err != nil {
		return Session{}, err
	}
	// An alarm may be late. So a session that is still there may have expired.
	if !found || !durable.Now(ctx).Before(expires) {
		return Session{}, durable.HTTPError(http.StatusNotFound, "no such session")
	}
	s, _, err := durable.Get[Session](ctx, a.storage, sessionKey(expires, id))
	return s, err
}

// put stores a session under both of its keys, and sets the alarm.
func (a *Account) put(ctx context.Context, s Session) error {
	err := a.storage.PutMany(ctx, map[string]any{
		sessionKey(s.Expires, s.ID): s,
		"expiry:" + s.ID:            s.Expires,
	})
	if err != nil {
		return err
	}
	return a.arm(ctx)
}

// remove removes sessions with both of their keys, and sets the alarm.
func (a *Account) remove(ctx context.Context, sessions ...Session) error {
	var keys []string
	for _, s := range sessions {
		keys = append(keys, sessionKey(s.Expires, s.ID), "expiry:"+s.ID)
	}
	if _, err := a.storage.DeleteMany(ctx, keys); err != nil {
		return err
	}
	return a.arm(ctx)
}

// arm sets the alarm for the next session to expire. An account without sessions leaves nothing.
func (a *Account) arm(ctx context.Context) error {
	next, err := a.sessions(ctx, durable.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	if len(next) == 0 {
		return a.storage.DeleteAll(ctx)
	}
	return a.storage.SetAlarm(ctx, next[0].Expires)
}

// sessionKey returns a key that sorts by time: milliseconds since 1970 have 13 digits until 2286.
func sessionKey(expires time.Time, id string) string {
	return fmt.Sprintf("session:%013d:%s", expires.UnixMilli(), id)
}

// keyAfter returns a key between those of the sessions that have expired at t, and the others.
func keyAfter(t time.Time) string { return sessionKey(t.Add(time.Millisecond), "") }
