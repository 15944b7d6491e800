package durable

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type order struct {
	Item  string
	Notes map[string]string
}

func TestGetReturnsValuesOfTheTypeAskedFor(t *testing.T) {
	at := time.Date(2026, 11, 21, 11, 0, 0, 123_000_000, time.UTC)
	inHandler(t, func(h handling) {
		s := h.state.Storage
		h.check(s.PutMany(h.ctx, map[string]any{
			"number": 42, "bytes": []byte("b"), "time": at, "null": nil,
			"order": order{"tea", map[string]string{"a": "1"}},
		}))
		if v, found, err := Get[int](h.ctx, s, "number"); v != 42 || !found || err != nil {
			t.Errorf("number: got %v, %v, %v", v, found, err)
		}
		if v, found, err := Get[[]byte](h.ctx, s, "bytes"); !bytes.Equal(v, []byte("b")) || !found || err != nil {
			t.Errorf("bytes: got %v, %v, %v", v, found, err)
		}
		if v, found, err := Get[time.Time](h.ctx, s, "time"); !v.Equal(at) || !found || err != nil {
			t.Errorf("time: got %v, %v, %v", v, found, err)
		}
		v, found, err := Get[order](h.ctx, s, "order")
		if v.Item != "tea" || v.Notes["a"] != "1" || !found || err != nil {
			t.Errorf("order: got %v, %v, %v", v, found, err)
		}
		if v, found, err := Get[*order](h.ctx, s, "null"); v != nil || !found || err != nil {
			t.Errorf("null: got %v, %v, %v", v, found, err)
		}
		if v, found, err := Get[any](h.ctx, s, "number"); v != 42.0 || !found || err != nil {
			t.Errorf("any: got %v, %v, %v", v, found, err)
		}
		if v, found, err := Get[int](h.ctx, s, "none"); v != 0 || found || err != nil {
			t.Errorf("none: got %v, %v, %v", v, found, err)
		}
	})
}

func TestGetReturnsNoHalfOfAValue(t *testing.T) {
	inHandler(t, func(h handling) {
		s := h.state.Storage
		h.check(s.Put(h.ctx, "k", map[string]any{"Item": "tea", "Notes": 5}))
		v, _, err := Get[order](h.ctx, s, "k")
		expectError(t, err, `get "k" into *durable.order: `+
			`json: cannot unmarshal number into Go struct field order.Notes of type map[string]string`)
		if v.Item != "" {
			t.Errorf("got %v, want nothing", v)
		}
	})
}

func TestListReturnsValuesOfTheTypeAskedFor(t *testing.T) {
	inHandler(t, func(h handling) {
		s := h.state.Storage
		tea, milk := order{"tea", map[string]string{"a": "1"}}, order{Item: "milk"}
		h.check(s.PutMany(h.ctx, map[string]any{"order:1": tea, "order:2": milk, "order:3": tea, "other": 1}))
		got, err := List[order](h.ctx, s, ListOptions{Prefix: "order:", Reverse: true, Limit: 2})
		h.check(err)
		// Nothing of one value gets into the next.
		if diff := cmp.Diff([]Item[order]{{"order:3", tea}, {"order:2", milk}}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got, err := List[order](h.ctx, s, ListOptions{Prefix: "none"}); len(got) != 0 || err != nil {
			t.Errorf("got %v, %v; want nothing", got, err)
		}
		_, err = List[order](h.ctx, s, ListOptions{})
		expectError(t, err, `list: decode value of "other" into *durable.order: `+
			`json: cannot unmarshal number into Go value of type durable.order`)
	})
}

func TestGetAndListFailAsStorageDoes(t *testing.T) {
	inHandler(t, func(h handling) {
		const none = "the context is not a handler's: pass on the context that the handler was called with"
		_, _, err := Get[int](context.Background(), h.state.Storage, "k")
		expectError(t, err, `get "k": `+none)
		_, err = List[int](context.Background(), h.state.Storage, ListOptions{})
		expectError(t, err, "list: "+none)
		_, err = List[int](h.ctx, h.state.Storage, ListOptions{Limit: -1})
		expectError(t, err, "list: limit -1 is negative")
	})
}
