package store_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"devtool.internal/emulator/store"
)

// keysOf joins the keys of entries. Each value in these tests must be its key twice.
func keysOf(t *testing.T, entries []store.Entry) string {
	t.Helper()
	var keys []string
	for _, e := range entries {
		if string(e.Value) != e.Key+e.Key {
			t.Errorf("value of %q is %q", e.Key, e.Value)
		}
		keys = append(keys, e.Key)
	}
	return strings.Join(keys, " ")
}

func listed(t *testing.T, keys ...string) *store.Object {
	t.Helper()
	o := newObject(t)
	for _, key := range keys {
		must(t, o.Put(key, []byte(key+key)))
	}
	return o
}

func TestListSelectsByItsOptions(t *testing.T) {
	o := listed(t, "c", "a", "b1", "b", "b2", "a\x00")
	type options = store.ListOptions
	tests := []struct {
		name    string
		options options
		want    string
	}{
		{"all", options{}, "a a\x00 b b1 b2 c"},
		{"reverse", options{Reverse: true}, "c b2 b1 b a\x00 a"},
		{"start is inclusive", options{Start: "b", HasStart: true}, "b b1 b2 c"},
		{"start that is no key", options{Start: "b11", HasStart: true}, "b2 c"},
		{"empty start", options{HasStart: true}, "a a\x00 b b1 b2 c"},
		{"start after is exclusive", options{StartAfter: "b", HasStartAfter: true}, "b1 b2 c"},
		{"start after skips nothing", options{StartAfter: "a", HasStartAfter: true}, "a\x00 b b1 b2 c"},
		{"end is exclusive", options{End: "b1", HasEnd: true}, "a a\x00 b"},
		{"empty end", options{HasEnd: true}, ""},
		{"end before start", options{Start: "c", HasStart: true, End: "a", HasEnd: true}, ""},
		{"end at start", options{Start: "b", HasStart: true, End: "b", HasEnd: true}, ""},
		{"prefix", options{Prefix: "b"}, "b b1 b2"},
		{"prefix that is no key's", options{Prefix: "x"}, ""},
		{"start inside prefix", options{Prefix: "b", Start: "b1", HasStart: true}, "b1 b2"},
		{"start before prefix", options{Prefix: "b", Start: "a", HasStart: true}, "b b1 b2"},
		{"start behind prefix", options{Prefix: "b", Start: "c", HasStart: true}, ""},
		{"end inside prefix", options{Prefix: "b", End: "b2", HasEnd: true}, "b b1"},
		{"end behind prefix", options{Prefix: "b", End: "z", HasEnd: true}, "b b1 b2"},
		{"end before prefix", options{Prefix: "b", End: "a", HasEnd: true}, ""},
		{"limit", options{Limit: 2}, "a a\x00"},
		{
			"reverse keeps the bounds' meaning",
			options{Start: "a\x00", HasStart: true, End: "b2", HasEnd: true, Reverse: true}, "b1 b a\x00",
		},
		{"reverse with start after", options{StartAfter: "b1", HasStartAfter: true, Reverse: true, Limit: 1}, "c"},
		{"reverse with prefix and limit", options{Prefix: "b", Reverse: true, Limit: 2}, "b2 b1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			entries, more, err := o.List(test.options, math.MaxInt)
			must(t, err)
			if got := keysOf(t, entries); got != test.want || more {
				t.Errorf("List = %q, more %t, want %q", got, more, test.want)
			}
		})
	}
}

func TestListOrdersByBytes(t *testing.T) {
	want := []string{
		"", "\x00", "\x00\x00", "\x01", "A", "a", "a\x00", "a\x00b", "a\x01",
		"é", "\xed\xa0\x80", "\ufffd", "😀", "\xff", "\xff\xff",
	}
	o := listed(t, want...)
	entries, _, err := o.List(store.ListOptions{}, math.MaxInt)
	must(t, err)
	if got := keysOf(t, entries); got != strings.Join(want, " ") {
		t.Errorf("order is %q, want %q", got, strings.Join(want, " "))
	}
}

