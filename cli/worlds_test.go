package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"devtool.internal/cli"
	"devtool.internal/durable"
	"devtool.internal/emulator/control/client"
	"devtool.internal/internal/inside"
	"devtool.internal/internal/worlds"
)

// A harness is a test harness that runs `devtool worlds`, here in the test's own process.
type harness struct {
	t      *testing.T
	hello  worlds.Hello
	stop   context.CancelFunc // as a signal does
	input  *io.PipeWriter
	events chan worlds.Event // closed at the end of the output
	code   chan int          // gets the exit code
	errs   output
	// reading is held to read no more of the output. One piece more is read.
	reading sync.Mutex
}

// A gatedReader lets a Read return only while the gate is free.
type gatedReader struct {
	io.Reader
	gate *sync.Mutex
}

func (g gatedReader) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	g.gate.Lock()
	defer g.gate.Unlock()
	return n, err
}

func startWorlds(t *testing.T) *harness {
	t.Helper()
	if _, err := binary(); err != nil { // it must outlive this test's TMPDIR
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	h := &harness{t: t, events: make(chan worlds.Event, 1000), code: make(chan int, 1)}
	in, input := io.Pipe()
	out, written := io.Pipe()
	h.input = input
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	go func() {
		h.code <- cli.Run(ctx, []string{"worlds"}, cli.Streams{
			In: in, Out: written, Err: &h.errs, Env: os.Getenv, Environ: os.Environ, Dir: t.TempDir(),
			IsTerminal: func(any) bool { return false }, Width: func(any) int { return 80 },
		})
		written.Close()
		in.Close()
	}()
	lines := bufio.NewScanner(gatedReader{out, &h.reading})
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h.hello) != nil || h.hello.Protocol != worlds.Protocol {
		t.Fatalf("got the first line %q, want a hello", lines.Text())
	}
	go func() {
		defer close(h.events)
		for lines.Scan() {
			var e worlds.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Errorf("read %q: %v", lines.Text(), err)
			}
			h.events <- e
		}
	}()
	return h
}

func (h *harness) send(r worlds.Request) {
	h.t.Helper()
	if err := json.NewEncoder(h.input).Encode(r); err != nil {
		h.t.Fatal(err)
	}
}

// make requests a world of the counter template.
func (h *harness) make(number int, change ...func(*worlds.Make)) {
	h.t.Helper()
	dir, err := filepath.Abs("../templates/counter")
	if err != nil {
		h.t.Fatal(err)
	}
	m := &worlds.Make{World: number, Dir: dir}
	for _, c := range change {
		c(m)
	}
	h.send(worlds.Request{Make: m})
}

// event returns the next event that is not a line of a log.
func (h *harness) event() worlds.Event {
	h.t.Helper()
	for e := range h.events {
		if e.Log == "" {
			return e
		}
	}
	h.t.Fatalf("the process has ended: %s", h.errs.String())
	return worlds.Event{}
}

func (h *harness) wantReady(world int) worlds.Ready {
	h.t.Helper()
	e := h.event()
	if e.World != world || e.Ready == nil {
		h.t.Fatalf("got %+v, want world %d ready", e, world)
	}
	return *e.Ready
}

func (h *harness) wantEnded(world int, want worlds.Ended) {
	h.t.Helper()
	e := h.event()
	if e.World != world || e.Ended == nil || *e.Ended != want {
		h.t.Fatalf("got %+v %+v, want world %d ended with %+v", e, e.Ended, world, want)
	}
}

// wantExit waits for the end of the process and checks that nothing is left of it.
func (h *harness) wantExit(code int) {
	h.t.Helper()
	if got := <-h.code; got != code {
		h.t.Errorf("exit code: got %d, want %d: %s", got, code, h.errs.String())
	}
	checkEmpty(h.t, os.TempDir())
	h.stop()
}

