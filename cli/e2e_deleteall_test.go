package cli_test

import (
	"net/http"
	"testing"

	"devtool.internal/emulator/control"
)

// wipingHandler is a worker with an object that fills and deletes its storage. The handler that
// deletes never returns and never gives its turn up.
const wipingHandler = `package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: func(env *durable.Env) http.Handler { return env.Namespace("BASIC").GetByName("one") },
		Classes: durable.Classes{"Basic": durable.NewClass(newBasic)},
	})
}

type Basic struct{ storage *durable.Storage }

func newBasic(_ context.Context, state *durable.State, _ *durable.Env) (*Basic, error) {
	return &Basic{storage: state.Storage}, nil
}

func (b *Basic) Alarm(context.Context, durable.AlarmInfo) error { return nil }

func (b *Basic) ServeHTTP(w http.ResponseWriter, r *http.Request) { durable.HandlerFunc(b.serve).ServeHTTP(w, r) }

func (b *Basic) serve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if r.URL.Path == "/fill" {
		if err := b.storage.SetAlarm(ctx, durable.Now(ctx).Add(time.Hour)); err != nil {
			return err
		}
		return b.storage.Put(ctx, "k", 1)
	}
	for _, step := range []func() error{
		func() error { return b.storage.Put(ctx, "before", 1) },
		func() error { return b.storage.DeleteAll(ctx) },
		func() error { return b.storage.Put(ctx, "after", 1) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	fmt.Println("everything is deleted")
	select {}
}
`

// DeleteAll commits by itself, as on the platform. A kill right after it leaves an object that
// stores nothing, or only its alarm where the compatibility date lets DeleteAll keep that.
func TestAKillRightAfterDeleteAllLeavesNothingElse(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.write("main.go", wipingHandler)
	for _, date := range []string{"2026-10-01", "2026-02-23"} {
		config := p.read("wrangler.jsonc")
		if date != "2026-10-01" {
			p.edit("wrangler.jsonc", `"2026-10-01"`, `"`+date+`"`)
		}
		s := p.dev("--frozen")
		s.post("/fill", "")
		go s.client.Do(s.request(http.MethodPost, "/wipe", nil)) //nolint:errcheck,bodyclose // it ends with the kill
		s.awaitLog("everything is deleted")
		s.kill()

		var list control.Objects
		p.succeed(&list, "objects", "list", "--json")
		switch {
		case date == "2026-10-01" && len(list.Objects) > 0:
			t.Errorf("%s: got %+v, want no object", date, list.Objects)
		case date != "2026-10-01" && (len(list.Objects) != 1 || list.Objects[0].Alarm == nil):
			t.Errorf("%s: got %+v, want an object with its alarm", date, list.Objects)
		case date != "2026-10-01":
			var entries control.Entries
			if p.succeed(&entries, "objects", "get", "Basic/one", "--json"); len(entries.Entries) > 0 {
				t.Errorf("%s: got %+v, want no entries", date, entries.Entries)
			}
		}
		p.write("wrangler.jsonc", config)
	}
}
