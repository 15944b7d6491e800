package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// The crash tests: much goes on in many objects, while the handler program and the emulator are killed at moments
// that a seed chooses. After each kill what the objects know is compared with what it must be. `make crash` runs them at
// full length.
//
// In the first scene clients write to the books of testdata/handlers/killing, whose alarms come due on the way; the
// second is in e2e_month_test.go.
var (
	killingSeed = flag.Uint64("killing.seed", 0, "seed of the crash tests, to repeat one that failed; 0 for a new one")
	killings    = flag.Int("killing.kills", 10, "how often each crash test kills a process")
)

// A scene is what goes on in a crash test. Its methods are called one after the other.
type scene interface {
	// begin starts the workers of f, which go on until it has had enough.
	begin(f *traffic, random *rand.Rand)
	// mostMoments bounds how long the load lasts before a kill. It is counted in things that happen, since a time
	// would mean something else on each machine.
	mostMoments() int64
	// check compares what there is with what must be.
	check(k *killing, s *server)
	// drain lets everything come due that is soon to be.
	drain(k *killing, s *server)
	// settle ends the scene in an emulator that nobody kills.
	settle(k *killing, s *server)
}

const (
	books   = 50
	writers = 8

	// Virtual time runs far ahead of real time, so that a clock that forgets where it stood goes back.
	maxDelay   = time.Minute // from an entry to its alarm
	maxAdvance = 10 * time.Second
)

func TestKillsLoseTearAndHurryNothing(t *testing.T) {
	t.Parallel()
	told := newTold()
	kill(t, "killing", told, quietly...)
	t.Logf("%d entries acknowledged, %d not; %d alarms have run",
		told.acknowledged.Load(), told.sent.Load()-told.acknowledged.Load(), told.fired.Load())
}

// mostHandlerKills is how often an emulator sees its program killed before it is killed itself: with each crash in a row
// it waits longer before it starts the program again, and nothing is learned meanwhile.
const mostHandlerKills = 2

// quietly starts an emulator whose clock only an advance moves, and whose log is about what went wrong.
var quietly = []string{"--frozen", "--log-level", "warn"}

// kill plays a scene on a program of testdata/handlers, in emulators that are started with args.
func kill(t *testing.T, handler string, of scene, args ...string) {
	seed := *killingSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with: go test ./cli -run '^%s$' -killing.seed %d -killing.kills %d", t.Name(), seed, *killings)
	k := &killing{project: handlerProject(t, handler), args: args, random: rand.New(rand.NewPCG(seed, 0)), scene: of}

	// A life is that of one emulator. Each has a test of its own, so that a failure shows the log of that one alone.
	for n := 1; k.kills < *killings; n++ {
		if !t.Run(fmt.Sprintf("life %d", n), k.live) {
			return
		}
	}
	t.Run("the end", k.finish)
	t.Logf("%d kills (%d of emulators, of which %d at their start); %d files found whole", k.kills, k.emulators, k.starts, k.files)
}

// A killing is one run of a crash test. Its methods are called one after the other.
type killing struct {
	project
	scene
	args   []string
	random *rand.Rand

	kills, emulators, starts, files int
}

// live starts an emulator, checks what the last one has left, and kills it.
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
		if k.random.IntN(2) == 0 { // else the next emulator finds what this one still means to do
			k.drain(k, s)
		}
	}
	k.killEmulator(s)
	k.checkFiles(filepath.Join(s.State, "v3"))
}

// finish ends the scene.
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

// killAtStart kills an emulator that has just taken the state folder into possession, so that it dies somewhere between
// there and its first request.
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

// pidOf waits until a program that is not the old one tells its process id.
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

	ctx     context.Context // of all that is asked
	cancel  context.CancelFunc
	workers sync.WaitGroup
	moments atomic.Int64  // how many are to come before the kill
	reached chan struct{} // closed when the kill is due
	killing atomic.Bool   // from here on requests may fail
	enough  atomic.Bool
}

func (k *killing) startTraffic(s *server) *traffic {
	f := &traffic{t: k.t, s: s, reached: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(k.t.Context())
	f.moments.Store(1 + k.random.Int64N(k.mostMoments()))
	k.begin(f, k.random)
	return f
}

// repeat has a worker do something, by chance of its own, as long as that reports that the emulator lives.
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
		f.t.Errorf("the load stands still: %d moments are missing after %s", f.moments.Load(), patience)
	}
	f.killing.Store(true)
}

// end waits until all that was asked has been answered, or can't be any more.
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

// below chooses a time shorter than limit, in whole ms.
func below(limit time.Duration, random *rand.Rand) time.Duration {
	return time.Duration(random.Int64N(limit.Milliseconds())) * time.Millisecond
}

// failed objects to a failure that no kill explains.
func (f *traffic) failed(verb string, err error) {
	if !f.killing.Load() {
		f.t.Errorf("%s before the kill: %v", verb, err)
	}
}

