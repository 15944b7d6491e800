package durabletest_test

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A logging object logs in all ways.
type logging struct{}

func newLogging(context.Context, *durable.State, *durable.Env) (logging, error) {
	log.Print("constructed")
	return logging{}, nil
}

func (logging) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	durable.Logger(ctx).Info("logged by "+name, "n", 1)
	log.Printf("printed by %s", name)
	slog.Info("slog of " + name)
	var started sync.WaitGroup
	started.Go(func() {
		log.Printf("printed by a goroutine of %s", name)
		durable.Logger(ctx).Warn("logged by a goroutine of " + name)
	})
	started.Wait()
}

// Each test's log has the lines of its own handlers, with their object and the time of its clock.
func TestLinesOfHandlersNameTheirObjectInTheLogOfTheirTest(t *testing.T) {
	loggers := worker
	loggers.Classes = durable.Classes{"Lab": durable.NewClass(newLogging)}
	names := []string{"one", "two"}
	logs := make([]*recorder, len(names))
	var wg, ready sync.WaitGroup
	ready.Add(len(names))
	for i, name := range names {
		wg.Go(func() {
			logs[i] = record(t, func(t testing.TB) {
				started := sync.OnceFunc(ready.Done)
				defer started()
				srv := durabletest.Start(t, loggers, durabletest.Options{Dir: "testdata/lab", Time: at})
				started()
				ready.Wait() // both tests run
				want(t, srv, "/"+name+"/", "")
			})
		})
	}
	wg.Wait()
	clock := " clock=" + at.Format(time.RFC3339)
	for i, name := range names {
		if logs[i].fatal != "" {
			t.Fatal(logs[i].fatal)
		}
		got := logs[i].output.String()
		for _, line := range []string{
			"constructed",
			"printed by " + name,
			"INFO slog of " + name,
			"printed by a goroutine of " + name,
		} {
			if !hasLine(got, "[Lab/"+name+"] ", " "+line) {
				t.Errorf("the log of %s has no line %q of the object:\n%s", name, line, got)
			}
		}
		for _, line := range []string{
			" INF Lab/" + name + " logged by " + name + " n=1",
			" WRN Lab/" + name + " logged by a goroutine of " + name,
		} {
			if !hasLine(got, "", line+clock) {
				t.Errorf("the log of %s has no line %q:\n%s", name, line, got)
			}
		}
		if other := names[1-i]; strings.Contains(got, "by "+other) {
			t.Errorf("the log of %s has lines of %s:\n%s", name, other, got)
		}
	}
}

// hasLine reports whether text has a line with this beginning and end.
func hasLine(text, beginning, end string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, beginning) && strings.HasSuffix(line, end) {
			return true
		}
	}
	return false
}
