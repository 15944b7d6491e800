// The conformance program receives operations as JSON, executes them and answers with facts.
// twin.js in the folder conformance is the same program for the platform's own runtime. Add a new
// operation to both.
//
// Some data has to outlive an instance, such as the program of the next alarm. The process keeps
// it, and not the storage, so that the storage contains nothing but what a case has put there.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{
			"Probe": durable.NewClass(newProbe),
			"Mute":  durable.NewClass(newMute),
			"Plain": durable.NewClass(newMute), // its class has no SQLite
		},
	})
}

// An op is one operation. Op names it, and decides which of the other fields it uses.
type op struct {
	Op      string         `json:"op"`
	Class   string         `json:"class"`
	Object  string         `json:"object"`
	By      string         `json:"by"`
	Key     string         `json:"key"`
	Keys    []string       `json:"keys"`
	Value   any            `json:"value"`
	Entries map[string]any `json:"entries"`
	List    options        `json:"list"`
	MS      int64          `json:"ms"`
	Text    string         `json:"text"`
	Count   int            `json:"count"`
	After   string         `json:"after"`
	Later   int64          `json:"later"`
	Query   string         `json:"query"`
	Args    []any          `json:"args"`
	In      string         `json:"in"`
	Do      []op           `json:"do"`
	Runs    [][]op         `json:"runs"`
}

type options struct {
	Start      string  `json:"start"`
	StartAfter string  `json:"startAfter"`
	End        string  `json:"end"`
	Prefix     string  `json:"prefix"`
	Reverse    bool    `json:"reverse"`
	Limit      float64 `json:"limit"`
}

// A request is a program for the worker or for an object.
type request struct {
	// Scope isolates the cases: it is part of the names of a case's objects.
	Scope string `json:"scope"`
	// Object is the object's name within the scope.
	Object string `json:"object"`
	Do     []op   `json:"do"`
}

type fact = any

func facts(done []fact) fact {
	if done == nil {
		done = []fact{}
	}
	return map[string]any{"facts": done}
}

// A record is what the process remembers of an object.
type record struct {
	scope         string   // for the programs in construct and runs
	trace         []string // only in the record of the scope's main object
	constructions int
	construct     []op
	runs          [][]op
	alarms        []*alarmRun
}

type alarmRun struct {
	Retry   int    `json:"retry"`
	IsRetry bool   `json:"isRetry"`
	Early   bool   `json:"early"`
	Wait    int    `json:"wait"` // seconds since the end of the last run, rounded down to a power of two
	Facts   []fact `json:"facts"`

	done  bool
	ended time.Time
}

var memory = struct {
	mu      sync.Mutex
	records map[string]*record
}{records: map[string]*record{}}

// remember calls f with the record of the object called name, and with the lock of all records
// held.
func remember[T any](name string, f func(*record) T) T {
	memory.mu.Lock()
	defer memory.mu.Unlock()
	r := memory.records[name]
	if r == nil {
		r = &record{}
		memory.records[name] = r
	}
	return f(r)
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q request
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		done, err := run(r.Context(), &place{env: env, scope: q.Scope}, q.Do, nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, facts(done))
	})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

// A place is where a program runs: in the worker, or in an object.
type place struct {
	env   *durable.Env
	scope string
	obj   *object

	// What operations leave for later operations, by name.
	cursors map[string]*durable.Cursor
}

// An object is the common part of both classes.
type object struct {
	state *durable.State
	env   *durable.Env
	count int
}

// A Mute has no alarm handler.
type Mute struct{ object }

// A Probe has an alarm handler.
type Probe struct{ object }

func newMute(ctx context.Context, state *durable.State, env *durable.Env) (*Mute, error) {
	m := &Mute{object{state: state, env: env}}
	return m, m.construct(ctx)
}

func newProbe(ctx context.Context, state *durable.State, env *durable.Env) (*Probe, error) {
	p := &Probe{object{state: state, env: env}}
	return p, p.construct(ctx)
}

func (o *object) construct(ctx context.Context) error {
	at := &place{env: o.env, obj: o}
	program := remember(o.state.ID.String(), func(r *record) []op {
		r.constructions++
		at.scope = r.scope
		return r.construct
	})
	_, err := run(ctx, at, program, nil)
	return err
}

func (o *object) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q request
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		panic(err)
	}
	done, err := run(r.Context(), &place{env: o.env, scope: q.Scope, obj: o}, q.Do, nil)
	if err != nil {
		panic(err.Error())
	}
	answer(w, facts(done))
}

