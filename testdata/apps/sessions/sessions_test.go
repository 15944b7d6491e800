package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"devtool.internal/durabletest"
)

// A browser keeps the cookie that it gets, as browsers do.
type browser struct {
	t      *testing.T
	srv    *durabletest.Server
	agent  string
	cookie *http.Cookie
}

// do sends a request and returns the status and the body of the response.
func (b *browser) do(method, path, body string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("User-Agent", b.agent)
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	response := b.srv.Do(r)
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, cookie := range response.Cookies() {
		if b.cookie = cookie; cookie.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return response.StatusCode, string(answer)
}

// want fails the test if a request is not answered with status. It returns the answer.
func (b *browser) want(status int, method, path, body string) string {
	b.t.Helper()
	got, answer := b.do(method, path, body)
	if got != status {
		b.t.Fatalf("%s: %s %s: got %d %s, want %d", b.agent, method, path, got, answer, status)
	}
	return answer
}

// signIn returns a browser in which ada has just signed in.
func signIn(t *testing.T, srv *durabletest.Server, agent string) *browser {
	t.Helper()
	b := &browser{t: t, srv: srv, agent: agent}
	b.want(http.StatusCreated, "POST", "/login", `{"user": "ada"}`)
	return b
}

// agents returns the browsers in which ada is signed in, as the browser b sees them.
func (b *browser) agents() string {
	b.t.Helper()
	var sessions []Session
	if err := json.Unmarshal([]byte(b.want(http.StatusOK, "GET", "/sessions", "")), &sessions); err != nil {
		b.t.Fatal(err)
	}
	var agents []string
	for _, s := range sessions {
		agents = append(agents, s.Agent)
	}
	return strings.Join(agents, " ")
}

// checkForgotten fails the test if something is still stored for ada.
func checkForgotten(t *testing.T, srv *durabletest.Server) {
	t.Helper()
	account := srv.Object("Account", "ada")
	if left := account.Snapshot().Entries; len(left) > 0 {
		t.Errorf("got entries %v, want none", left)
	}
	if alarm, set := account.Alarm(); set {
		t.Errorf("got an alarm: %v", alarm)
	}
}

func TestASessionEndsHalfAnHourAfterItsLastRequest(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	b := signIn(t, srv, "firefox")
	for range 3 {
		srv.Clock.Advance(maxIdle - time.Millisecond)
		b.want(http.StatusOK, "GET", "/me", "")
	}
	if fired := srv.Clock.Advance(maxIdle); len(fired) != 1 || fired[0].Outcome != durabletest.OutcomeOK {
		t.Errorf("got %v, want the alarm of ada", fired)
	}
	checkForgotten(t, srv)
	b.want(http.StatusUnauthorized, "GET", "/me", "")
	if b.cookie != nil {
		t.Errorf("the browser still has the cookie %v", b.cookie)
	}
}

func TestABusySessionEndsAfterADay(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	b := signIn(t, srv, "firefox")
	for range 24*3 - 1 {
		srv.Clock.Advance(20 * time.Minute)
		b.want(http.StatusOK, "GET", "/me", "")
	}
	srv.Clock.Advance(20*time.Minute - time.Millisecond)
	b.want(http.StatusOK, "GET", "/me", "")
	srv.Clock.Advance(time.Millisecond)
	b.want(http.StatusUnauthorized, "GET", "/me", "")
	checkForgotten(t, srv)
}

// A retry of the alarm runs seconds late. Nobody may use the session meanwhile.
func TestAnExpiredSessionIsRefusedBeforeItIsRemoved(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	b := signIn(t, srv, "firefox")
	srv.Clock.Advance(time.Minute)
	other := signIn(t, srv, "curl")
	account := srv.Object("Account", "ada")
	account.FailNextAlarm()
	fired := srv.Clock.Advance(maxIdle - time.Minute)
	if len(fired) != 1 || fired[0].Outcome != durabletest.OutcomeRetry {
		t.Fatalf("got %v, want an alarm that is tried again", fired)
	}
	if got := account.Snapshot().Keys; got != 4 {
		t.Fatalf("got %d keys, want those of both sessions: the alarm did not run", got)
	}
	b.want(http.StatusUnauthorized, "GET", "/me", "")
	if got, want := other.agents(), "curl"; got != want {
		t.Errorf("got sessions %s, want %s", got, want)
	}
	srv.Clock.Next()
	if got := account.Snapshot().Keys; got != 2 {
		t.Errorf("got %d keys after the retry, want those of the other session", got)
	}
}

func TestTheAlarmIsSetForTheNextSessionToExpire(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	account := srv.Object("Account", "ada")
	start := srv.Clock.Now()
	checkDue := func(want time.Duration) {
		t.Helper()
		alarm, _ := account.Alarm()
		if got := alarm.Due.Sub(start); got != want {
			t.Errorf("the alarm is due %v after the start, want %v", got, want)
		}
	}
	first := signIn(t, srv, "firefox")
	checkDue(maxIdle)
	srv.Clock.Advance(10 * time.Minute)
	second := signIn(t, srv, "curl")
	checkDue(maxIdle)
	srv.Clock.Advance(5 * time.Minute)
	first.want(http.StatusOK, "GET", "/me", "")
	checkDue(10*time.Minute + maxIdle)
	srv.Clock.Advance(seenEvery - time.Millisecond)
	first.want(http.StatusOK, "GET", "/me", "") // too soon to be written again
	second.want(http.StatusOK, "GET", "/me", "")
	checkDue(15*time.Minute + maxIdle)
	second.want(http.StatusNoContent, "POST", "/logout", "")
	first.want(http.StatusNoContent, "POST", "/logout", "")
	checkForgotten(t, srv)
}

func TestAVisitorSeesTheOtherSessions(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	var browsers []*browser
	for _, agent := range []string{"firefox", "curl", "lynx"} {
		browsers = append(browsers, signIn(t, srv, agent))
		srv.Clock.Advance(time.Second)
	}
	if got, want := browsers[0].agents(), "firefox curl lynx"; got != want {
		t.Errorf("got sessions %s, want %s", got, want)
	}
	browsers[2].want(http.StatusNoContent, "POST", "/logout", "")
	if got, want := browsers[0].agents(), "firefox curl"; got != want {
		t.Errorf("got sessions %s, want %s", got, want)
	}
}

func TestTheNextToExpireMakesRoom(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	first := signIn(t, srv, "first")
	srv.Clock.Advance(time.Minute)
	second := signIn(t, srv, "second")
	srv.Clock.Advance(time.Minute)
	first.want(http.StatusOK, "GET", "/me", "") // now the second is the next to expire
	for range maxSessions - 1 {
		signIn(t, srv, "more")
	}
	first.want(http.StatusOK, "GET", "/me", "")
	second.want(http.StatusUnauthorized, "GET", "/me", "")
	if got := srv.Object("Account", "ada").Snapshot().Keys; got != 2*maxSessions {
		t.Errorf("got %d keys, want %d", got, 2*maxSessions)
	}
}

func TestANoticeFollowsTheResponse(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{Vars: map[string]string{"NOTICE_URL": "http://notices"}})
	notices := make(chan string, 2)
	srv.Outbound(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		notices <- string(body)
		return &http.Response{StatusCode: http.StatusServiceUnavailable}, err
	})
	b := signIn(t, srv, "firefox")
	if got, want := <-notices, "ada signed in with firefox"; got != want {
		t.Errorf("got notice %q, want %q", got, want)
	}
	b.want(http.StatusOK, "GET", "/me", "") // that the notice was refused is only logged
}

