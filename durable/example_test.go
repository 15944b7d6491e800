package durable_test

import (
	"context"
	"fmt"
	"net/http"

	"devtool.internal/durable"
)

// Counter is an object that counts its visits.
type Counter struct{ storage *durable.Storage }

func newCounter(_ context.Context, state *durable.State, _ *durable.Env) (*Counter, error) {
	return &Counter{storage: state.Storage}, nil
}

func (c *Counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(c.count).ServeHTTP(w, r)
}

func (c *Counter) count(w http.ResponseWriter, r *http.Request) error {
	count, _, err := durable.Get[int](r.Context(), c.storage, "count")
	if err != nil {
		return err
	}
	fmt.Fprintln(w, count+1)
	return c.storage.Put(r.Context(), "count", count+1)
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		env.Namespace("COUNTER").GetByName(r.URL.Path).ServeHTTP(w, r)
	})
}

func Example() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Counter": durable.NewClass(newCounter)},
	})
}

// A transaction that returns ErrRollback is undone, and is no failure.
func ExampleStorage_Transaction() {
	take := func(ctx context.Context, s *durable.Storage) error {
		return s.Transaction(ctx, func(ctx context.Context) error {
			stock, _, err := durable.Get[int](ctx, s, "stock")
			if err != nil {
				return err
			}
			if _, err := s.SQL().Exec(ctx, "INSERT INTO orders DEFAULT VALUES"); err != nil {
				return err
			}
			if stock == 0 {
				return durable.ErrRollback
			}
			return s.Put(ctx, "stock", stock-1)
		})
	}
	_ = take
}

// A handler answers what the client got wrong with a status, and fails with everything else.
func ExampleHandlerFunc() {
	var storage *durable.Storage // of the object
	_ = durable.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		name, found, err := durable.Get[string](r.Context(), storage, "name")
		if err != nil {
			return fmt.Errorf("find the name: %w", err)
		}
		if !found {
			return durable.HTTPError(http.StatusNotFound, "nobody has said who this is")
		}
		_, err = fmt.Fprintln(w, "hello", name)
		return err
	})
}

func ExampleList() {
	type order struct{ Price int }
	total := func(ctx context.Context, s *durable.Storage) (sum int, err error) {
		orders, err := durable.List[order](ctx, s, durable.ListOptions{Prefix: "order:"})
		for _, o := range orders {
			sum += o.Value.Price
		}
		return sum, err
	}
	_ = total
}