// told is what the clients were told, by emulators and programs that are long dead.
type told struct {
	sent, acknowledged, fired atomic.Int64
	latest                    atomic.Int64 // virtual time, in ms since 1970

	mu      sync.Mutex
	entries map[string]map[string]int64 // by book and id: when it is due, or unanswered
}

// unanswered stands for an entry that may have been made or not.
const unanswered = -1

func newTold() *told { return &told{entries: make(map[string]map[string]int64)} }

func (o *told) begin(f *traffic, random *rand.Rand) {
	for range writers {
		f.repeat(random, o.write)
	}
	f.repeat(random, o.advance)
}

// mostMoments counts requests that are sent, and answers that come.
func (o *told) mostMoments() int64 { return 400 }

func (o *told) settle(k *killing, s *server) {
	k.t.Helper()
	o.drain(k, s)
	if got := k.alarms().Alarms; len(got) != 0 {
		k.t.Errorf("alarms when all are due: got %+v, want none", got)
	}
}

// drain lets everything come due. Alarms that met a crash are tried again a little later than they were set for.
func (o *told) drain(k *killing, s *server) {
	k.t.Helper()
	if err := o.advanced(k.advance((maxDelay + time.Minute).String())); err != nil {
		k.t.Error(err)
	}
	for name, pages := range o.read(k, s) {
		if n := len(pages.Waiting); n != 0 {
			k.t.Errorf("%s: %d entries still wait for their alarm when all are due", name, n)
		}
	}
}

// write makes an entry, and reports whether the emulator still lives.
func (o *told) write(f *traffic, random *rand.Rand) bool {
	book := fmt.Sprintf("book-%02d", random.IntN(books))
	id, latest := o.send(book), o.latest.Load()
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
	o.acknowledge(book, id, entered.Due)
	if entered.Now < latest {
		f.t.Errorf("the clock went back by %d ms", latest-entered.Now)
	}
	o.saw(entered.Now)
	return true
}

// advance moves the clock, and reports whether the emulator still lives.
func (o *told) advance(f *traffic, random *rand.Rand) bool {
	latest := o.latest.Load()
	f.moment()
	advanced, err := (&client.Client{URL: f.s.URL}).Advance(f.ctx, control.AdvanceRequest{Duration: below(maxAdvance, random).String()}, nil)
	f.moment()
	if err != nil {
		f.failed("advance", err)
		return false
	}
	if from := advanced.From.UnixMilli(); from < latest {
		f.t.Errorf("the clock went back by %d ms", latest-from)
	}
	if err := o.advanced(advanced); err != nil {
		f.t.Error(err)
	}
	return true
}

// send notes an entry that is about to be sent, and returns its id.
func (o *told) send(book string) (id string) {
	id = fmt.Sprintf("%08d", o.sent.Add(1))
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.entries[book] == nil {
		o.entries[book] = make(map[string]int64)
	}
	o.entries[book][id] = unanswered
	return id
}

func (o *told) acknowledge(book, id string, due int64) {
	o.acknowledged.Add(1)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries[book][id] = due
}

// saw notes a time that the clock has shown.
func (o *told) saw(ms int64) {
	for {
		latest := o.latest.Load()
		if ms <= latest || o.latest.CompareAndSwap(latest, ms) {
			return
		}
	}
}

// advanced notes what an advance reports, and objects to an alarm that came early. Whether one was lost is for the books
// to tell: a run that a kill has cut short is reported as failed, and not as tried again, where a write has set the alarm
// anew while that run waited for its turn.
func (o *told) advanced(a control.Advanced) (err error) {
	o.saw(a.To.UnixMilli())
	if a.Stopped != "" {
		err = fmt.Errorf("an advance ended early: %s", a.Stopped)
	}
	for _, run := range a.Fired {
		if run.Outcome == control.OutcomeOK {
			o.fired.Add(1)
		}
		if run.At.Before(run.Scheduled) {
			err = errors.Join(err, fmt.Errorf("the alarm of %s came early: %+v", run.Name, run))
		}
	}
	return err
}

// pages is what a book answers.
type pages struct {
	Places       map[string]map[string]int64
	Waiting, Ran map[string]int64
	Count, Early int
	Head, Tail   string
	Armed, Alarm int64
}

func (o *told) check(k *killing, s *server) { k.t.Helper(); o.read(k, s) }

// read compares all books, and what the emulator knows of their alarms, with what was told.
func (o *told) read(k *killing, s *server) map[string]pages {
	k.t.Helper()
	pending := k.alarms()
	if now := pending.Now.UnixMilli(); now < o.latest.Load() {
		k.t.Errorf("the clock went back by %d ms", o.latest.Load()-now)
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
		for _, err := range p.audit(o.entries[name], due[name]) {
			k.t.Errorf("%s: %v", name, err)
		}
		all[name] = p
	}
	return all
}

