package durable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
)

func TestPutEncodesValues(t *testing.T) {
	type point struct{ X, Y int }
	at := time.Date(2026, 11, 21, 12, 0, 0, 123_456_789, time.FixedZone("", 3600))
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"text", "a", `J"a"`},
		{"number", 42, `J42`},
		{"struct", point{1, 2}, `J{"X":1,"Y":2}`},
		{"nil", nil, `Jnull`},
		{"bytes", []byte("\x00\xff"), "B\x00\xff"},
		{"no bytes", []byte(nil), "B"},
		{"time", at, "T\x00\x00\x01\xa1\xfd\xc3\x57\xfb"},
	}
	inHandler(t, func(h handling) {
		for _, tt := range tests {
			h.check(h.state.Storage.Put(h.ctx, tt.name, tt.value))
			if got := string(h.values[tt.name]); got != tt.want {
				t.Errorf("%s is stored as %q, want %q", tt.name, got, tt.want)
			}
		}
	})
}

func TestGetReturnsWhatWasPut(t *testing.T) {
	at := time.Date(2026, 11, 21, 11, 0, 0, 123_000_000, time.UTC)
	inHandler(t, func(h handling) {
		s := h.state.Storage
		h.check(s.Put(h.ctx, "number", 42))
		h.check(s.Put(h.ctx, "bytes", []byte("b")))
		h.check(s.Put(h.ctx, "time", at.Add(time.Microsecond).In(time.FixedZone("", 3600))))

		var number int
		var b []byte
		var when time.Time
		for key, v := range map[string]any{"number": &number, "bytes": &b, "time": &when} {
			if found, err := s.Get(h.ctx, key, v); !found || err != nil {
				t.Errorf("get %s: %v, %v", key, found, err)
			}
		}
		if number != 42 || string(b) != "b" || when != at {
			t.Errorf("got %v, %q, %v; want 42, b, %v", number, b, when, at)
		}
	})
}

func TestGetWithoutAValueLeavesTheVariableAlone(t *testing.T) {
	inHandler(t, func(h handling) {
		v := "before"
		if found, err := h.state.Storage.Get(h.ctx, "k", &v); found || err != nil || v != "before" {
			t.Errorf("got %v, %v and %q", found, err, v)
		}
	})
}

func TestPutCopiesTheValue(t *testing.T) {
	inHandler(t, func(h handling) {
		b := []byte("before")
		h.check(h.state.Storage.Put(h.ctx, "k", b))
		copy(b, "after!")
		var first, second []byte
		h.state.Storage.Get(h.ctx, "k", &first)
		copy(first, "other!")
		h.state.Storage.Get(h.ctx, "k", &second)
		if got, want := string(second), "before"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestDeleteReportsWhetherThereWasAValue(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.Put(h.ctx, "k", 1))
		for _, want := range []bool{true, false} {
			if existed, err := h.state.Storage.Delete(h.ctx, "k"); existed != want || err != nil {
				t.Errorf("got %v, %v; want %v", existed, err, want)
			}
		}
	})
}

func TestDeleteAllAndSyncAskTheEmulator(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.Put(h.ctx, "k", 1))
		h.check(h.state.Storage.Sync(h.ctx))
		h.check(h.state.Storage.DeleteAll(h.ctx))
		if len(h.values) > 0 {
			t.Errorf("left is %v", h.values)
		}
		h.expectSent("put k", "sync", "delete all")
	})
}

// keys returns the keys of entries, whose values must be their keys.
func keys(t *testing.T, entries []Entry) []string {
	t.Helper()
	got := []string{}
	for _, e := range entries {
		var v string
		if err := e.Decode(&v); err != nil || v != e.Key {
			t.Errorf("value of %q is %q, %v; want the key", e.Key, v, err)
		}
		got = append(got, e.Key)
	}
	return got
}

