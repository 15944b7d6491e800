package durabletest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A Patient waits with a timeout. The path of a request says for what.
type Patient struct {
	env  *durable.Env
	cond durable.Cond
}

func newPatient(_ context.Context, _ *durable.State, env *durable.Env) (*Patient, error) {
	return &Patient{env: env}, nil
}

// ServeHTTP answers with the time that has passed.
func (p *Patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := durable.Now(r.Context())
	if err := p.wait(r); err == nil {
		fmt.Fprint(w, "went on")
		return
	}
	fmt.Fprint(w, durable.Now(r.Context()).Sub(began))
}

func (p *Patient) wait(r *http.Request) error {
	_, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	timeout, what, _ := strings.Cut(path, "/")
	ctx := r.Context()
	if d, err := time.ParseDuration(timeout); err == nil {
		timed, cancel := durable.WithTimeout(ctx, d)
		defer cancel()
		ctx = timed
	}
	if what == "cond" {
		return p.cond.Wait(ctx)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://other/"+what, nil)
	if err != nil {
		return err
	}
	fetch := durable.HTTPClient.Do
	if what != "outside" {
		name, _, _ := strings.Cut(what, "/")
		fetch = p.env.Namespace("LAB").GetByName(name).Fetch
	}
	response, err := fetch(q)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func TestWaitingListsTimeoutsOfHandlersThatWaitForOthers(t *testing.T) {
	t.Parallel()
	patients := worker
	patients.Classes = durable.Classes{"Lab": durable.NewClass(newPatient)}
	srv := durabletest.Start(t, patients, durabletest.Options{Dir: "testdata/lab", Time: at})
	release := make(chan struct{})
	srv.Outbound(func(*http.Request) (*http.Response, error) {
		<-release
		return &http.Response{StatusCode: http.StatusNoContent}, nil
	})

	cond := srv.Begin("GET", "/a/10s/cond", "")
	caller := srv.Begin("GET", "/b/20s/c/forever/cond", "")
	both := srv.Begin("GET", "/d/30s/e/40s/cond", "")
	outside := []*durabletest.Pending{
		srv.Begin("GET", "/f/1s/outside", ""), srv.Begin("GET", "/g/1s/h/1s/outside", ""),
	}
	wantWaiting(t, srv,
		"fetch GET /a/10s/cond in Lab/a until 10s",
		"fetch GET /b/20s/c/forever/cond in Lab/b until 20s",
		"fetch GET /d/30s/e/40s/cond in Lab/d until 30s",
		"fetch GET /d/30s/e/40s/cond in Lab/e until 40s",
	)
	close(release)
	for _, p := range outside {
		wantAnswer(t, p, "went on")
	}
	srv.Clock.Advance(time.Minute)
	wantAnswer(t, cond, "10s")
	wantAnswer(t, caller, "20s")
	wantAnswer(t, both, "30s")
	wantWaiting(t, srv)
}
