package durable

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestKeysThatAreNotTextAreRefusedByName(t *testing.T) {
	tests := []struct {
		name string
		try  func(ctx context.Context, s *Storage) error
		want string
	}{
		{
			"get", func(ctx context.Context, s *Storage) error { _, err := s.Get(ctx, "a\xff", new(any)); return err },
			`get "a\xff": key "a\xff" is not UTF-8 text`,
		},
		{
			"put", func(ctx context.Context, s *Storage) error { return s.Put(ctx, "\xed\xa0\x80", 1) },
			`put "\xed\xa0\x80": key "\xed\xa0\x80" is not UTF-8 text`,
		},
		{
			"delete", func(ctx context.Context, s *Storage) error { _, err := s.Delete(ctx, "\xff"); return err },
			`delete "\xff": key "\xff" is not UTF-8 text`,
		},
		{
			"get many", func(ctx context.Context, s *Storage) error {
				_, err := s.GetMany(ctx, []string{"a", "\xff"})
				return err
			},
			`get 2 keys: key "\xff" is not UTF-8 text`,
		},
		{
			"put many", func(ctx context.Context, s *Storage) error {
				return s.PutMany(ctx, map[string]any{"a": 1, "\xff": 2})
			},
			`put 2 keys: key "\xff" is not UTF-8 text`,
		},
		{
			"delete many", func(ctx context.Context, s *Storage) error {
				_, err := s.DeleteMany(ctx, []string{"a", "\xff"})
				return err
			},
			`delete 2 keys: key "\xff" is not UTF-8 text`,
		},
		{
			"list from", func(ctx context.Context, s *Storage) error {
				_, err := s.List(ctx, ListOptions{Start: "\xff"})
				return err
			},
			`list: key "\xff" is not UTF-8 text`,
		},
		{
			"list after", func(ctx context.Context, s *Storage) error {
				_, err := s.List(ctx, ListOptions{StartAfter: "\xff"})
				return err
			},
			`list: key "\xff" is not UTF-8 text`,
		},
		{
			"list to", func(ctx context.Context, s *Storage) error {
				_, err := s.List(ctx, ListOptions{End: "item:\xff"})
				return err
			},
			`list: key "item:\xff" is not UTF-8 text`,
		},
		{
			"list prefix", func(ctx context.Context, s *Storage) error {
				_, err := s.List(ctx, ListOptions{Prefix: "\xff"})
				return err
			},
			`list: key "\xff" is not UTF-8 text`,
		},
	}
	inHandler(t, func(h handling) {
		for _, tt := range tests {
			expectError(t, tt.try(h.ctx, h.state.Storage), tt.want)
		}
		h.expectSent()
		h.check(h.state.Storage.Transaction(h.ctx, func(ctx context.Context) error {
			for _, tt := range tests {
				expectError(t, tt.try(ctx, h.state.Storage), tt.want)
			}
			return nil
		}))
	})
}

