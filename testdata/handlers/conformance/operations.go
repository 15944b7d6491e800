package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"devtool.internal/durable"
)

// operations are what a program can do in the worker (call, parallel, alarms, …) or in an object.
// The key is the op's Op.
var operations map[string]func(context.Context, *place, op) (fact, error)

func init() { // not the variable's initial value, because call, block and others refer to it
	operations = map[string]func(context.Context, *place, op) (fact, error){
		// Of workers and objects.
		"call":     call,
		"sleep":    sleep,
		"note":     note,
		"trace":    trace,
		"waitFor":  waitFor,
		"parallel": parallel,
		"group":    group,
		"witness":  witness,
		"outcome":  outcome,

		// Of workers.
		"alarms":        alarms,
		"constructions": constructions,
		"idFromName":    idFromName,
		"idFromString":  idFromString,
		"equal":         equal,

		// Of objects, and of workers for the object that they name, before it does something.
		"onAlarm":     onAlarm,
		"onConstruct": onConstruct,

		// Of objects.
		"get":         get,
		"getMany":     getMany,
		"put":         put,
		"putMany":     putMany,
		"delete":      remove,
		"deleteMany":  deleteMany,
		"list":        list,
		"deleteAll":   deleteAll,
		"sync":        commit,
		"alias":       alias,
		"setAlarm":    setAlarm,
		"getAlarm":    getAlarm,
		"deleteAlarm": deleteAlarm,
		"throw":       throw,
		"abort":       abort,
		"block":       block,
		"waitUntil":   waitUntil,
		"count":       count,
		"id":          identity,
		"name":        name,

		// Of objects, with SQL and transactions.
		"sql":         query,
		"sqlOpen":     openCursor,
		"sqlNext":     nextRow,
		"sqlRest":     otherRows,
		"sqlOne":      onlyRow,
		"sqlCounts":   rowCounts,
		"sqlSize":     databaseSize,
		"transaction": transaction,
		"rollback":    rollback,
	}
}

var ok fact = "ok"

func get(ctx context.Context, at *place, o op) (fact, error) {
	var v any
	found, err := at.obj.state.Storage.Get(ctx, o.Key, &v)
	if !found || err != nil {
		return "none", err
	}
	return map[string]any{"value": encode(v)}, nil
}

func getMany(ctx context.Context, at *place, o op) (fact, error) {
	found, err := at.obj.state.Storage.GetMany(ctx, o.Keys)
	if err != nil {
		return nil, err
	}
	return entries(found)
}

func put(ctx context.Context, at *place, o op) (fact, error) {
	return ok, at.obj.state.Storage.Put(ctx, o.Key, decode(o.Value))
}

func putMany(ctx context.Context, at *place, o op) (fact, error) {
	values := make(map[string]any, len(o.Entries))
	for key, v := range o.Entries {
		values[key] = decode(v)
	}
	return ok, at.obj.state.Storage.PutMany(ctx, values)
}

func remove(ctx context.Context, at *place, o op) (fact, error) {
	return at.obj.state.Storage.Delete(ctx, o.Key)
}

func deleteMany(ctx context.Context, at *place, o op) (fact, error) {
	return at.obj.state.Storage.DeleteMany(ctx, o.Keys)
}

func list(ctx context.Context, at *place, o op) (fact, error) {
	found, err := at.obj.state.Storage.List(ctx, durable.ListOptions{
		Start:      o.List.Start,
		StartAfter: o.List.StartAfter,
		End:        o.List.End,
		Prefix:     o.List.Prefix,
		Reverse:    o.List.Reverse,
		Limit:      int(o.List.Limit),
	})
	if err != nil {
		return nil, err
	}
	return entries(found)
}

func deleteAll(ctx context.Context, at *place, _ op) (fact, error) {
	return ok, at.obj.state.Storage.DeleteAll(ctx)
}

func commit(ctx context.Context, at *place, _ op) (fact, error) {
	return ok, at.obj.state.Storage.Sync(ctx)
}

