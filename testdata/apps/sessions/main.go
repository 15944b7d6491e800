// Command sessions signs users in and out. A session ends after half an hour without a request, and
// after a day in any case.
//
// It shows keys that sort by time, one alarm for many due times, middleware around a mux, and work
// that continues after the response. A real site would check a password: this one takes any name.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	mux.Handle("DELETE /sessions", s.signedIn(s.endOthers))
	return logged(mux)
}

// logged logs each request with its status.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		durable.Logger(r.Context()).Info("request",
			"method", r.Method, "path", r.URL.Path, "status", recorder.status)
	})
}

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

// A visitor is a user with the session that the request belongs to.
type visitor struct {
	User    string  `json:"user"`
	Session Session `json:"session"`
}

// signedIn calls next with the visitor of a request whose cookie names a session that lasts. Each
// request prolongs its session.
func (s *site) signedIn(
	next func(w http.ResponseWriter, r *http.Request, v visitor) error,
) http.Handler {
	return durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		v := visitor{}
		var ok bool
		if v.User, v.Session.ID, ok = readCookie(r); !ok {
			return durable.HTTPError(http.StatusUnauthorized, "sign in first")
		}
		status, err := s.ask(r.Context(), v.User, http.MethodPost, "/sessions/"+v.Session.ID, nil, &v.Session)
		if err != nil {
			return err
		}
		if status == http.StatusNotFound {
			clearCookie(w)
			return durable.HTTPError(http.StatusUnauthorized, "your session has ended: sign in again")
		}
		return next(w, r, v)
	})
}

// login starts a session, and tells the notice URL of it after the response.
func (s *site) login(w http.ResponseWriter, r *http.Request) error {
	var form struct {
		User string `json:"user"`
	}
	body := http.MaxBytesReader(w, r.Body, 1<<10)
	if err := json.NewDecoder(body).Decode(&form); err != nil || !validUser(form.User) {
		return durable.HTTPError(http.StatusBadRequest, `send {"user": NAME}, a name of letters, digits, @, . and -`)
	}
	v := visitor{User: form.User}
	ctx, agent := r.Context(), r.UserAgent()
	if _, err := s.ask(ctx, v.User, http.MethodPost, "/sessions", Session{Agent: agent}, &v.Session); err != nil {
		return err
	}
	if s.noticeURL != "" {
		err := durable.WaitUntil(ctx, func(ctx context.Context) error { return notify(ctx, s.noticeURL, v) })
		if err != nil {
			return err
		}
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: v.User + "." + v.Session.ID, Path: "/",
		MaxAge: int(maxAge / time.Second), HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
	return writeJSON(w, http.StatusCreated, v)
}

func (s *site) me(w http.ResponseWriter, _ *http.Request, v visitor) error {
	return writeJSON(w, http.StatusOK, v)
}

func (s *site) logout(w http.ResponseWriter, r *http.Request, v visitor) error {
	if _, err := s.ask(r.Context(), v.User, http.MethodDelete, "/sessions/"+v.Session.ID, nil, nil); err != nil {
		return err
	}
	clearCookie(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sessions passes the request on, because the account has the whole answer.
func (s *site) sessions(w http.ResponseWriter, r *http.Request, v visitor) error {
	s.accounts.GetByName(v.User).ServeHTTP(w, r)
	return nil
}

// endOthers ends all sessions of the visitor except the one that asks.
func (s *site) endOthers(w http.ResponseWriter, r *http.Request, v visitor) error {
	_, err := s.ask(r.Context(), v.User, http.MethodDelete, "/sessions?keep="+v.Session.ID, nil, nil)
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// ask sends a request to an account. It returns the status of the response and decodes a successful
// one into answer, unless that is nil.
func (s *site) ask(
	ctx context.Context, user, method, path string, question, answer any,
) (status int, err error) {
	body, err := json.Marshal(question)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://account"+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	response, err := s.accounts.GetByName(user).Fetch(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if answer != nil && response.StatusCode < 300 {
		err = json.NewDecoder(response.Body).Decode(answer)
	}
	return response.StatusCode, err
}

// notify tells a URL who has signed in, and with what.
func notify(ctx context.Context, url string, v visitor) error {
	text := fmt.Sprintf("%s signed in with %s", v.User, v.Session.Agent)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(text))
	if err != nil {
		return err
	}
	response, err := durable.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("send notice: %s answered %s", url, response.Status)
	}
	return nil
}

// validUser reports whether name can be the name of a user. It then fits into a cookie.
var validUser = regexp.MustCompile(`^[A-Za-z0-9@.-]{1,64}$`).MatchString

// readCookie returns the user and the session that a request's cookie names.
func readCookie(r *http.Request) (user, id string, ok bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", "", false
	}
	dot := strings.LastIndexByte(cookie.Value, '.') // a user's name may have dots, a session's id has none
	if dot < 1 || !validID(cookie.Value[dot+1:]) {
		return "", "", false
	}
	return cookie.Value[:dot], cookie.Value[dot+1:], true
}

func clearCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}
