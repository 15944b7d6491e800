package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"devtool.internal/durable"
)

const (
	delay   = 10 * time.Second // from the first item of a batch to its alarm
	maxBody = 1 << 20          // a stored value may have 2 MB
	prefix  = "item:"
)

// Batcher is one queue. Its handlers run one at a time, so its fields need no
// lock. They are a cache: an object that rests is dropped from memory, and the
// next event constructs it anew from its storage.
type Batcher struct {
	storage  *durable.Storage
	upstream string
	queued   int // items in storage
	next     int // number of the next item
}

func newBatcher(ctx context.Context, state *durable.State, env *durable.Env) (*Batcher, error) {
	b := &Batcher{storage: state.Storage, upstream: env.Var("UPSTREAM")}
	items, err := b.storage.List(ctx, durable.ListOptions{Prefix: prefix})
	if err != nil {
		return nil, err
	}
	if b.queued = len(items); b.queued > 0 {
		b.next, err = itemNumber(items[b.queued-1].Key)
		b.next++
	}
	return b, err
}

// ServeHTTP queues the body of a POST and shows the queue to a GET.
func (b *Batcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any
	var err error
	switch r.Method {
	case http.MethodPost:
		answer, err = b.add(r.Context(), http.MaxBytesReader(w, r.Body, maxBody))
	case http.MethodGet:
		answer, err = b.show(r.Context())
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "use GET or POST", http.StatusMethodNotAllowed)
		return
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		http.Error(w, fmt.Sprintf("a body may have %d bytes", tooLarge.Limit), http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// add stores one item and sees to it that an alarm is set. What it writes is
// committed as one before the answer leaves: no item without its alarm.
func (b *Batcher) add(ctx context.Context, body io.Reader) (any, error) {
	item, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	if err := b.storage.Put(ctx, itemKey(b.next), item); err != nil {
		return nil, err
	}
	b.next++
	b.queued++
	return map[string]int{"queued": b.queued}, b.arm(ctx)
}

// show is the state of the queue; alarm is null when none is set.
func (b *Batcher) show(ctx context.Context) (any, error) {
	alarm, set, err := b.storage.GetAlarm(ctx)
	if !set {
		return map[string]any{"queued": b.queued, "alarm": nil}, err
	}
	return map[string]any{"queued": b.queued, "alarm": alarm}, err
}

// arm sets the alarm unless one is set. durable.Now is the emulator's clock,
// which `devtool time advance` moves; time.Now would not follow it.
func (b *Batcher) arm(ctx context.Context) error {
	if _, set, err := b.storage.GetAlarm(ctx); set || err != nil {
		return err
	}
	return b.storage.SetAlarm(ctx, durable.Now(ctx).Add(delay))
}

// Alarm sends everything that is queued. When it returns an error it is run
// again, after 2 s, 4 s, 8 s and so on, up to six times, so nothing may be
// deleted before it was sent. It can also run again after a crash between the
// two: the upstream sees each item at least once.
func (b *Batcher) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	items, err := b.storage.List(ctx, durable.ListOptions{Prefix: prefix})
	if err != nil || len(items) == 0 {
		return err
	}
	bodies := make([][]byte, len(items))
	for i, item := range items {
		if err := item.Decode(&bodies[i]); err != nil {
			return err
		}
	}

	// While the upstream takes its time, this object gives up its turn: other
	// requests run now, and may queue more items and set a new alarm.
	if err := send(ctx, b.upstream, batchBody(bodies)); err != nil {
		return err
	}

	// So delete exactly what was sent, and start counting anew only when
	// nothing else has arrived.
	if b.queued -= len(items); b.queued == 0 {
		b.next = 0
		return b.storage.DeleteAll(ctx)
	}
	for _, item := range items {
		if _, err := b.storage.Delete(ctx, item.Key); err != nil {
			return err
		}
	}
	return b.arm(ctx)
}

// itemKey is the storage key of item n. Keys are listed in the order of their
// bytes, so the number has leading zeros: "10" sorts before "9".
func itemKey(n int) string { return fmt.Sprintf("%s%012d", prefix, n) }

func itemNumber(key string) (int, error) { return strconv.Atoi(strings.TrimPrefix(key, prefix)) }