func TestPrefixOfHighestBytesHasNoUpperBound(t *testing.T) {
	o := listed(t, "a", "a\xfe", "a\xff", "a\xff\xff", "b", "\xff", "\xff\xff", "\xff\xffz")
	for prefix, want := range map[string]string{
		"a\xff":    "a\xff a\xff\xff",
		"\xff":     "\xff \xff\xff \xff\xffz",
		"\xff\xff": "\xff\xff \xff\xffz",
	} {
		entries, _, err := o.List(store.ListOptions{Prefix: prefix}, math.MaxInt)
		must(t, err)
		if got := keysOf(t, entries); got != want {
			t.Errorf("List with prefix %q = %q, want %q", prefix, got, want)
		}
	}
}

func TestListRefusesContradictoryOptions(t *testing.T) {
	o := listed(t, "a")
	_, _, err := o.List(store.ListOptions{HasStart: true, HasStartAfter: true}, 1)
	wantOneLine(t, err, "list keys", "start and startAfter")
	_, _, err = o.List(store.ListOptions{Limit: -1}, 1)
	wantOneLine(t, err, "list keys", "limit is -1")
}

func TestListStopsBeforeTheByteLimit(t *testing.T) {
	o := listed(t, "aa", "bb", "cc", "dddd") // 6, 6, 6 and 12 bytes
	tests := []struct {
		maxBytes, limit int
		want            string
		more            bool
	}{
		{-1, 0, "aa", true},
		{0, 0, "aa", true},
		{11, 0, "aa", true},
		{12, 0, "aa bb", true},
		{29, 0, "aa bb cc", true},
		{30, 0, "aa bb cc dddd", false},
		{12, 2, "aa bb", false},
		{12, 3, "aa bb", true},
		{0, 1, "aa", false},
	}
	for _, test := range tests {
		entries, more, err := o.List(store.ListOptions{Limit: test.limit}, test.maxBytes)
		must(t, err)
		if got := keysOf(t, entries); got != test.want || more != test.more {
			t.Errorf("List(limit %d, %d bytes) = %q, more %t, want %q, more %t",
				test.limit, test.maxBytes, got, more, test.want, test.more)
		}
	}
}

func TestListStopsAfterATooLargeEntryEvenBeforeAnEmptyOne(t *testing.T) {
	o := listed(t, "", "aa")
	entries, more, err := o.List(store.ListOptions{Reverse: true}, 1)
	must(t, err)
	if got := keysOf(t, entries); got != "aa" || !more {
		t.Errorf("List = %q, more %t, want %q and more", got, more, "aa")
	}
}

func TestPagesOfAListJoinUp(t *testing.T) {
	o := newObject(t)
	for i := range 50 {
		key := fmt.Sprintf("%02d", i)
		must(t, o.Put(key, []byte(key+key)))
	}
	for _, reverse := range []bool{false, true} {
		whole, _, err := o.List(store.ListOptions{Reverse: reverse}, math.MaxInt)
		must(t, err)
		var joined []store.Entry
		options := store.ListOptions{Reverse: reverse}
		for more := true; more; {
			var page []store.Entry
			page, more, err = o.List(options, 40)
			must(t, err)
			joined = append(joined, page...)
			last := page[len(page)-1].Key
			if reverse {
				options.End, options.HasEnd = last, true
			} else {
				options.StartAfter, options.HasStartAfter = last, true
			}
		}
		if got, want := keysOf(t, joined), keysOf(t, whole); got != want {
			t.Errorf("pages (reverse %t) = %q, want %q", reverse, got, want)
		}
	}
}

func TestAListThatStoppedEarlyDoesNotPreventACommit(t *testing.T) {
	o := listed(t, "a", "b")
	_, more, err := o.List(store.ListOptions{}, 0)
	must(t, err)
	if !more {
		t.Fatal("the list did not stop early")
	}
	must(t, o.Commit())
	must(t, o.DeleteAll(false))
	must(t, o.Commit())
	wantMissing(t, o, "a")
}