// alias changes a list after putting it, and again after getting it. Neither may change what is
// stored.
func alias(ctx context.Context, at *place, o op) (fact, error) {
	storage := at.obj.state.Storage
	v := []any{"stored"}
	err := storage.Put(ctx, o.Key, v)
	v[0] = "changed after put"
	var got []any
	if err == nil {
		_, err = storage.Get(ctx, o.Key, &got)
	}
	if err == nil {
		got[0] = "changed after get"
		_, err = storage.Get(ctx, o.Key, &got)
	}
	return got, err
}

// setAlarm sets the alarm o.MS from now or, if o.By is "epoch", from 1970.
func setAlarm(ctx context.Context, at *place, o op) (fact, error) {
	t := durable.Now(ctx).Add(time.Duration(o.MS) * time.Millisecond)
	if o.By == "epoch" {
		t = time.UnixMilli(o.MS)
	}
	return ok, at.obj.state.Storage.SetAlarm(ctx, t)
}

// getAlarm returns the seconds until the alarm, rounded to hundreds, so that the time between two
// operations does not matter.
func getAlarm(ctx context.Context, at *place, o op) (fact, error) {
	t, set, err := at.obj.state.Storage.GetAlarm(ctx)
	if !set || err != nil {
		return "none", err
	}
	return map[string]any{"in": math.Round(t.Sub(durable.Now(ctx)).Seconds()/100) * 100}, nil
}

func deleteAlarm(ctx context.Context, at *place, o op) (fact, error) {
	return ok, at.obj.state.Storage.DeleteAlarm(ctx)
}

func throw(_ context.Context, _ *place, o op) (fact, error) {
	return nil, &thrown{errors.New(o.Text)}
}

func abort(ctx context.Context, at *place, o op) (fact, error) {
	at.obj.state.Abort(ctx, o.Text, durable.AbortOptions{DropAlarm: o.By == "drop"})
	return nil, nil
}

func block(ctx context.Context, at *place, o op) (fact, error) {
	var done []fact
	err := at.obj.state.BlockConcurrencyWhile(ctx, func(ctx context.Context) (err error) {
		done, err = run(ctx, at, o.Do, nil)
		return err
	})
	if failed := (*durable.Error)(nil); errors.As(err, &failed) && !failed.Reset {
		return nil, err // it was refused
	}
	if err != nil {
		return nil, &thrown{err}
	}
	return facts(done), nil
}

func waitUntil(ctx context.Context, at *place, o op) (fact, error) {
	return ok, at.obj.state.WaitUntil(ctx, func(ctx context.Context) error {
		_, err := run(ctx, at, o.Do, nil)
		return err
	})
}

func count(_ context.Context, at *place, _ op) (fact, error) {
	at.obj.count++
	return at.obj.count, nil
}

func identity(_ context.Context, at *place, _ op) (fact, error) {
	return at.obj.state.ID.String(), nil
}

func name(_ context.Context, at *place, _ op) (fact, error) {
	if name, known := at.obj.state.ID.Name(); known {
		return name, nil
	}
	return "none", nil
}

func sleep(ctx context.Context, _ *place, o op) (fact, error) {
	return ok, durable.Sleep(ctx, time.Duration(o.MS)*time.Millisecond)
}

// note adds a word to the trace of the scope, which all of its objects share.
func note(_ context.Context, at *place, o op) (fact, error) {
	remember(at.scope, func(r *record) any {
		r.trace = append(r.trace, o.Text)
		return nil
	})
	return ok, nil
}

// trace states all words. With a text, it has only the words with that text, or with By only the
// others.
func trace(_ context.Context, at *place, o op) (fact, error) {
	words := []string{}
	for _, word := range remember(at.scope, func(r *record) []string { return slices.Clone(r.trace) }) {
		if strings.Contains(word, o.Text) != (o.By == "others") {
			words = append(words, word)
		}
	}
	return words, nil
}

// waitFor gives up the turn until the word is in the trace.
func waitFor(ctx context.Context, at *place, o op) (fact, error) {
	return until(ctx, func() bool { return noted(at, o.Text) })
}

func noted(at *place, word string) bool {
	return remember(at.scope, func(r *record) bool { return slices.Contains(r.trace, word) })
}