// audit returns what is wrong with a book. entries is what was told of it, indexed when the emulator means to
// run its alarm, or 0.
func (p pages) audit(entries map[string]int64, indexed int64) (wrong []error) {
	report := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	made := p.Places["first"]
	for place, there := range p.Places {
		if !maps.Equal(there, made) {
			report("torn: the %s and the first place differ: %v and %v", place, there, made)
		}
	}
	for id, due := range entries {
		if got, ok := made[id]; due != unanswered && (!ok || got != due) {
			report("lost: entry %s was acknowledged, due at %d: got %d, %t", id, due, got, ok)
		}
	}
	for id, due := range made {
		if _, ok := entries[id]; !ok {
			report("entry %s was never sent", id)
		}
		_, waits := p.Waiting[id]
		at, ran := p.Ran[id]
		if waits == ran {
			report("torn: entry %s waits for its alarm (%t) and has had it (%t)", id, waits, ran)
		}
		if ran && at < due {
			report("early: entry %s, due at %d, had its alarm at %d", id, due, at)
		}
	}
	if p.Count != len(made) || len(p.Waiting)+len(p.Ran) != len(made) {
		report("torn: %d entries, but %d counted, %d waiting, %d that had their alarm", len(made), p.Count, len(p.Waiting), len(p.Ran))
	}
	if p.Head != p.Tail || (p.Head == "") != (len(made) == 0) {
		report("torn: the entry began with %.8q and ended with %.8q", p.Head, p.Tail)
	}
	if p.Early != 0 {
		report("%d alarms came early", p.Early)
	}
	if p.Alarm != p.Armed || (p.Alarm == 0) != (len(p.Waiting) == 0) {
		report("torn: the alarm is at %d, should be at %d, and %d entries wait for it", p.Alarm, p.Armed, len(p.Waiting))
	}
	if p.Alarm != 0 && (indexed == 0 || indexed > p.Alarm) { // sooner does no harm: the alarm then finds that it was moved
		report("lost: the emulator means to run the alarm at %d, which is set for %d", indexed, p.Alarm)
	}
	return wrong
}

// checkFiles lets SQLite check copies of all databases below dir, which nobody has open. The originals stay as the
// crash left them: to recover them is the emulator's part.
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

// integrity is what SQLite says of a database file.
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

func TestAnAuditSeesWhatIsWrongWithABook(t *testing.T) {
	t.Parallel()
	const now, due = 1000, 2000
	told := map[string]int64{"a": now, "b": due, "c": unanswered}
	for _, test := range []struct {
		name    string
		change  func(*pages)
		indexed int64
		want    string // part of what is wrong, or empty for nothing
	}{
		{"nothing", func(*pages) {}, due, ""},
		{"indexed sooner", func(*pages) {}, now, ""},
		{"not indexed", func(*pages) {}, 0, "lost: the emulator means to run the alarm at 0"},
		{"indexed later", func(*pages) {}, due + 1, "lost: the emulator means to run the alarm at 2001"},
		{"entry lost", func(p *pages) {
			delete(p.Places["first"], "a")
			delete(p.Places["second"], "a")
			delete(p.Ran, "a")
			p.Count--
		}, due, "lost: entry a"},
		{"entry unknown", func(p *pages) {
			p.Places["first"]["x"], p.Places["second"]["x"], p.Ran["x"] = now, now, now
			p.Count++
		}, due, "entry x was never sent"},
		{"entry in one place", func(p *pages) { p.Places["second"]["c"] = now }, due, "torn: the second"},
		{"alarm early", func(p *pages) { p.Ran["a"] = now - 1 }, due, "early: entry a"},
		{"alarm hurried", func(p *pages) { p.Early = 1 }, due, "1 alarms came early"},
		{"alarm moved", func(p *pages) { p.Alarm = due - 1 }, due - 1, "torn: the alarm is at 1999"},
		{"alarm left", func(p *pages) { p.Waiting, p.Ran = nil, map[string]int64{"a": now, "b": due} }, due, "and 0 entries wait"},
		{"alarm forgotten", func(p *pages) { delete(p.Waiting, "b"); p.Waiting["c"] = due }, due, "torn: entry b"},
		{"count", func(p *pages) { p.Count = 3 }, due, "3 counted"},
		{"tail", func(p *pages) { p.Tail = "a" }, due, "torn: the entry began"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := pages{
				Places:  map[string]map[string]int64{"first": {"a": now, "b": due}, "second": {"a": now, "b": due}},
				Waiting: map[string]int64{"b": due}, Ran: map[string]int64{"a": now},
				Count: 2, Head: "b", Tail: "b", Armed: due, Alarm: due,
			}
			test.change(&p)
			got := errors.Join(p.audit(told, test.indexed)...)
			if test.want == "" && got != nil || test.want != "" && (got == nil || !strings.Contains(got.Error(), test.want)) {
				t.Errorf("got %v, want %q", got, test.want)
			}
		})
	}
}