func TestALoginThatCrashesLeavesNothing(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	srv.Object("Account", "ada").CrashBeforeCommit()
	b := &browser{t: t, srv: srv}
	b.want(http.StatusInternalServerError, "POST", "/login", `{"user": "ada"}`)
	checkForgotten(t, srv)
	signIn(t, srv, "firefox").want(http.StatusOK, "GET", "/me", "")
}

func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{})
	stranger := &browser{t: t, srv: srv}
	stranger.want(http.StatusBadRequest, "POST", "/login", `{"user": ""}`)
	stranger.want(http.StatusBadRequest, "POST", "/login", `{"user": "a;b"}`)
	stranger.want(http.StatusBadRequest, "POST", "/login", `no JSON`)
	stranger.want(http.StatusUnauthorized, "GET", "/sessions", "")
	for _, value := range []string{"ada", "ada.", "ada.1", "ada." + strings.Repeat("A", 26)} {
		stranger.cookie = &http.Cookie{Name: cookieName, Value: value}
		stranger.want(http.StatusUnauthorized, "GET", "/me", "")
	}
	if objects := srv.Objects.List(); len(objects) > 1 {
		t.Errorf("got objects %v, want ada at most", objects)
	}
}

func TestACookieNamesUserAndSession(t *testing.T) {
	id := strings.Repeat("Z", 26)
	for value, want := range map[string]string{
		"ada." + id: "ada", "a.b@c.d." + id: "a.b@c.d", "." + id: "", id: "", "ada.../x": "", "a/b." + id: "",
		"ada." + id + "/": "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: value})
		if user, _, ok := readCookie(r); user != want || ok != (want != "") {
			t.Errorf("readCookie(%q): got %q, %t, want %q", value, user, ok, want)
		}
	}
}

// It is not parallel, because it sets the output of package log.
func TestAFailedRequestIsLogged(t *testing.T) {
	var got strings.Builder
	defer log.SetOutput(log.Writer())
	log.SetOutput(&got)
	fails := logged(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") }))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the failure did not pass")
			}
		}()
		fails.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/me", nil))
	}()
	if want := "INFO request method=GET path=/me status=500\n"; !strings.HasSuffix(got.String(), want) {
		t.Errorf("got log %q, want %q at its end", got.String(), want)
	}
}