// until polls condition for at most 20 s.
func until(ctx context.Context, condition func() bool) (fact, error) {
	for range 10_000 {
		if condition() {
			return ok, nil
		}
		if err := durable.Sleep(ctx, 2*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return "in vain", nil
}

// parallel runs its operations at the same time, each as soon as the word of its After is in the
// trace.
func parallel(ctx context.Context, at *place, o op) (fact, error) {
	done := make([]fact, len(o.Do))
	errs := make([]error, len(o.Do))
	var all sync.WaitGroup
	for i, o := range o.Do {
		all.Go(func() {
			if o.After != "" {
				if _, errs[i] = until(ctx, func() bool { return noted(at, o.After) }); errs[i] != nil {
					return
				}
			}
			if errs[i] = durable.Sleep(ctx, time.Duration(o.Later)*time.Millisecond); errs[i] != nil {
				return
			}
			var f []fact
			if f, errs[i] = run(ctx, at, []op{o}, nil); errs[i] == nil {
				done[i] = f[0]
			}
		})
	}
	all.Wait()
	return facts(done), errors.Join(errs...)
}

// group runs its program without adding anything: it makes one of several operations.
func group(ctx context.Context, at *place, o op) (fact, error) {
	done, err := run(ctx, at, o.Do, nil)
	return facts(done), err
}

// witness adds the fact of its operation to the trace, for a client that hangs up.
func witness(ctx context.Context, at *place, o op) (fact, error) {
	done, err := run(ctx, at, o.Do, nil)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(done[0])
	if err != nil {
		return nil, err
	}
	note(ctx, at, op{Text: string(text)}) //nolint:errcheck // it never fails
	return done[0], nil
}

// outcome runs its call, and notes whether it has failed.
func outcome(ctx context.Context, at *place, o op) (fact, error) {
	done, err := run(ctx, at, o.Do, nil)
	if err != nil || len(done) == 0 { // the call was left out
		return facts(done), err
	}
	word := " has its answer"
	if f, ok := done[0].(map[string]any); ok && f["error"] != nil {
		word = " has failed"
	}
	note(ctx, at, op{Text: o.Text + word}) //nolint:errcheck // it never fails
	return facts(done), nil
}

// alarms waits until o.Count runs of the alarm have ended, and returns all runs.
func alarms(ctx context.Context, at *place, o op) (fact, error) {
	id := at.id(o)
	ended := func() bool {
		return remember(id, func(r *record) bool {
			n := 0
			for _, a := range r.alarms {
				if a.done {
					n++
				}
			}
			return n >= o.Count
		})
	}
	if waited, err := until(ctx, ended); waited != ok || err != nil {
		return waited, err
	}
	return remember(id, func(r *record) []alarmRun {
		runs := []alarmRun{}
		for _, a := range r.alarms {
			runs = append(runs, *a)
		}
		return runs
	}), nil
}

func constructions(_ context.Context, at *place, o op) (fact, error) {
	return remember(at.id(o), func(r *record) int { return r.constructions }), nil
}

func onAlarm(_ context.Context, at *place, o op) (fact, error) {
	return ok, remember(at.id(o), func(r *record) error { r.scope, r.runs = at.scope, o.Runs; return nil })
}

func onConstruct(_ context.Context, at *place, o op) (fact, error) {
	return ok, remember(at.id(o), func(r *record) error { r.scope, r.construct = at.scope, o.Do; return nil })
}

func idFromName(_ context.Context, at *place, o op) (fact, error) {
	return at.namespace(o).IDFromName(o.Text).String(), nil
}

func idFromString(_ context.Context, at *place, o op) (fact, error) {
	id, err := at.namespace(o).IDFromString(o.Text)
	return id.String(), err
}

// equal compares the id of a name with the id that its digits stand for.
func equal(_ context.Context, at *place, o op) (fact, error) {
	ns := at.namespace(o)
	id := ns.IDFromName(o.Text)
	read, err := ns.IDFromString(id.String())
	return id.Equal(read) && !id.Equal(ns.IDFromName(o.Text+"x")), err
}
