package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
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
	ID      string    `json:"id"`
	Agent   string    `json:"agent"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Expires time.Time `json:"expires"`
}

// An Account has the sessions of one user. Storage has two keys for each:
//
//	session:ID       the session
//	expiry:TIME:ID   when it expires, so that the first key is the next to expire
//
// The account's alarm is set for the first of the second kind.
type Account struct {
	http.Handler // routes requests to the methods below
	storage      *durable.Storage
}

func newAccount(_ context.Context, state *durable.State, _ *durable.Env) (*Account, error) {
	a := &Account{storage: state.Storage}
	mux := http.NewServeMux()
	mux.Handle("POST /sessions", durable.HandlerFunc(a.start))
	mux.Handle("GET /sessions", durable.HandlerFunc(a.list))
	mux.Handle("DELETE /sessions", durable.HandlerFunc(a.endOthers))
	mux.Handle("POST /sessions/{id}", durable.HandlerFunc(a.see))
	mux.Handle("DELETE /sessions/{id}", durable.HandlerFunc(a.end))
	a.Handler = mux
	return a, nil
}

// start starts a session. If the account has too many, the next to expire makes room.
func (a *Account) start(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var s Session
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		return err
	}
	all, err := a.expiries(ctx, durable.ListOptions{})
	if err != nil {
		return err
	}
	if len(all) >= maxSessions {
		if err := a.remove(ctx, all[:len(all)-maxSessions+1]); err != nil {
			return err
		}
	}
	s.ID = strings.ToLower(rand.Text())
	s.Created = durable.Now(ctx)
	s.Seen = s.Created
	s.Expires = s.expires()
	if err := a.put(ctx, s); err != nil {
		return err
	}
	if err := a.arm(ctx); err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, s)
}

// see prolongs a session and answers with it.
func (a *Account) see(w http.ResponseWriter, r *http.Request) error {
	ctx, now := r.Context(), durable.Now(r.Context())
	s, found, err := durable.Get[Session](ctx, a.storage, sessionKey(r.PathValue("id")))
	if err != nil {
		return err
	}
	// An alarm may be late. So a session that is still there may have expired.
	if !found || !now.Before(s.Expires) {
		return durable.HTTPError(http.StatusNotFound, "no such session")
	}
	if now.Sub(s.Seen) >= seenEvery {
		if _, err := a.storage.Delete(ctx, expiryKey(s.Expires, s.ID)); err != nil {
			return err
		}
		s.Seen = now
		s.Expires = s.expires()
		if err := a.put(ctx, s); err != nil {
			return err
		}
		if err := a.arm(ctx); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, s)
}

// list answers with the sessions that last, the oldest first.
func (a *Account) list(w http.ResponseWriter, r *http.Request) error {
	ctx, now := r.Context(), durable.Now(r.Context())
	items, err := durable.List[Session](ctx, a.storage, durable.ListOptions{Prefix: "session:"})
	if err != nil {
		return err
	}
	sessions := make([]Session, 0, len(items))
	for _, item := range items {
		if now.Before(item.Value.Expires) {
			sessions = append(sessions, item.Value)
		}
	}
	slices.SortFunc(sessions, func(a, b Session) int { return a.Created.Compare(b.Created) })
	return writeJSON(w, http.StatusOK, sessions)
}

// end ends one session. It is no error if there is none.
func (a *Account) end(w http.ResponseWriter, r *http.Request) error {
	return a.endWhere(w, r, func(id string) bool { return id == r.PathValue("id") })
}

// endOthers ends all sessions except the one that the query keeps.
func (a *Account) endOthers(w http.ResponseWriter, r *http.Request) error {
	keep := r.URL.Query().Get("keep")
	return a.endWhere(w, r, func(id string) bool { return id != keep })
}

func (a *Account) endWhere(w http.ResponseWriter, r *http.Request, which func(id string) bool) error {
	ctx := r.Context()
	all, err := a.expiries(ctx, durable.ListOptions{})
	if err != nil {
		return err
	}
	var ended []expiry
	for _, e := range all {
		if which(idOf(e)) {
			ended = append(ended, e)
		}
	}
	if err := a.remove(ctx, ended); err != nil {
		return err
	}
	if err := a.arm(ctx); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Alarm removes the sessions that have expired. If it runs late it removes several.
func (a *Account) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	due, err := a.expiries(ctx, durable.ListOptions{End: expiryKey(durable.Now(ctx).Add(time.Millisecond), "")})
	if err != nil {
		return err
	}
	if err := a.remove(ctx, due); err != nil {
		return err
	}
	durable.Logger(ctx).Info("sessions expired", "count", len(due))
	return a.arm(ctx)
}

// An expiry is a key that says when a session expires.
type expiry = durable.Item[time.Time]

// expiries returns the selected expiries, the next one first.
func (a *Account) expiries(ctx context.Context, o durable.ListOptions) ([]expiry, error) {
	o.Prefix = "expiry:"
	return durable.List[time.Time](ctx, a.storage, o)
}

// put stores a session under both of its keys.
func (a *Account) put(ctx context.Context, s Session) error {
	return a.storage.PutMany(ctx, map[string]any{
		sessionKey(s.ID):           s,
		expiryKey(s.Expires, s.ID): s.Expires,
	})
}

// remove removes sessions with both of their keys.
func (a *Account) remove(ctx context.Context, all []expiry) error {
	var keys []string
	for _, e := range all {
		keys = append(keys, e.Key, sessionKey(idOf(e)))
	}
	_, err := a.storage.DeleteMany(ctx, keys)
	return err
}

// arm sets the alarm for the next session to expire. An account without sessions leaves nothing.
func (a *Account) arm(ctx context.Context) error {
	next, err := a.expiries(ctx, durable.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	if len(next) == 0 {
		return a.storage.DeleteAll(ctx)
	}
	return a.storage.SetAlarm(ctx, next[0].Value)
}

// expires returns when a session expires if nothing more is seen of it.
func (s Session) expires() time.Time {
	idle, age := s.Seen.Add(maxIdle), s.Created.Add(maxAge)
	if age.Before(idle) {
		return age
	}
	return idle
}

func sessionKey(id string) string { return "session:" + id }

// expiryKey returns a key that sorts by time: milliseconds since 1970 have 13 digits until the year
// 2286.
func expiryKey(at time.Time, id string) string {
	return fmt.Sprintf("expiry:%013d:%s", at.UnixMilli(), id)
}

// idOf returns the id of the session that expires.
func idOf(e expiry) string { return e.Key[strings.LastIndexByte(e.Key, ':')+1:] }

// validID reports whether id could be the id of a session.
var validID = regexp.MustCompile(`^[a-z2-7]{26}$`).MatchString
