package durabletest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A patient waits in a block or in a transaction.
type patient struct {
	state *durable.State
	began chan struct{} // receives when a wait begins
	count int           // of requests, in memory
}

func (p *patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(p.handle).ServeHTTP(w, r)
}

func (p *patient) handle(w http.ResponseWriter, r *http.Request) error {
	p.count++
	storage := p.state.Storage
	wait := func(ctx context.Context) error {
		if err := storage.Put(ctx, "before", true); err != nil {
			return err
		}
		p.began <- struct{}{}
		if err := durable.Sleep(ctx, 10*time.Second); err != nil {
			return err
		}
		return storage.Put(ctx, "after", true)
	}
	switch _, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); what {
	case "block":
		return p.state.BlockConcurrencyWhile(r.Context(), wait)
	case "transaction":
		return storage.Transaction(r.Context(), wait)
	default:
		entries, err := storage.List(r.Context(), durable.ListOptions{})
		fmt.Fprintf(w, "%d entries, request %d", len(entries), p.count)
		return err
	}
}

// A client that goes neither resets the object nor undoes half of what its handler writes.
func TestAClientThatGoesLetsABlockAndATransactionFinish(t *testing.T) {
	for _, what := range []string{"block", "transaction"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			began := make(chan struct{}, 1)
			patients := worker
			patients.Classes = durable.Classes{"Lab": durable.NewClass(
				func(_ context.Context, s *durable.State, _ *durable.Env) (*patient, error) {
					return &patient{state: s, began: began}, nil
				},
			)}
			srv := durabletest.Start(t, patients, durabletest.Options{Dir: "testdata/lab", Time: at})
			ctx, hangUp := context.WithCancel(t.Context())
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/a/"+what, nil)
			if err != nil {
				t.Fatal(err)
			}
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				if response, err := srv.Client().Do(request); err == nil {
					response.Body.Close()
					t.Errorf("the client got an answer: %s", response.Status)
				}
			}()
			<-began
			hangUp()
			<-gone
			srv.Clock.Advance(10 * time.Second)
			want(t, srv, "/a/", "2 entries, request 2")
		})
	}
}
