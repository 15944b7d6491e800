// Command killing is a worker whose objects are books. Each entry of a book is written in several
// places and has a time at which it is due. So a test sees whether a crash has lost or torn a
// write, or lost an alarm or made it early.
//
// POST /NAME?id=…&delay=… makes an entry in the book NAME. GET /NAME reads the book. /pid is the id
// of the program's process.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"devtool.internal/durable"
)

func main() {
	durable.Serve(durable.Worker{
		Handler: newHandler,
		Classes: durable.Classes{"Book": durable.NewClass(newBook)},
	})
}

func newHandler(env *durable.Env) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pid" {
			fmt.Fprint(w, os.Getpid())
			return
		}
		env.Namespace("BOOKS").GetByName(strings.TrimPrefix(r.URL.Path, "/")).ServeHTTP(w, r)
	})
}

// places are the places of each entry, by its id, with the time at which it is due. Different calls
// write them, and SQL writes table. They must always agree.
var places = []string{"first", table, "second"}

const table = "entries"

// Keys beside the places.
const (
	waiting = "waiting" // the entries that are not yet due
	ran     = "ran"     // the entries that were due, with the time of the alarm
	count   = "count"   // the number of entries
	early   = "early"   // the number of alarms that came before their time
	head    = "head"    // the latest entry; the first key that the request writes
	tail    = "tail"    // the same; the last key that the request writes
	armed   = "armed"   // the time that the alarm is set for; 0 if no entry waits
)

// padding is the size of a padded value in bytes. It spans several pages of the database, so that
// half of a transaction would differ from the whole in more than one page.
const padding = 5000

func padded(id string) string { return strings.Repeat(id, padding/len(id)+1) }

// Book is an object that stores entries.
type Book struct{ storage *durable.Storage }

func newBook(ctx context.Context, state *durable.State, _ *durable.Env) (*Book, error) {
	_, err := state.Storage.SQL().Exec(ctx,
		"CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, due INTEGER, padding TEXT) STRICT")
	return &Book{state.Storage}, err
}

func (b *Book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any
	var err error
	if r.Method == http.MethodPost {
		answer, err = b.enter(r)
	} else {
		answer, err = b.read(r.Context())
	}
	if err == nil {
		err = json.NewEncoder(w).Encode(answer)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// Entered acknowledges an entry. Times are in ms since 1970.
type Entered struct{ Now, Due int64 }

func (b *Book) enter(r *http.Request) (Entered, error) {
	ctx, id := r.Context(), r.FormValue("id")
	delay, err := time.ParseDuration(r.FormValue("delay"))
	if err != nil || id == "" {
		return Entered{}, errors.Join(err, errors.New("an entry needs an id and a delay"))
	}
	now := durable.Now(ctx)
	due := now.Add(delay).UnixMilli()
	var entries int
	if _, err := b.storage.Get(ctx, count, &entries); err != nil {
		return Entered{}, err
	}
	if err := b.storage.Put(ctx, head, padded(id)); err != nil {
		return Entered{}, err
	}
	for _, place := range append([]string{waiting}, places...) {
		if place == table {
			_, err = b.storage.SQL().Exec(ctx, "INSERT INTO entries VALUES (?, ?, ?)", id, due, padded(id))
		} else {
			err = b.storage.Put(ctx, place+"/"+id, due)
		}
		if err != nil {
			return Entered{}, err
		}
	}
	if err := b.storage.Put(ctx, count, entries+1); err != nil {
		return Entered{}, err
	}
	if err := b.arm(ctx); err != nil {
		return Entered{}, err
	}
	return Entered{now.UnixMilli(), due}, b.storage.Put(ctx, tail, padded(id))
}

// Alarm records which entries are due, and sets the alarm for the next one.
func (b *Book) Alarm(ctx context.Context, info durable.AlarmInfo) error {
	now := durable.Now(ctx)
	if now.Before(info.ScheduledTime) {
		var hurried int
		if _, err := b.storage.Get(ctx, early, &hurried); err != nil {
			return err
		}
		if err := b.storage.Put(ctx, early, hurried+1); err != nil {
			return err
		}
	}
	entries, err := b.times(ctx, waiting)
	if err != nil {
		return err
	}
	for id, due := range entries {
		if due > now.UnixMilli() {
			continue
		}
		if err := b.storage.Put(ctx, ran+"/"+id, now.UnixMilli()); err != nil {
			return err
		}
		if _, err := b.storage.Delete(ctx, waiting+"/"+id); err != nil {
			return err
		}
	}
	return b.arm(ctx)
}

// arm sets the alarm for the first entry that waits, if there is one. It records the time that the
// storage has set, which is the present if the entry's time has passed.
func (b *Book) arm(ctx context.Context) error {
	entries, err := b.times(ctx, waiting)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return b.storage.Put(ctx, armed, 0)
	}
	first := slices.Min(slices.Collect(maps.Values(entries)))
	if err := b.storage.SetAlarm(ctx, time.UnixMilli(first)); err != nil {
		return err
	}
	at, _, err := b.storage.GetAlarm(ctx)
	if err != nil {
		return err
	}
	return b.storage.Put(ctx, armed, at.UnixMilli())
}

// Pages is everything that a book stores. Times are in ms since 1970.
type Pages struct {
	Places       map[string]map[string]int64 // when each entry is due, in each place
	Waiting, Ran map[string]int64
	Count, Early int
	Head, Tail   string
	Armed, Alarm int64 // 0 for none
}

func (b *Book) read(ctx context.Context) (p Pages, err error) {
	p.Places = make(map[string]map[string]int64)
	for _, place := range places {
		if place == table {
			p.Places[place], err = b.rows(ctx)
		} else {
			p.Places[place], err = b.times(ctx, place)
		}
		if err != nil {
			return p, err
		}
	}
	if p.Waiting, err = b.times(ctx, waiting); err != nil {
		return p, err
	}
	if p.Ran, err = b.times(ctx, ran); err != nil {
		return p, err
	}
	values := map[string]any{count: &p.Count, early: &p.Early, head: &p.Head, tail: &p.Tail, armed: &p.Armed}
	for key, v := range values {
		if _, err := b.storage.Get(ctx, key, v); err != nil {
			return p, err
		}
	}
	at, set, err := b.storage.GetAlarm(ctx)
	if set {
		p.Alarm = at.UnixMilli()
	}
	return p, err
}

// rows returns when each entry of the table is due, by id.
func (b *Book) rows(ctx context.Context) (map[string]int64, error) {
	c, err := b.storage.SQL().Exec(ctx, "SELECT id, due FROM entries")
	if err != nil {
		return nil, err
	}
	times := make(map[string]int64)
	for c.Next() {
		var id string
		var due int64
		if err := c.Scan(&id, &due); err != nil {
			return nil, err
		}
		times[id] = due
	}
	return times, c.Err()
}

// times returns the times of the entries below the key kind, by id.
func (b *Book) times(ctx context.Context, kind string) (map[string]int64, error) {
	entries, err := b.storage.List(ctx, durable.ListOptions{Prefix: kind + "/"})
	if err != nil {
		return nil, err
	}
	times := make(map[string]int64, len(entries))
	for _, entry := range entries {
		var at int64
		if err := entry.Decode(&at); err != nil {
			return nil, err
		}
		times[strings.TrimPrefix(entry.Key, kind+"/")] = at
	}
	return times, nil
}