func TestListSelects(t *testing.T) {
	tests := []struct {
		options ListOptions
		want    []string
	}{
		{ListOptions{}, []string{"a1", "a2", "a3", "b1", "b2"}},
		{ListOptions{Reverse: true}, []string{"b2", "b1", "a3", "a2", "a1"}},
		{ListOptions{Start: "a2"}, []string{"a2", "a3", "b1", "b2"}},
		{ListOptions{StartAfter: "a2"}, []string{"a3", "b1", "b2"}},
		{ListOptions{End: "a3"}, []string{"a1", "a2"}},
		{ListOptions{Prefix: "b"}, []string{"b1", "b2"}},
		{ListOptions{Start: "a2", End: "b2", Reverse: true}, []string{"b1", "a3", "a2"}},
		{ListOptions{Limit: 1}, []string{"a1"}},
		{ListOptions{Limit: 3}, []string{"a1", "a2", "a3"}},
		{ListOptions{Limit: 4, Reverse: true}, []string{"b2", "b1", "a3", "a2"}},
		{ListOptions{Limit: 99, StartAfter: "a1"}, []string{"a2", "a3", "b1", "b2"}},
		{ListOptions{Prefix: "c"}, []string{}},
	}
	for _, page := range []int{0, 1, 2, 3} {
		t.Run(fmt.Sprintf("page of %d", page), func(t *testing.T) {
			inHandler(t, func(h handling) {
				h.page = page
				for _, k := range []string{"b1", "a2", "b2", "a3", "a1"} {
					h.check(h.state.Storage.Put(h.ctx, k, k))
				}
				for _, tt := range tests {
					entries, err := h.state.Storage.List(h.ctx, tt.options)
					h.check(err)
					if diff := cmp.Diff(tt.want, keys(t, entries)); diff != "" {
						t.Errorf("%+v (-want +got):\n%s", tt.options, diff)
					}
				}
			})
		})
	}
}

// A list that comes in several answers is the same.
func TestListIsTheSameInPages(t *testing.T) {
	var options ListOptions
	var got []string
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		entries, err := p.state.Storage.List(r.Context(), options)
		if err != nil {
			t.Errorf("list %+v: %v", options, err)
		}
		got = keys(t, entries)
	})
	emulate(t, w, func(e *emulation) {
		instance := e.construct("Object", "one")
		list := func(page int) []string {
			e.page = page
			e.fetch(instance, wire.Request{}).text()
			return got
		}
		key := rapid.StringMatching(`[ab]{0,3}`)
		rapid.Check(t, func(t *rapid.T) {
			clear(e.values)
			for _, k := range rapid.SliceOfDistinct(key, rapid.ID).Draw(t, "keys") {
				e.values[k] = []byte(`J"` + k + `"`)
			}
			options = ListOptions{
				End:     key.Draw(t, "end"),
				Prefix:  rapid.StringMatching(`[ab]?`).Draw(t, "prefix"),
				Reverse: rapid.Bool().Draw(t, "reverse"),
				Limit:   rapid.IntRange(0, 10).Draw(t, "limit"),
			}
			if rapid.Bool().Draw(t, "after") {
				options.StartAfter = key.Draw(t, "start after")
			} else {
				options.Start = key.Draw(t, "start")
			}
			whole := list(0)
			if paged := list(rapid.IntRange(1, 5).Draw(t, "page")); !slices.Equal(paged, whole) {
				t.Fatalf("%+v: in pages %q, whole %q", options, paged, whole)
			}
		})
	})
}

