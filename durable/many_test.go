package durable

import (
	"fmt"
	"testing"
)

func TestGetManyReturnsExistingEntriesByKey(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.PutMany(h.ctx, map[string]any{"b": 2, "a": "one", "c": []byte{3}}))
		h.expectSent("put many a b c")
		for _, page := range []int{0, 1} { // as few as one fits into an answer
			h.page = page
			entries, err := h.state.Storage.GetMany(h.ctx, []string{"c", "x", "a", "c", "b"})
			h.check(err)
			var got []string
			for _, e := range entries {
				var v any
				h.check(e.Decode(&v))
				got = append(got, fmt.Sprint(e.Key, "=", v))
			}
			if fmt.Sprint(got) != "[a=one b=2 c=[3]]" {
				t.Errorf("got %v, want a, b and c", got)
			}
		}
		h.expectSent("get many a b c x", "get many a b c x", "get many b c x", "get many c x", "get many x")
	})
}

func TestGetManyOfNothingIsNothing(t *testing.T) {
	inHandler(t, func(h handling) {
		entries, err := h.state.Storage.GetMany(h.ctx, nil)
		h.check(err)
		if len(entries) > 0 {
			t.Errorf("got %v, want nothing", entries)
		}
	})
}

func TestPutManyStoresNothingWhenOneValueCannotBeStored(t *testing.T) {
	inHandler(t, func(h handling) {
		err := h.state.Storage.PutMany(h.ctx, map[string]any{"a": 1, "b": func() {}})
		expectError(t, err, `put "b": store a func(): json: unsupported type: func()`)
		h.expectSent()
	})
}

func TestDeleteManyCountsExistingEntries(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.PutMany(h.ctx, map[string]any{"a": 1, "b": 2}))
		n, err := h.state.Storage.DeleteMany(h.ctx, []string{"a", "x"})
		h.check(err)
		if n != 1 {
			t.Errorf("got %d, want 1", n)
		}
		h.expectSent("put many a b", "delete many a x")
	})
}
