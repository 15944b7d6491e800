package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"devtool.internal/emulator/store"
)

// contents is the state of the model.
type contents struct {
	values map[string]string
	alarm  time.Time
}

func (c contents) isEmpty() bool { return len(c.values) == 0 && c.alarm.IsZero() }

func (c contents) clone() contents { return contents{maps.Clone(c.values), c.alarm} }

// model is an object together with the simplest implementation of its behaviour.
type model struct {
	path      string
	object    *store.Object
	committed contents
	current   contents
	dirty     bool
	alarmed   bool // the transaction wrote the alarm
}

// Keys have few different parts, so that they collide, share prefixes and sort next to each other.
// The parts include NUL, bytes that are not UTF-8, and the two that UTF-16 would order the other
// way round.
var (
	keyGen = rapid.Custom(func(t *rapid.T) string {
		part := rapid.SampledFrom([]string{"a", "b", "\x00", "\xff", "\ufffd", "😀", "é"})
		return strings.Join(rapid.SliceOfN(part, 0, 3).Draw(t, "parts"), "")
	})
	valueGen = rapid.StringOfN(rapid.RuneFrom([]rune{'x', 0, 'é'}), 0, 20, -1)
	alarmGen = rapid.Custom(func(t *rapid.T) time.Time {
		return epoch.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "ms")) * time.Millisecond)
	})
	listGen = rapid.Custom(func(t *rapid.T) store.ListOptions {
		l := store.ListOptions{
			Start:    keyGen.Draw(t, "start"),
			End:      keyGen.Draw(t, "end"),
			HasEnd:   rapid.Bool().Draw(t, "has end"),
			Reverse:  rapid.Bool().Draw(t, "reverse"),
			Limit:    rapid.IntRange(0, 4).Draw(t, "limit"),
			HasStart: rapid.Bool().Draw(t, "has start"),
		}
		if !l.HasStart && rapid.Bool().Draw(t, "has start after") {
			l.StartAfter, l.HasStartAfter = l.Start, true
		}
		if rapid.Bool().Draw(t, "has prefix") {
			l.Prefix = keyGen.Draw(t, "prefix")
		}
		return l
	})
)

func (m *model) open(t *rapid.T) {
	var err error
	m.object, err = store.OpenObject(m.path, "model", true)
	if err != nil {
		t.Fatal(err)
	}
	m.current, m.dirty, m.alarmed = m.committed.clone(), false, false
}

func (m *model) setAlarm(at time.Time) {
	if !m.current.alarm.Equal(at) {
		m.current.alarm, m.dirty, m.alarmed = at, true, true
	}
}

// list computes the result of List by looking at every key.
func (m *model) list(l store.ListOptions, maxBytes int) (entries []store.Entry, more bool) {
	keys := slices.Sorted(maps.Keys(m.current.values))
	if l.Reverse {
		slices.Reverse(keys)
	}
	size := 0
	for _, key := range keys {
		if l.HasStart && key < l.Start || l.HasStartAfter && key <= l.StartAfter ||
			l.HasEnd && key >= l.End || !strings.HasPrefix(key, l.Prefix) {
			continue
		}
		if l.Limit > 0 && len(entries) == l.Limit {
			return entries, false
		}
		size += len(key) + len(m.current.values[key])
		if len(entries) > 0 && size > maxBytes {
			return entries, true
		}
		entries = append(entries, store.Entry{Key: key, Value: []byte(m.current.values[key])})
	}
	return entries, false
}

// check compares everything that is visible.
func (m *model) check(t *rapid.T) {
	var want []store.Entry
	for _, key := range slices.Sorted(maps.Keys(m.current.values)) {
		want = append(want, store.Entry{Key: key, Value: []byte(m.current.values[key])})
	}
	got, more, err := m.object.List(store.ListOptions{}, 1<<30)
	if diff := cmp.Diff(want, got); diff != "" || more || err != nil {
		t.Fatalf("whole list: more %t, error %v, (-want +got):\n%s", more, err, diff)
	}
	at, set, err := m.object.Alarm()
	if err != nil || set != !m.current.alarm.IsZero() || !at.Equal(m.current.alarm) {
		t.Fatalf("Alarm() = %v, %t, %v, want %v", at, set, err, m.current.alarm)
	}
	if at, set := m.object.Committed(); set != !m.committed.alarm.IsZero() || !at.Equal(m.committed.alarm) {
		t.Fatalf("Committed() = %v, %t, want %v", at, set, m.committed.alarm)
	}
	if empty, err := m.object.IsEmpty(); empty != m.current.isEmpty() || err != nil {
		t.Fatalf("IsEmpty() = %t, %v, want %t", empty, err, m.current.isEmpty())
	}
	if m.object.Dirty() != m.dirty || m.object.AlarmChanged() != m.alarmed {
		t.Fatalf("Dirty() = %t, AlarmChanged() = %t, want %t, %t",
			m.object.Dirty(), m.object.AlarmChanged(), m.dirty, m.alarmed)
	}
}

