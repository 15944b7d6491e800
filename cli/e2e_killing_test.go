package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"devtool.internal/emulator/control"
)

// The crash tests put load on many objects, and kill the handler program and the emulator at
// moments that a seed chooses. After each kill they compare the objects' state with what it must
// be. `make crash` runs them at full length.
//
// In the first scene, clients write to the books of testdata/handlers/killing, whose alarms come
// due meanwhile. The second scene is in e2e_month_test.go.
var (
	killingSeed = flag.Uint64("killing.seed", 0, "seed of the crash tests, to repeat one that failed; 0 for a new one")
	killings    = flag.Int("killing.kills", 3, "how often each crash test kills a process")
)

// A scene is the load of a crash test, and the rules that hold for its objects. No two of its
// methods run at once.
type scene interface {
	// begin starts the workers of f, which run until f.enough is set.
	begin(f *traffic, random *rand.Rand)
	// mostMoments bounds how long the load lasts before a kill. It counts moments, such as
	// requests, because a duration would mean a different amount of work on each machine.
	mostMoments() int64
	// check compares the objects' state with what it must be.
	check(k *killing, s *server)
	// drain moves the clock until everything that is soon due has run.
	drain(k *killing, s *server)
	// settle ends the scene, in an emulator that is not killed.
	settle(k *killing, s *server)
}

const (
	books   = 50
	writers = 8

	// Virtual time runs far ahead of real time. So a clock that loses its position would go back.
	maxDelay   = time.Minute // from an entry to its alarm
	maxAdvance = 10 * time.Second
)

func TestKillsLoseTearAndHurryNothing(t *testing.T) {
	t.Parallel()
	r := newRecord()
	kill(t, "killing", r, quietly...)
	t.Logf("%d entries acknowledged, %d not; %d alarms have run",
		r.acknowledged.Load(), r.sent.Load()-r.acknowledged.Load(), r.fired.Load())
}

// mostHandlerKills bounds how many kills of its program an emulator lives through. After each crash
// in a row it waits longer before it starts the program again, and the test learns nothing
// meanwhile.
const mostHandlerKills = 2

// quietly are the arguments for an emulator whose clock only an advance moves, and whose log shows
// only what went wrong.
var quietly = []string{"--frozen", "--log-level", "warn"}

// kill plays a scene on a program of testdata/handlers, in emulators that start with args.
func kill(t *testing.T, handler string, of scene, args ...string) {
	seed := *killingSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with: go test ./cli -run '^%s$' -killing.seed %d -killing.kills %d", t.Name(), seed, *killings)
	k := &killing{
		project: handlerProject(t, handler),
		scene:   of,
		args:    args,
		random:  rand.New(rand.NewPCG(seed, 0)),
	}

	// Each emulator lives in a subtest of its own, so that a failure shows only the log of that
	// one.
	for n := 1; k.kills < *killings; n++ {
		if !t.Run(fmt.Sprintf("life %d", n), k.live) {
			return
		}
	}
	t.Run("the end", k.finish)
	t.Logf("%d kills (%d of emulators, of which %d at their start); %d files found whole",
		k.kills, k.emulators, k.starts, k.files)
}

// A killing is one run of a crash test. No two of its methods run at once.
type killing struct {
	project
	scene
	args   []string
	random *rand.Rand

	kills, emulators, starts, files int
}

// live starts an emulator, checks the state that the last one left, and kills the emulator.
func (k *killing) live(t *testing.T) {
	k.t = t
	if k.random.IntN(5) == 0 && k.kills < *killings-1 {
		k.killAtStart()
	}
	s := k.dev(k.args...)
	k.check(k, s)
	for range min(k.random.IntN(mostHandlerKills+1), *killings-k.kills-1) {
		k.killHandler(s)
		k.check(k, s)
		if k.random.IntN(2) == 0 { // else the next emulator finds pending alarms
			k.drain(k, s)
		}
	}
	k.killEmulator(s)
	k.checkFiles(filepath.Join(s.State, "v3"))
}

// finish ends the scene, and checks that the last emulator ends well.
func (k *killing) finish(t *testing.T) {
	k.t = t
	s := k.dev(k.args...)
	k.check(k, s)
	k.settle(k, s)
	if got := s.interrupt(); got != 0 {
		t.Errorf("exit code after an interrupt: got %d, want 0", got)
	}
	k.checkFiles(filepath.Join(s.State, "v3"))
}

// killAtStart kills an emulator that has just locked the state folder. So it dies between that and
// its first request.
func (k *killing) killAtStart() {
	s := k.start(append([]string{"--port", "0"}, k.args...)...)
	eventually(k.t, "the emulator owns the state folder", func() bool {
		b, err := os.ReadFile(k.path(".devtool/state/v3/owner.json"))
		var owner struct{ PID int }
		return err == nil && json.Unmarshal(b, &owner) == nil && owner.PID == s.cmd.Process.Pid
	})
	s.kill()
	k.kills, k.emulators, k.starts = k.kills+1, k.emulators+1, k.starts+1
}