// serveCounter attaches a program with one class to a world.
func serveCounter(t *testing.T, socket string) inside.Program {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	worker := durable.Worker{
		Handler: func(env *durable.Env) http.Handler { return env.Namespace("COUNTER").GetByName("a") },
		Classes: durable.Classes{"Counter": durable.NewClass(
			func(_ context.Context, s *durable.State, _ *durable.Env) (*counter, error) { return &counter{s}, nil },
		)},
	}
	p, err := inside.Serve(conn, worker, inside.Options{
		Outside: func() func(*http.Request) (*http.Response, error) { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type counter struct{ state *durable.State }

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n int
	_, err := c.state.Storage.Get(r.Context(), "n", &n)
	if err == nil {
		err = c.state.Storage.Put(r.Context(), "n", n+1)
	}
	fmt.Fprintln(w, n+1, err)
}

func getBody(t *testing.T, url string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWorldsAreMadeAndDropped(t *testing.T) {
	h := startWorlds(t)
	h.make(1)
	first := h.wantReady(1)
	h.make(2, func(m *worlds.Make) { m.Vars = map[string]string{"A": "b"} })
	second := h.wantReady(2)
	for _, ready := range []worlds.Ready{first, second} {
		program := serveCounter(t, ready.Attach)
		if got := getBody(t, ready.URL+"/"); got != "1 <nil>\n" {
			t.Errorf("got %q, want the first count", got)
		}
		if n := program.Close(patience); n > 0 {
			t.Errorf("%d handlers still run", n)
		}
	}
	h.send(worlds.Request{Drop: 1})
	h.wantEnded(1, worlds.Ended{})
	h.send(worlds.Request{Drop: 1}) // it has ended meanwhile
	h.make(1)                       // its number is free again
	h.wantReady(1)
	if _, err := (&client.Client{URL: second.URL, Token: second.Token}).Time(t.Context()); err != nil {
		t.Errorf("the other world is gone: %v", err)
	}
	h.input.Close()
	for range 2 {
		if e := h.event(); e.Ended == nil || *e.Ended != (worlds.Ended{}) {
			t.Errorf("at the end of the input: got %+v, want an end without an error", e)
		}
	}
	h.wantExit(0)
}

func TestAWorldThatDoesNotStartSaysWhatDevSays(t *testing.T) {
	h := startWorlds(t)
	empty, wrong := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(wrong, "wrangler.jsonc"), []byte(`{"name": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*worlds.Make)
		want   worlds.Ended
	}{
		"no configuration": {
			func(m *worlds.Make) { m.Dir = empty },
			worlds.Ended{
				Error: "no wrangler.json, wrangler.jsonc or wrangler.toml in " + empty + " or any folder above it: " +
					"run `devtool init` to write one, or name a file with --config",
			},
		},
		"no folder": {
			func(m *worlds.Make) { m.Dir = filepath.Join(empty, "none") },
			worlds.Ended{Error: "there is no folder " + filepath.Join(empty, "none")},
		},
		"a relative folder": {
			func(m *worlds.Make) { m.Dir = "." },
			worlds.Ended{Error: `the folder "." is not absolute`},
		},
		"no such limits": {
			func(m *worlds.Make) { m.Limits = "none" },
			worlds.Ended{Error: `there is no profile of limits "none"`, Hint: "Choose production or local"},
		},
		"a wrong configuration": {
			func(m *worlds.Make) { m.Dir = wrong },
			worlds.Ended{Error: "wrangler.jsonc can't be used"},
		},
	} {
		t.Log(name)
		h.make(1, test.change)
		h.wantEnded(1, test.want)
	}
	h.make(1)
	h.wantReady(1)
	h.make(1)
	h.wantEnded(1, worlds.Ended{}) // a harness that loses count loses everything
	h.wantExit(2)
	if want := "devtool: cannot make world 1\n"; !strings.Contains(h.errs.String(), want) {
		t.Errorf("got %q, want %q", h.errs.String(), want)
	}
	h.input.Close()
}

func TestASignalEndsAllWorlds(t *testing.T) {
	h := startWorlds(t)
	for i := range 2 {
		h.make(i + 1)
		h.wantReady(i + 1)
	}
	h.stop()
	ended := 0
	for e := range h.events {
		if e.Ended != nil {
			ended++
		}
	}
	if ended != 2 {
		t.Errorf("got %d ends, want 2", ended)
	}
	h.wantExit(0)
	h.input.Close()
}

// The harness may stop reading: worlds go on, and end, all the same. What they have said meanwhile
// is not lost.
func TestAHarnessThatDoesNotReadStopsNoWorld(t *testing.T) {
	h := startWorlds(t)
	h.make(1)
	ready := h.wantReady(1)
	program := serveCounter(t, ready.Attach)
	defer program.Close(patience)
	h.reading.Lock()
	const requests = 20
	for i := range requests { // each writes a line of the log
		if got, want := getBody(t, ready.URL+"/"), fmt.Sprintln(i+1, error(nil)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	h.send(worlds.Request{Drop: 1})
	h.make(2)
	h.reading.Unlock()
	var lines int
	var ended, made bool
	for !ended || !made {
		e := <-h.events
		lines += strings.Count(e.Log, "GET / 200")
		ended = ended || e.World == 1 && e.Ended != nil
		made = made || e.World == 2 && e.Ready != nil
	}
	if lines != requests {
		t.Errorf("got %d lines of the log, want %d", lines, requests)
	}
	h.reading.Lock()
	h.stop()
	h.wantExit(0)
	h.reading.Unlock()
	h.input.Close()
}

func TestWorldsAreHiddenFromPeopleAndCommands(t *testing.T) {
	h := startWorlds(t)
	project := emptyProject(t)
	project.succeed(nil, "init", "--template", "counter")
	h.make(1, func(m *worlds.Make) { m.Dir = project.dir })
	h.wantReady(1)
	if got := project.devtool("status"); got.code == 0 {
		t.Errorf("another command found it: %+v", got)
	}
	if _, err := os.Stat(project.path(".devtool/attach")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("programs of the project would attach to it: %v", err)
	}
	if help := project.devtool("--help").out; help == "" || strings.Contains(help, "worlds") {
		t.Errorf("the help lists it:\n%s", help)
	}
	h.input.Close()
	h.wantEnded(1, worlds.Ended{})
	h.wantExit(0)
}

// TestDroppedWorldsLeaveNothing is not parallel, so no other test of the process changes what it
// counts.
func TestDroppedWorldsLeaveNothing(t *testing.T) {
	h := startWorlds(t)
	round := func(numbers ...int) {
		t.Helper()
		for _, n := range numbers {
			h.make(n)
			ready := h.wantReady(n)
			program := serveCounter(t, ready.Attach)
			if got := getBody(t, ready.URL+"/"); got != "1 <nil>\n" {
				t.Errorf("got %q, want the first count", got)
			}
			defer program.Close(patience)
		}
		for _, n := range slices.Backward(numbers) {
			h.send(worlds.Request{Drop: n})
			h.wantEnded(n, worlds.Ended{})
		}
	}
	states := func() int {
		entries, err := os.ReadDir(h.hello.Folder)
		if err != nil {
			t.Fatal(err)
		}
		return len(slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() })) // but the lock
	}
	none := states()
	round(1, 2) // what is made once, is made now
	eventually(t, "the states are removed", func() bool { return states() == none })
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	for i := 3; i < 203; i += 4 {
		round(i, i+1, i+2, i+3)
	}
	eventually(t, "the states are removed", func() bool { return states() == none })
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "the descriptors are closed", func() bool { return openDescriptors() <= descriptors })
	h.input.Close()
	h.wantExit(0)
}

// openDescriptors returns how many descriptors the process has open, or 0 where that is not known.
func openDescriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