// Alarm runs the program that onAlarm has left for this run. The last program also serves all later
// runs.
func (p *Probe) Alarm(ctx context.Context, info durable.AlarmInfo) error {
	now := durable.Now(ctx)
	this := &alarmRun{
		Retry: info.RetryCount, IsRetry: info.IsRetry, Early: now.Before(info.ScheduledTime), Facts: []fact{},
	}
	id := p.state.ID.String()
	at := &place{env: p.env, obj: &p.object}
	program := remember(id, func(r *record) []op {
		at.scope = r.scope
		n := len(r.alarms)
		if n > 0 {
			this.Wait = powerOfTwo(now.Sub(r.alarms[n-1].ended))
		}
		r.alarms = append(r.alarms, this)
		if len(r.runs) == 0 {
			return nil
		}
		return r.runs[min(n, len(r.runs)-1)]
	})
	defer func() {
		ended := durable.Now(ctx)
		remember(id, func(*record) any { this.done, this.ended = true, ended; return nil })
	}()
	_, err := run(ctx, at, program, func(f fact) {
		remember(id, func(*record) any { this.Facts = append(this.Facts, f); return nil })
	})
	return err
}

func powerOfTwo(d time.Duration) int {
	n := 0
	for s := 1; time.Duration(s)*time.Second <= d; s *= 2 {
		n = s
	}
	return n
}

// run executes a program and returns its facts. It calls each, which may be nil, with every fact at
// once. What the program throws is the error of run; every other error is a fact.
func run(ctx context.Context, at *place, program []op, each func(fact)) ([]fact, error) {
	var done []fact
	for _, o := range program {
		carryOut, known := operations[o.Op]
		if !known {
			return done, fmt.Errorf("unknown operation %q", o.Op)
		}
		f, err := carryOut(ctx, at, o)
		if thrown := (*thrown)(nil); errors.As(err, &thrown) {
			return done, err
		}
		if at.obj != nil && ownReset(err) { // there, the handler does not go on
			return done, &thrown{err}
		}
		if err != nil {
			f = describe(err)
		}
		done = append(done, f)
		if each != nil {
			each(f)
		}
	}
	return done, nil
}

// ownReset reports whether err says that the object of the handler that got it was reset. If
// another one was, the error is remote as well.
func ownReset(err error) bool {
	failed := (*durable.Error)(nil)
	return errors.As(err, &failed) && failed.Reset && !failed.Remote
}

// thrown is an error that a program fails with.
type thrown struct{ error }

func (t *thrown) Unwrap() error { return t.error }

// call sends a program to an object and returns its facts, or says how it failed.
func call(ctx context.Context, at *place, o op) (fact, error) {
	stub, err := reach(at, o)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(request{Scope: at.scope, Object: o.Object, Do: o.Do})
	if err != nil {
		return nil, &thrown{err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://object/", bytes.NewReader(body))
	if err != nil {
		return nil, &thrown{err}
	}
	response, err := stub.Fetch(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var f fact
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, &thrown{fmt.Errorf("read answer %q: %w", b, err)}
	}
	return f, nil
}

// reach returns the stub of the object that o names, in the way that o.By says.
func reach(at *place, o op) (*durable.Stub, error) {
	ns, name := at.namespace(o), at.name(o)
	switch o.By {
	case "id":
		id, err := ns.IDFromString(ns.IDFromName(name).String())
		if err != nil {
			return nil, err
		}
		return ns.Get(id), nil
	case "unique":
		return ns.Get(ns.NewUniqueID()), nil
	case "foreign":
		return ns.Get(at.env.Namespace("MUTE").IDFromName(name)), nil
	case "hint":
		return ns.GetByName(name, durable.LocationHint("weur")), nil
	case "unknown hint":
		return ns.GetByName(name, durable.LocationHint("nowhere")), nil
	case "jurisdiction":
		return ns.Jurisdiction("eu").GetByName(name), nil
	}
	return ns.GetByName(name), nil
}

func (at *place) namespace(o op) *durable.Namespace {
	switch o.Class {
	case "Mute":
		return at.env.Namespace("MUTE")
	case "Plain":
		return at.env.Namespace("PLAIN")
	}
	return at.env.Namespace("PROBE")
}

// name returns the name of the object o.Object in the scope.
func (at *place) name(o op) string {
	if o.Object == "" {
		return at.scope
	}
	return at.scope + "/" + o.Object
}

// id returns the key of an object's record: the object where o runs, or else the object that o
// names.
func (at *place) id(o op) string {
	if at.obj != nil {
		return at.obj.state.ID.String()
	}
	return at.namespace(o).IDFromName(at.name(o)).String()
}