func TestObjectBehavesLikeASortedMap(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		m := &model{
			path:      filepath.Join(dir, fmt.Sprint(runs)+".sqlite"),
			committed: contents{values: map[string]string{}},
		}
		m.open(t)
		defer func() { m.object.Close() }()
		fatal := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": m.check,
			"put": func(t *rapid.T) {
				key, value := keyGen.Draw(t, "key"), valueGen.Draw(t, "value")
				fatal(m.object.Put(key, []byte(value)))
				m.current.values[key], m.dirty = value, true
			},
			"get": func(t *rapid.T) {
				key := keyGen.Draw(t, "key")
				got, found, err := m.object.Get(key)
				want, wantFound := m.current.values[key]
				if err != nil || found != wantFound || string(got) != want {
					t.Fatalf("Get(%q) = %q, %t, %v, want %q, %t", key, got, found, err, want, wantFound)
				}
			},
			"delete": func(t *rapid.T) {
				key := keyGen.Draw(t, "key")
				got, err := m.object.Delete(key)
				if _, want := m.current.values[key]; err != nil || got != want {
					t.Fatalf("Delete(%q) = %t, %v, want %t", key, got, err, want)
				}
				delete(m.current.values, key)
				m.dirty = m.dirty || got
			},
			"list": func(t *rapid.T) {
				options, maxBytes := listGen.Draw(t, "options"), rapid.IntRange(0, 100).Draw(t, "max bytes")
				got, more, err := m.object.List(options, maxBytes)
				want, wantMore := m.list(options, maxBytes)
				if diff := cmp.Diff(want, got); diff != "" || more != wantMore || err != nil {
					t.Fatalf("List: more %t, error %v, want more %t (-want +got):\n%s", more, err, wantMore, diff)
				}
			},
			"deleteAll": func(t *rapid.T) {
				keepAlarm := rapid.Bool().Draw(t, "keep alarm")
				fatal(m.object.DeleteAll(keepAlarm))
				clear(m.current.values)
				m.dirty = true
				if !keepAlarm {
					m.setAlarm(noAlarm)
				}
			},
			"setAlarm": func(t *rapid.T) {
				at := alarmGen.Draw(t, "at")
				fatal(m.object.SetAlarm(at))
				m.setAlarm(at)
			},
			"deleteAlarm": func(*rapid.T) {
				fatal(m.object.DeleteAlarm())
				m.setAlarm(noAlarm)
			},
			"commit": func(*rapid.T) {
				fatal(m.object.Commit())
				m.committed, m.dirty, m.alarmed = m.current.clone(), false, false
			},
			"rollback": func(*rapid.T) {
				fatal(m.object.Rollback())
				m.current, m.dirty, m.alarmed = m.committed.clone(), false, false
			},
			"reopen": func(t *rapid.T) {
				fatal(m.object.Close())
				info, err := store.ReadObject(m.path)
				fatal(err)
				want := store.Info{
					Name: "model", HasName: true,
					Alarm: m.committed.alarm, HasAlarm: !m.committed.alarm.IsZero(),
					Empty: m.committed.isEmpty(),
				}
				if info != want {
					t.Fatalf("ReadObject = %+v, want %+v", info, want)
				}
				m.open(t)
			},
			"close or remove": func(t *rapid.T) {
				fatal(m.object.CloseOrRemove())
				_, err := os.Stat(m.path)
				if gone := errors.Is(err, fs.ErrNotExist); gone != m.committed.isEmpty() || err != nil && !gone {
					t.Fatalf("stat after the close: %v, want a file: %t", err, !m.committed.isEmpty())
				}
				m.open(t)
			},
		})
	})
}

func TestIndexBehavesLikeAMap(t *testing.T) {
	root := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		dir := filepath.Join(root, fmt.Sprint(runs))
		x, err := store.OpenIndex(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { x.Close() }()
		alarms := map[string]store.Alarm{}
		idGen := rapid.SampledFrom([]string{objectID("a"), objectID("b"), objectID("c")})
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				var want []store.Alarm
				for _, id := range slices.Sorted(maps.Keys(alarms)) {
					want = append(want, alarms[id])
				}
				slices.SortStableFunc(want, func(a, b store.Alarm) int {
					if c := a.At.Compare(b.At); c != 0 {
						return c
					}
					return int(a.Order - b.Order)
				})
				got, err := x.All()
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Fatalf("All: error %v (-want +got):\n%s", err, diff)
				}
			},
			"set": func(t *rapid.T) {
				a := store.Alarm{
					ID:      idGen.Draw(t, "id"),
					At:      alarmGen.Draw(t, "at"),
					Order:   rapid.Int64Range(0, 3).Draw(t, "order"),
					HasName: rapid.Bool().Draw(t, "has name"),
				}
				if a.HasName {
					a.Name = keyGen.Draw(t, "name")
				}
				if err := x.Set(a.ID, a.At, a.Order, a.Name, a.HasName); err != nil {
					t.Fatal(err)
				}
				if old := alarms[a.ID]; !a.HasName {
					a.Name, a.HasName = old.Name, old.HasName
				}
				alarms[a.ID] = a
			},
			"delete": func(t *rapid.T) {
				id := idGen.Draw(t, "id")
				if err := x.Delete(id); err != nil {
					t.Fatal(err)
				}
				delete(alarms, id)
			},
			"reopen": func(t *rapid.T) {
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				if x, err = store.OpenIndex(dir); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}
