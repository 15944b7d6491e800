// Command sessions signs users in and out. A session ends after half an hour without a request, and
// after a day in any case.
//
// It shows keys that sort by time, one alarm for many due times, middleware around a mux, and work
// that continues after the response. A real site would check a password: this one takes any name.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"devtool.internal/durable"
)

// worker is what devtool serves and what the tests start.
var worker = durable.Worker{
	Handler: newHandler,
	Classes: durable.Classes{"Account": durable.NewClass(newAccount)},
}

func main() { durable.Serve(worker) }

const cookieName = "session"

// A site answers the requests of browsers. Its accounts keep the sessions.
type site struct {
	accounts  *durable.Namespace
	noticeURL string
}

func newHandler(env *durable.Env) http.Handler {
	s := &site{accounts: env.Namespace("ACCOUNTS"), noticeURL: env.Var("NOTICE_URL")}
	mux := http.NewServeMux()
	mux.Handle("POST /login", durable.HandlerFunc(s.login))
	mux.Handle("GET /me", s.signedIn(s.me))
	mux.Handle("POST /logout", s.signedIn(s.logout))
	mux.Handle("GET /sessions", s.signedIn(s.sessions))
	return logged(mux)
}

// logged logs each request with its status. An error of next passes as a panic, so it logs in a
// deferred function.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusInternalServerError}
		defer func() {
			durable.Logger(r.Context()).Info("request",
				"method", r.Method, "path", r.URL.Path, "status", recorder.status)
		}()
		next.ServeHTTP(recorder, r)
	})
}

// A statusRecorder records the status of a response. Each handler here that does not fail sets one.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the response below.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// signedIn calls next with the session that the cookie of a request names, if it lasts. Each
// request prolongs its session.
func (s *site) signedIn(next func(http.ResponseWriter, *http.Request, Session) error) http.Handler {
	return durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		user, id, ok := readCookie(r)
		if !ok {
			return durable.HTTPError(http.StatusUnauthorized, "sign in first")
		}
		session, found, err := s.ask(r, user, http.MethodPost, "/sessions/"+id)
		if err != nil {
			return err
		}
		if !found {
			clearCookie(w)
			return durable.HTTPError(http.StatusUnauthorized, "your session has ended: sign in again")
		}
		return next(w, r, session)
	})
}

// login starts a session, and tells the notice URL of it after the response.
func (s *site) login(w http.ResponseWriter, r *http.Request) error {
	var form struct{ User string }
	body := http.MaxBytesReader(w, r.Body, 1<<10)
	if err := json.NewDecoder(body).Decode(&form); err != nil || !validUser(form.User) {
		return durable.HTTPError(http.StatusBadRequest, `send {"user": NAME}, a name of letters, digits, @, . and -`)
	}
	session, _, err := s.ask(r, form.User, http.MethodPost, "/sessions")
	if err != nil {
		return err
	}
	if s.noticeURL != "" {
		send := func(ctx context.Context) error { return notify(ctx, s.noticeURL, session) }
		if err := durable.WaitUntil(r.Context(), send); err != nil {
			return err
		}
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: session.User + "." + session.ID, Path: "/",
		MaxAge: int(maxAge / time.Second), HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
	return writeJSON(w, http.StatusCreated, session)
}

func (s *site) me(w http.ResponseWriter, _ *http.Request, session Session) error {
	return writeJSON(w, http.StatusOK, session)
}

func (s *site) logout(w http.ResponseWriter, r *http.Request, session Session) error {
	if _, _, err := s.ask(r, session.User, http.MethodDelete, "/sessions/"+session.ID); err != nil {
		return err
	}
	clearCookie(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sessions passes the request on, because the account has the whole answer.
func (s *site) sessions(w http.ResponseWriter, r *http.Request, session Session) error {
	s.accounts.GetByName(session.User).ServeHTTP(w, r)
	return nil
}

// ask sends a request to an account, on behalf of the browser that sent r. It returns the session
// with which the account answers, and whether there is one.
func (s *site) ask(r *http.Request, user, method, path string) (session Session, found bool, err error) {
	out, err := http.NewRequestWithContext(r.Context(), method, "http://account"+path, nil)
	if err != nil {
		return session, false, err
	}
	out.Header.Set("User-Agent", r.UserAgent())
	response, err := s.accounts.GetByName(user).Fetch(out)
	if err != nil {
		return session, false, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return session, false, nil
	}
	err = json.NewDecoder(response.Body).Decode(&session)
	return session, true, err
}

// notify tells a URL who has signed in, and with what.
func notify(ctx context.Context, url string, session Session) error {
	text := fmt.Sprintf("%s signed in with %s", session.User, session.Agent)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(text))
	if err != nil {
		return err
	}
	response, err := durable.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("send notice: %s answered %s", url, response.Status)
	}
	return nil
}

const userPattern = `[A-Za-z0-9@.-]{1,64}` // it fits into a cookie

var (
	validUser   = regexp.MustCompile(`^` + userPattern + `$`).MatchString
	cookieValue = regexp.MustCompile(`^(` + userPattern + `)\.([A-Z2-7]{26})$`)
)

// readCookie returns the user and the session that a request's cookie names.
func readCookie(r *http.Request) (user, id string, ok bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", "", false
	}
	parts := cookieValue.FindStringSubmatch(cookie.Value)
	if parts == nil {
		return "", "", false
	}
	return parts[1], parts[2], true
}

func clearCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}