func TestEveryTextIsAKey(t *testing.T) {
	keys := []string{
		"",
		"\x00",
		"a",
		"a\x00",
		"a\x00b",
		strings.Repeat("k", 4096),
		"é",
		"\ufffd",
		"😀",
	} // as their bytes order them
	inHandler(t, func(h handling) {
		s := h.state.Storage
		for i := len(keys) - 1; i >= 0; i-- {
			h.check(s.Put(h.ctx, keys[i], keys[i]))
		}
		for _, key := range keys {
			var got string
			found, err := s.Get(h.ctx, key, &got)
			if h.check(err); !found || got != key {
				t.Errorf("get %.20q: got %.20q, %t", key, got, found)
			}
		}
		expectKeys := func(what string, entries []Entry, err error) {
			t.Helper()
			h.check(err)
			var got []string
			for _, e := range entries {
				got = append(got, e.Key)
			}
			if diff := cmp.Diff(keys, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		entries, err := s.List(h.ctx, ListOptions{})
		expectKeys("list", entries, err)
		entries, err = s.GetMany(h.ctx, append([]string{"none", "a"}, keys...))
		expectKeys("get many", entries, err)
		n, err := s.DeleteMany(h.ctx, append([]string{"none", "a"}, keys...))
		if h.check(err); n != len(keys) {
			t.Errorf("deleted %d, want %d", n, len(keys))
		}
	})
}

func TestNothingInManyCallsIsNothing(t *testing.T) {
	inHandler(t, func(h handling) {
		s := h.state.Storage
		h.check(s.Put(h.ctx, "", "kept"))
		for _, none := range [][]string{nil, {}} {
			entries, err := s.GetMany(h.ctx, none)
			if h.check(err); len(entries) > 0 {
				t.Errorf("get: %v", entries)
			}
			n, err := s.DeleteMany(h.ctx, none)
			if h.check(err); n != 0 {
				t.Errorf("deleted %d", n)
			}
		}
		h.check(s.PutMany(h.ctx, nil))
		h.check(s.PutMany(h.ctx, map[string]any{}))
		entries, err := s.List(h.ctx, ListOptions{})
		if h.check(err); len(entries) != 1 {
			t.Errorf("got %d entries, want the one that was there", len(entries))
		}
	})
}

func TestErrorsOfPutNameKeyAndType(t *testing.T) {
	cycle := map[string]any{}
	cycle["self"] = cycle
	tests := []struct {
		value any
		want  string
	}{
		{func() {}, `store a func(): json: unsupported type: func()`},
		{make(chan int), `store a chan int: json: unsupported type: chan int`},
		{math.NaN(), `store a float64: json: unsupported value: NaN`},
		{complex(1, 2), `store a complex128: json: unsupported type: complex128`},
		{map[bool]int{true: 1}, `store a map[bool]int: json: unsupported type: map[bool]int`},
		{struct{ F func() }{func() {}}, `store a struct { F func() }: json: unsupported type: func()`},
		{
			cycle,
			`store a map[string]interface {}: json: unsupported value: encountered a cycle via map[string]interface {}`,
		},
	}
	inHandler(t, func(h handling) {
		for _, tt := range tests {
			expectError(t, h.state.Storage.Put(h.ctx, "k", tt.value), `put "k": `+tt.want)
			expectError(t, h.state.Storage.PutMany(h.ctx, map[string]any{"a": 1, "k": tt.value}), `put "k": `+tt.want)
		}
		h.expectSent() // nothing of it
	})
}

func TestErrorsOfGetNameKeyAndType(t *testing.T) {
	tests := []struct {
		stored string
		into   any
		want   string
	}{
		{"J1", new(string), "*string: json: cannot unmarshal number into Go value of type string"},
		{"Bxyz", new(int), "*int: value is a []uint8, not a int"},
		{"T\x00\x00\x00\x00\x00\x00\x00\x01", new(string), "*string: value is a time.Time, not a string"},
		{"\xff\x0f\"\x01a", new(any), "*interface {}: value was written by JavaScript: only workerd can read it"},
		{"", new(any), "*interface {}: value is empty"},
	}
	inHandler(t, func(h handling) {
		for _, tt := range tests {
			h.values["k"] = []byte(tt.stored)
			found, err := h.state.Storage.Get(h.ctx, "k", tt.into)
			expectError(t, err, `get "k" into `+tt.want)
			if !found {
				t.Errorf("%q counts as not found", tt.stored)
			}
			for _, list := range []func() ([]Entry, error){
				func() ([]Entry, error) { return h.state.Storage.List(h.ctx, ListOptions{}) },
				func() ([]Entry, error) { return h.state.Storage.GetMany(h.ctx, []string{"k"}) },
			} {
				entries, err := list() // what can't be read must not hide the rest
				if h.check(err); len(entries) != 1 {
					t.Fatalf("got %d entries, want one", len(entries))
				}
				expectError(t, entries[0].Decode(tt.into), `decode value of "k" into `+tt.want)
			}
		}
	})
}

// Put and Get copy values: a stored value shares no memory with a variable.
func TestValuesAreCopies(t *testing.T) {
	inHandler(t, func(h handling) {
		s := h.state.Storage
		bytes := []byte("one")
		list := []int{1, 2}
		h.check(s.PutMany(h.ctx, map[string]any{"bytes": bytes, "list": list}))
		bytes[0], list[0] = 'X', 9
		for range 2 {
			var gotBytes []byte
			var gotList []int
			_, err := s.Get(h.ctx, "bytes", &gotBytes)
			h.check(err)
			_, err = s.Get(h.ctx, "list", &gotList)
			h.check(err)
			if string(gotBytes) != "one" || fmt.Sprint(gotList) != "[1 2]" {
				t.Errorf("got %q and %v, want them as they were put", gotBytes, gotList)
			}
			gotBytes[0], gotList[0] = 'Y', 8
		}
		entries, err := s.List(h.ctx, ListOptions{Prefix: "bytes"})
		h.check(err)
		for range 2 {
			var got []byte
			h.check(entries[0].Decode(&got))
			if string(got) != "one" {
				t.Errorf("entry: got %q, want one", got)
			}
			got[0] = 'Z'
		}
	})
}

func TestValuesKeepTheirTypes(t *testing.T) {
	inHandler(t, func(h handling) {
		s := h.state.Storage
		rapid.Check(t, func(t *rapid.T) {
			key := rapid.String().Draw(t, "key")
			bytes := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
			at := time.UnixMilli(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "time")).UTC()
			for _, want := range []any{bytes, at, rapid.String().Draw(t, "text"), rapid.Bool().Draw(t, "bool"), nil} {
				if err := s.Put(h.ctx, key, want); err != nil {
					t.Fatal(err)
				}
				var got any = "something else"
				found, err := s.Get(h.ctx, key, &got)
				if err != nil || !found {
					t.Fatalf("get: %t, %v", found, err)
				}
				if b, ok := want.([]byte); ok && len(b) == 0 {
					want = []byte{}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
			h.tap.take()
		})
	})
}