func TestListSendsOnlyTheOptionsThatAreSet(t *testing.T) {
	inHandler(t, func(h handling) {
		if _, err := h.state.Storage.List(h.ctx, ListOptions{}); err != nil {
			t.Error(err)
		}
		h.lastList.Event = 0
		if diff := cmp.Diff(wire.List{}, h.lastList); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestStorageErrorsNameTheOperation(t *testing.T) {
	epoch := time.UnixMilli(0)
	tests := []struct {
		name string
		try  func(ctx context.Context, s *Storage) error
		want string
	}{
		{
			"value of another type",
			func(ctx context.Context, s *Storage) error { _, err := s.Get(ctx, "text", new(int)); return err },
			`get "text" into *int: json: cannot unmarshal string into Go value of type int`,
		},
		{
			"bytes into text",
			func(ctx context.Context, s *Storage) error { _, err := s.Get(ctx, "bytes", new(string)); return err },
			`get "bytes" into *string: value is a []uint8, not a string`,
		},
		{
			"no pointer",
			func(ctx context.Context, s *Storage) error { _, err := s.Get(ctx, "text", 1); return err },
			`get "text" into int: need a pointer that is not nil`,
		},
		{
			"value that JSON has no form for",
			func(ctx context.Context, s *Storage) error { return s.Put(ctx, "k", math.Inf(1)) },
			`put "k": store a float64: json: unsupported value: +Inf`,
		},
		{
			"entry of another type",
			func(ctx context.Context, s *Storage) error {
				entries, err := s.List(ctx, ListOptions{Prefix: "text"})
				if err != nil || len(entries) != 1 {
					return errors.Join(err, fmt.Errorf("%d entries", len(entries)))
				}
				return entries[0].Decode(new(bool))
			},
			`decode value of "text" into *bool: json: cannot unmarshal string into Go value of type bool`,
		},
		{
			"both starts",
			func(ctx context.Context, s *Storage) error {
				_, err := s.List(ctx, ListOptions{Start: "a", StartAfter: "b"})
				return err
			},
			"list: both Start and StartAfter are set",
		},
		{
			"negative limit",
			func(ctx context.Context, s *Storage) error { _, err := s.List(ctx, ListOptions{Limit: -1}); return err },
			"list: limit -1 is negative",
		},
		{
			"alarm at no time",
			func(ctx context.Context, s *Storage) error { return s.SetAlarm(ctx, time.Time{}) },
			"set alarm: 0001-01-01T00:00:00Z is not after 1970",
		},
		{
			"alarm at the epoch",
			func(ctx context.Context, s *Storage) error { return s.SetAlarm(ctx, epoch) },
			"set alarm: 1970-01-01T00:00:00Z is not after 1970",
		},
		{
			"alarm less than a millisecond after it",
			func(ctx context.Context, s *Storage) error { return s.SetAlarm(ctx, epoch.Add(999*time.Microsecond)) },
			"set alarm: 1970-01-01T00:00:00Z is not after 1970",
		},
		{
			"alarm beyond the last one",
			func(ctx context.Context, s *Storage) error {
				return s.SetAlarm(ctx, time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC))
			},
			"set alarm: 2263-01-01T00:00:00Z is too late: alarms can be set up to 2262-04-11T23:47:16Z",
		},
		{
			"alarm whose milliseconds no int64 holds",
			func(ctx context.Context, s *Storage) error { return s.SetAlarm(ctx, time.Unix(1<<61, 0)) },
			"set alarm: 73069258126-09-25T03:52:32Z is too late: alarms can be set up to 2262-04-11T23:47:16Z",
		},
		{
			"no pointer, and no value",
			func(ctx context.Context, s *Storage) error { _, err := s.Get(ctx, "missing", 0); return err },
			`get "missing" into int: need a pointer that is not nil`,
		},
		{
			"a nil pointer, and no value",
			func(ctx context.Context, s *Storage) error { _, err := s.Get(ctx, "missing", (*int)(nil)); return err },
			`get "missing" into *int: need a pointer that is not nil`,
		},
		{
			"text that is not UTF-8",
			func(ctx context.Context, s *Storage) error { return s.Put(ctx, "k", "a\xff") },
			`put "k": store a string: the text is not UTF-8: store it as []byte`,
		},
		{
			"an integer that a number of the platform does not hold",
			func(ctx context.Context, s *Storage) error {
				return s.Put(ctx, "k", map[string][]int64{"ids": {1, -1 << 60}})
			},
			`put "k": store a map[string][]int64: the integer -1152921504606846976 at ids[1] is beyond ±2^53, ` +
				`where a number on the platform is not exact: store it as text`,
		},
		{
			"such an integer among several values",
			func(ctx context.Context, s *Storage) error {
				return s.PutMany(ctx, map[string]any{"a": 1, "b": uint64(math.MaxUint64)})
			},
			`put "b": store a uint64: the integer 18446744073709551615 is beyond ±2^53, ` +
				`where a number on the platform is not exact: store it as text`,
		},
	}
	inHandler(t, func(h handling) {
		h.values["text"], h.values["bytes"] = []byte(`J"text"`), []byte("Bbytes")
		for _, tt := range tests {
			expectError(t, tt.try(h.ctx, h.state.Storage), tt.want)
		}
	})
}

// operations are all operations of the storage, with their names in errors.
var operations = []struct {
	verb   string
	method wire.Method
	do     func(ctx context.Context, s *Storage) error
}{
	{
		`get "k"`,
		wire.MethodGet,
		func(ctx context.Context, s *Storage) error { _, err := s.Get(ctx, "k", new(any)); return err },
	},
	{`put "k"`, wire.MethodPut, func(ctx context.Context, s *Storage) error { return s.Put(ctx, "k", 1) }},
	{
		`delete "k"`,
		wire.MethodDelete,
		func(ctx context.Context, s *Storage) error { _, err := s.Delete(ctx, "k"); return err },
	},
	{
		"list",
		wire.MethodList,
		func(ctx context.Context, s *Storage) error { _, err := s.List(ctx, ListOptions{}); return err },
	},
	{"delete all", wire.MethodDeleteAll, func(ctx context.Context, s *Storage) error { return s.DeleteAll(ctx) }},
	{"sync", wire.MethodSync, func(ctx context.Context, s *Storage) error { return s.Sync(ctx) }},
	{
		"get alarm",
		wire.MethodGetAlarm,
		func(ctx context.Context, s *Storage) error { _, _, err := s.GetAlarm(ctx); return err },
	},
	{
		"set alarm",
		wire.MethodSetAlarm,
		func(ctx context.Context, s *Storage) error { return s.SetAlarm(ctx, time.UnixMilli(1)) },
	},
	{"delete alarm", wire.MethodDeleteAlarm, func(ctx context.Context, s *Storage) error { return s.DeleteAlarm(ctx) }},
}

func TestStorageFailsWithTheEmulatorsError(t *testing.T) {
	inHandler(t, func(h handling) {
		for _, op := range operations {
			h.fail(op.method, &wire.Error{Message: "disk full", Reset: true, ObjectID: "0a"})
			err := op.do(h.ctx, h.state.Storage)
			expectError(t, err, op.verb+": disk full")
			var failed *Error
			if !errors.As(err, &failed) {
				t.Errorf("%s: got %T, want an *Error", op.verb, err)
			} else if want := (Error{Message: "disk full", Reset: true, ObjectID: "0a"}); *failed != want {
				t.Errorf("%s: got %+v, want %+v", op.verb, *failed, want)
			}
		}
	})
}

func TestStorageWorksAfterTheEventWasCanceled(t *testing.T) {
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		for _, op := range operations {
			if err := op.do(r.Context(), p.state.Storage); err != nil {
				t.Errorf("%s: %v", op.verb, err)
			}
		}
	})
	emulate(t, w, func(e *emulation) {
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		e.settle()
		x.cancel()
		x.text()
	})
}

