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
	maxBody = 1 << 20          // bytes; the platform stores values of up to 2 MB
	prefix  = "item:"          // of the keys of items in storage
)

// Batcher is one queue. Its handlers run one at a time, so its fields need no
// lock. The fields only cache what is in storage: an idle object is evicted
// from memory, and the next event constructs it again.
type Batcher struct {
	storage  *durable.Storage
	upstream string
	queued   int // items in storage
	next     int // number of the next item
}

// newBatcher constructs a queue from its storage. It runs before the first event
// and again after each eviction.
func newBatcher(ctx context.Context, state *durable.State, env *durable.Env) (*Batcher, error) {
	b := &Batcher{storage: state.Storage, upstream: env.Var("UPSTREAM")}
	items, err := b.items(ctx)
	if err != nil {
		return nil, err
	}
	if b.queued = len(items); b.queued > 0 {
		b.next, err = itemNumber(items[b.queued-1].Key)
		b.next++
	}
	return b, err
}

// ServeHTTP answers a request to the queue. An error of serve fails the request.
func (b *Batcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	durable.HandlerFunc(b.serve).ServeHTTP(w, r)
}

// serve queues the body of a POST and answers a GET with the state of the queue.
func (b *Batcher) serve(w http.ResponseWriter, r *http.Request) error {
	var answer any
	var err error
	switch r.Method {
	case http.MethodPost:
		answer, err = b.add(r.Context(), http.MaxBytesReader(w, r.Body, maxBody))
	case http.MethodGet:
		answer, err = b.show(r.Context())
	default:
		w.Header().Set("Allow", "GET, POST")
		return durable.HTTPError(http.StatusMethodNotAllowed, "use GET or POST")
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		text := fmt.Sprintf("a body may have %d bytes", tooLarge.Limit)
		return durable.HTTPError(http.StatusRequestEntityTooLarge, text)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// items returns the bodies that are queued, in their order.
func (b *Batcher) items(ctx context.Context) ([]durable.Item[[]byte], error) {
	return durable.List[[]byte](ctx, b.storage, durable.ListOptions{Prefix: prefix})
}

// add stores one item and makes sure that an alarm is set. Both writes are one
// transaction, which is committed before the answer leaves. So no item is ever
// stored without an alarm.
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

// show returns the state of the queue. Its alarm is null when none is set.
func (b *Batcher) show(ctx context.Context) (any, error) {
	alarm, set, err := b.storage.GetAlarm(ctx)
	if !set {
		return map[string]any{"queued": b.queued, "alarm": nil}, err
	}
	return map[string]any{"queued": b.queued, "alarm": alarm}, err
}

// arm sets the alarm unless one is set already. It reads the emulator's clock
// with durable.Now, because `devtool time advance` moves that clock. time.Now
// is the machine's clock and would not follow.
func (b *Batcher) arm(ctx context.Context) error {
	if _, set, err := b.storage.GetAlarm(ctx); set || err != nil {
		return err
	}
	return b.storage.SetAlarm(ctx, durable.Now(ctx).Add(delay))
}

// Alarm sends everything that is queued. If it returns an error it runs again,
// up to six times, after 2 s, 4 s, 8 s and so on. So it deletes an item only
// after sending it. A crash between the two makes it run again as well: the
// upstream receives each item at least once.
func (b *Batcher) Alarm(ctx context.Context, _ durable.AlarmInfo) error {
	items, err := b.items(ctx)
	if err != nil || len(items) == 0 {
		return err
	}
	bodies := make([][]byte, len(items))
	for i, item := range items {
		bodies[i] = item.Value
	}

	// The object gives up its turn while it waits for the upstream. Meanwhile
	// other requests may queue more items and set a new alarm.
	if err := send(ctx, b.upstream, batchBody(bodies)); err != nil {
		return err
	}

	// So delete exactly what was sent, and restart the numbers only if nothing
	// else has arrived.
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

// itemKey returns the storage key of item n. The number has leading zeros
// because storage lists keys in the order of their bytes, where "10" comes
// before "9".
func itemKey(n int) string { return fmt.Sprintf("%s%012d", prefix, n) }

// itemNumber is the reverse of itemKey.
func itemNumber(key string) (int, error) { return strconv.Atoi(strings.TrimPrefix(key, prefix)) }