// killHandler kills the handler program under load, and returns when the next one serves.
func (k *killing) killHandler(s *server) {
	pid := k.pidOf(s, 0)
	f := k.startTraffic(s)
	defer f.end()
	f.await()
	killProcess(k.t, pid)
	k.kills++
	k.pidOf(s, pid)
}

// pidOf waits until a program other than old answers, and returns its process id.
func (k *killing) pidOf(s *server, old int) (pid int) {
	k.t.Helper()
	eventually(k.t, "a new handler program serves", func() bool {
		status, body := s.fetch(http.MethodGet, "/pid", "")
		var err error
		pid, err = strconv.Atoi(body)
		return status == http.StatusOK && err == nil && pid != old
	})
	return pid
}

// killEmulator kills the emulator under load.
func (k *killing) killEmulator(s *server) {
	f := k.startTraffic(s)
	defer f.end()
	f.await()
	s.kill()
	k.kills, k.emulators = k.kills+1, k.emulators+1
}

// A traffic is the load between two checks.
type traffic struct {
	t *testing.T
	s *server

	ctx     context.Context // of all requests
	cancel  context.CancelFunc
	workers sync.WaitGroup
	moments atomic.Int64  // left before the kill
	reached chan struct{} // closed when the kill is due
	killing atomic.Bool   // set when requests may fail
	enough  atomic.Bool   // set when the workers must end
}

func (k *killing) startTraffic(s *server) *traffic {
	f := &traffic{t: k.t, s: s, reached: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(k.t.Context())
	f.moments.Store(1 + k.random.Int64N(k.mostMoments()))
	k.begin(f, k.random)
	return f
}

// repeat starts a worker that calls do, with a random source of its own, until do reports that the
// emulator is dead.
func (f *traffic) repeat(random *rand.Rand, do func(*traffic, *rand.Rand) bool) {
	own := rand.New(rand.NewPCG(random.Uint64(), 0))
	f.workers.Go(func() {
		for !f.enough.Load() && do(f, own) {
		}
	})
}

// await waits until the moment for the kill has come.
func (f *traffic) await() {
	f.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.reached:
	case <-timer.C:
		f.t.Errorf("the load has stalled: %d moments are missing after %s", f.moments.Load(), patience)
	}
	f.killing.Store(true)
}

// end waits until each request has been answered or has failed.
func (f *traffic) end() {
	defer f.cancel()
	f.enough.Store(true)
	stuck := time.AfterFunc(patience, func() {
		f.t.Errorf("requests were not answered within %s of the kill", patience)
		f.cancel()
	})
	defer stuck.Stop()
	f.workers.Wait()
}

// moment counts down to the kill.
func (f *traffic) moment() {
	if f.moments.Add(-1) == 0 {
		close(f.reached)
	}
}

// below draws a duration shorter than limit, in whole milliseconds.
func below(limit time.Duration, random *rand.Rand) time.Duration {
	return time.Duration(random.Int64N(limit.Milliseconds())) * time.Millisecond
}

// failed reports a failure that no kill explains.
func (f *traffic) failed(verb string, err error) {
	if !f.killing.Load() {
		f.t.Errorf("%s before the kill: %v", verb, err)
	}
}

// record is the first scene, and what its clients know: the entries that they sent, and what the
// answers said. It outlives the emulators that gave the answers.
type record struct {
	sent, acknowledged, fired atomic.Int64
	latest                    atomic.Int64 // virtual time, in ms since 1970

	mu      sync.Mutex
	entries map[string]map[string]int64 // by book and id: when it is due in ms since 1970, or unanswered
}

// unanswered marks an entry that may exist or not.
const unanswered = -1

func newRecord() *record { return &record{entries: make(map[string]map[string]int64)} }

func (r *record) begin(f *traffic, random *rand.Rand) {
	for range writers {
		f.repeat(random, r.write)
	}
	f.repeat(random, r.advance)
}

// mostMoments counts requests and answers.
func (r *record) mostMoments() int64 { return 400 }

func (r *record) settle(k *killing, s *server) {
	k.t.Helper()
	r.drain(k, s)
	if got := k.alarms().Alarms; len(got) != 0 {
		k.t.Errorf("alarms after all came due: got %+v, want none", got)
	}
}

// drain moves the clock until all alarms have come due. An alarm that met a crash runs again a
// little later than it was set for.
func (r *record) drain(k *killing, s *server) {
	k.t.Helper()
	if err := r.advanced(k.advance((maxDelay + time.Minute).String())); err != nil {
		k.t.Error(err)
	}
	for name, pages := range r.read(k, s) {
		if n := len(pages.Waiting); n != 0 {
			k.t.Errorf("%s: %d entries still wait for their alarm after all came due", name, n)
		}
	}
}