func TestStorageRejectsAContextOfAnotherObject(t *testing.T) {
	var one *State
	inHandler(t, func(h handling) {
		one = h.state
		two := &State{ID: objects.IDFromName("two")}
		two.Storage = newStorage(two)
		for _, op := range operations {
			expectError(t, op.do(context.Background(), h.state.Storage),
				op.verb+": the context is not a handler's: pass on the context that the handler was called with")
			expectError(t, op.do(h.ctx, two.Storage),
				op.verb+": the context belongs to another event than one of object "+two.ID.String())
		}
		h.expectSent()
	})
	emulate(t, withFetch(func(_ *probe, _ http.ResponseWriter, r *http.Request) {
		expectError(t, one.Storage.Sync(r.Context()),
			"sync: the context belongs to another event than one of object "+one.ID.String())
	}), func(e *emulation) {
		e.fetch(0, wire.Request{}).text() // to the worker
	})
}

func TestStorageTakesAContextDerivedFromTheHandlers(t *testing.T) {
	inHandler(t, func(h handling) {
		ctx, cancel := context.WithCancel(h.ctx)
		cancel()
		h.check(h.state.Storage.Put(context.WithoutCancel(ctx), "k", 1))
		h.check(h.state.Storage.Put(ctx, "k", 2))
		if got := h.values["k"]; !bytes.Equal(got, []byte("J2")) {
			t.Errorf("got %q, want J2", got)
		}
	})
}

func TestAlarmIsKeptInWholeMilliseconds(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 1_999_999, time.FixedZone("", 7200))
	inHandler(t, func(h handling) {
		s := h.state.Storage
		if got, set, err := s.GetAlarm(h.ctx); set || !got.IsZero() || err != nil {
			t.Errorf("before: got %v, %v, %v; want none", got, set, err)
		}
		h.check(s.SetAlarm(h.ctx, at))
		want := time.Date(2029, 12, 31, 22, 0, 0, 1_000_000, time.UTC)
		if got, set, err := s.GetAlarm(h.ctx); got != want || !set || err != nil {
			t.Errorf("got %v, %v, %v; want %v", got, set, err, want)
		}
		h.check(s.DeleteAlarm(h.ctx))
		if _, set, err := s.GetAlarm(h.ctx); set || err != nil {
			t.Errorf("after: got %v, %v; want none", set, err)
		}
		h.expectSent("get alarm", "set alarm 1893448800001", "get alarm", "delete alarm", "get alarm")
	})
}

func TestAlarmMayBeOneMillisecondAfterTheEpoch(t *testing.T) {
	inHandler(t, func(h handling) { h.check(h.state.Storage.SetAlarm(h.ctx, time.UnixMilli(1))) })
}
