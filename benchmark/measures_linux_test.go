package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// An inProcess side has its server in this process; its command only takes the server's place.
type inProcess struct {
	fakeSide
	title  string
	where  string
	starts *[]string // the titles, in the order in which servers started
}

func (a inProcess) name() string { return a.title }

func (a inProcess) command(ctx context.Context, program, state string, ready *os.File) *exec.Cmd {
	*a.starts = append(*a.starts, a.title)
	return fakeSide{"ready"}.command(ctx, program, state, ready)
}

func (a inProcess) address([]byte) (string, error) { return a.where, nil }

// benchmarkOf returns a comparison of two fake sides with these handlers.
func benchmarkOf(t *testing.T, rounds int, ours, theirs http.HandlerFunc) (*comparison, *[]string) {
	starts := new([]string)
	c := &comparison{
		benchmark: &benchmark{work: t.TempDir(), duration: time.Millisecond, rounds: rounds, progress: io.Discard},
		measures:  workerdMeasures,
	}
	for i, h := range []http.HandlerFunc{ours, theirs} {
		where, _ := serveHTTP(t, h)
		c.sides[i] = inProcess{title: []string{"ours", "theirs"}[i], where: where, starts: starts}
	}
	return c, starts
}

func hello(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") }

func TestTwinsMustAnswerAlike(t *testing.T) {
	b, _ := benchmarkOf(t, 2, hello, hello)
	if err := b.compareTwins(t.Context()); err != nil {
		t.Errorf("got error %v for equal twins", err)
	}
	b, _ = benchmarkOf(t, 2, hello, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })
	err := b.compareTwins(t.Context())
	if want := "the twins of bench differ"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

func TestEveryFigureHasAFreshServerAndTheOrderChanges(t *testing.T) {
	b, starts := benchmarkOf(t, 2, hello, hello)
	rows, err := b.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(rows), len(workerdMeasures); got != want {
		t.Fatalf("got %d rows, want %d", got, want)
	}
	for i, r := range rows {
		if r.Name != workerdMeasures[i].name || len(r.DevtoolRounds) != 2 || len(r.PeerRounds) != 2 {
			t.Errorf("row %d: got %+v, want two figures a side for %q", i, r, workerdMeasures[i].name)
		}
	}
	want := strings.Repeat("ours theirs theirs ours ", len(workerdMeasures))
	if got := strings.Join(*starts, " ") + " "; got != want {
		t.Errorf("got servers started in the order %s, want %s", got, want)
	}
	if left, err := os.ReadDir(b.work + "/state"); err != nil || len(left) > 0 {
		t.Errorf("state was left: %v, %v", left, err)
	}
}

func TestAnErrorNamesWhatWasMeasured(t *testing.T) {
	failing := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }
	b, _ := benchmarkOf(t, 1, failing, hello)
	_, err := b.measure(t.Context())
	want := workerdMeasures[0].name + ": measure ours with bench: GET /hello"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error %v, want it to begin with %q", err, want)
	}
}

func TestAnOperationIsItsShareOfTheRequest(t *testing.T) {
	var paths []string
	address, _ := serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { paths = append(paths, r.URL.String()) })
	perOperation, err := operation("/get", "/put?n=100")(t.Context(), &server{address: address}, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if want := "/put?n=100 /get?n=1000"; !strings.HasPrefix(strings.Join(paths, " "), want) {
		t.Errorf("got requests %q, want them to begin with %q", paths, want)
	}
	// n requests were answered in 10 ms, so an operation took 10 ms / n / 1000 = 10/n µs.
	if n := 10 / perOperation; n > float64(len(paths)-1) {
		t.Errorf("got %v µs, as if %.0f requests had been sent, but there were %d", perOperation, n, len(paths)-1)
	}
}