// write makes an entry, and reports whether the emulator still lives.
func (r *record) write(f *traffic, random *rand.Rand) bool {
	book := fmt.Sprintf("book-%02d", random.IntN(books))
	id, latest := r.send(book), r.latest.Load()
	query := url.Values{"id": {id}, "delay": {below(maxDelay, random).String()}}
	request := f.s.request(http.MethodPost, "/"+book+"?"+query.Encode(), nil)
	f.moment()
	status, body, err := f.s.send(request.WithContext(f.ctx))
	f.moment()
	switch {
	case err != nil:
		f.failed("write", err)
		return false
	case status != http.StatusOK:
		f.failed("write", fmt.Errorf("%d %s", status, body))
		return true
	}
	var entered struct{ Now, Due int64 }
	if err := json.Unmarshal([]byte(body), &entered); err != nil {
		f.t.Errorf("answer %q: %v", body, err)
	}
	r.acknowledge(book, id, entered.Due)
	if entered.Now < latest {
		f.t.Errorf("the clock went back by %d ms", latest-entered.Now)
	}
	r.saw(entered.Now)
	return true
}

// advance moves the clock, and reports whether the emulator still lives.
func (r *record) advance(f *traffic, random *rand.Rand) bool {
	latest := r.latest.Load()
	f.moment()
	request := control.AdvanceRequest{Duration: below(maxAdvance, random).String()}
	advanced, err := f.s.control().Advance(f.ctx, request, nil)
	f.moment()
	if err != nil {
		f.failed("advance", err)
		return false
	}
	if from := advanced.From.UnixMilli(); from < latest {
		f.t.Errorf("the clock went back by %d ms", latest-from)
	}
	if err := r.advanced(advanced); err != nil {
		f.t.Error(err)
	}
	return true
}

// send records an entry that a client is about to send, and returns its id.
func (r *record) send(book string) (id string) {
	id = fmt.Sprintf("%08d", r.sent.Add(1))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entries[book] == nil {
		r.entries[book] = make(map[string]int64)
	}
	r.entries[book][id] = unanswered
	return id
}

func (r *record) acknowledge(book, id string, due int64) {
	r.acknowledged.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries[book][id] = due
}

// saw records a time that the clock has shown.
func (r *record) saw(ms int64) {
	for {
		latest := r.latest.Load()
		if ms <= latest || r.latest.CompareAndSwap(latest, ms) {
			return
		}
	}
}

// advanced records what an advance reports, and returns an error if an alarm came early. A lost
// alarm shows in the books, and not here: the report calls a run that a kill cut short failed, and
// not to be retried, if a write set the alarm again while the run waited for its turn.
func (r *record) advanced(a control.Advanced) (err error) {
	r.saw(a.To.UnixMilli())
	if a.Stopped != "" {
		err = fmt.Errorf("an advance ended early: %s", a.Stopped)
	}
	for _, run := range a.Fired {
		if run.Outcome == control.OutcomeOK {
			r.fired.Add(1)
		}
		if run.At.Before(run.Scheduled) {
			err = errors.Join(err, fmt.Errorf("the alarm of %s came early: %+v", run.Name, run))
		}
	}
	return err
}

func (r *record) check(k *killing, s *server) { k.t.Helper(); r.read(k, s) }

// read returns the pages of all books, and compares them and the emulator's alarms with the record.
func (r *record) read(k *killing, s *server) map[string]pages {
	k.t.Helper()
	pending := k.alarms()
	if now := pending.Now.UnixMilli(); now < r.latest.Load() {
		k.t.Errorf("the clock went back by %d ms", r.latest.Load()-now)
	}
	due := make(map[string]int64)
	for _, alarm := range pending.Alarms {
		due[alarm.Name] = alarm.Scheduled.UnixMilli()
	}
	all := make(map[string]pages)
	for book := range books {
		name := fmt.Sprintf("book-%02d", book)
		var p pages
		if err := json.Unmarshal([]byte(s.get("/"+name)), &p); err != nil {
			k.t.Fatal(err)
		}
		for _, err := range p.audit(r.entries[name], due[name]) {
			k.t.Errorf("%s: %v", name, err)
		}
		all[name] = p
	}
	return all
}

// checkFiles checks copies of all databases below dir with SQLite. No process may have them open.
// The originals stay as the crash left them, because the next emulator must recover them.
func (k *killing) checkFiles(dir string) {
	k.t.Helper()
	copied := k.t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		k.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(copied, "*", "*", "*.sqlite"))
	if err != nil || len(files) == 0 {
		k.t.Fatalf("databases in %s: got none, %v", dir, err)
	}
	for _, file := range files {
		verdict, err := integrity(file)
		if err != nil || verdict != "ok" {
			k.t.Errorf("integrity_check of %s: got %q, %v, want ok", filepath.Base(file), verdict, err)
		}
		k.files++
	}
}

// integrity returns the verdict of SQLite's integrity_check on a database file.
func integrity(file string) (verdict string, err error) {
	conn, err := sqlite.OpenConn(file, sqlite.OpenReadWrite)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	stmt, _, err := conn.PrepareTransient("PRAGMA integrity_check")
	if err != nil {
		return "", err
	}
	defer stmt.Finalize()
	if more, err := stmt.Step(); err != nil || !more {
		return "", errors.Join(err, io.ErrUnexpectedEOF)
	}
	return stmt.ColumnText(0), nil
}
