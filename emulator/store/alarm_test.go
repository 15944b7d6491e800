package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"devtool.internal/emulator/store"
)

var noAlarm time.Time

func TestAlarmIsKeptToTheMillisecondInUTC(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	o := openObject(t, path)
	zone := time.FixedZone("", 3600)
	must(t, o.SetAlarm(epoch.Add(1_999_999*time.Nanosecond).In(zone)))
	want := epoch.Add(time.Millisecond)
	check := func(o *store.Object) {
		t.Helper()
		if at, set, err := o.Alarm(); at != want || !set || err != nil {
			t.Errorf("Alarm() = %v, %t, %v, want %v", at, set, err, want)
		}
	}
	check(o)
	must(t, o.Commit())
	must(t, o.Close())
	o = openObject(t, path)
	check(o)
	if at, set := o.Committed(); at != want || !set {
		t.Errorf("Committed() = %v, %t, want %v", at, set, want)
	}
}

func TestAlarmIsStoredAsWorkerdStoresIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	must(t, store.MakeDatabase(path,
		"CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)",
		"INSERT INTO _cf_METADATA VALUES (1, 1795262400000000000)"))
	o := openObject(t, path)
	wantAlarm(t, o, epoch)
	if o.Dirty() {
		t.Error("reading the alarm began a transaction")
	}
	must(t, o.SetAlarm(time.UnixMilli(1).Add(999*time.Microsecond)))
	must(t, o.RunSQL("UPDATE _cf_METADATA SET value = value * 2 WHERE key = 1 AND typeof(value) = 'integer'"))
	must(t, o.Commit())
	must(t, o.Close())
	wantAlarm(t, openObject(t, path), time.UnixMilli(2))
}

func TestAlarmOutOfRangeIsRefused(t *testing.T) {
	o := newObject(t)
	for _, at := range []time.Time{time.UnixMilli(9223372036854), time.UnixMilli(-9223372036854)} {
		must(t, o.SetAlarm(at))
		wantAlarm(t, o, at)
	}
	must(t, o.Rollback())
	for _, at := range []time.Time{
		{}, time.UnixMilli(9223372036855), time.UnixMilli(-9223372036855), time.Unix(1<<62, 0),
	} {
		wantOneLine(t, o.SetAlarm(at), "set alarm", "out of range", "1677-09-21", "2262-04-11")
	}
	wantAlarm(t, o, noAlarm)
	if o.Dirty() {
		t.Error("a refused alarm began a transaction")
	}
}

func TestAlarmFollowsTheTransaction(t *testing.T) {
	later := epoch.Add(time.Hour)
	set := func(at time.Time) func(*store.Object) error {
		return func(o *store.Object) error { return o.SetAlarm(at) }
	}
	put := func(o *store.Object) error { return o.Put("k", nil) }
	tests := []struct {
		name    string
		before  time.Time
		writes  []func(*store.Object) error
		want    time.Time
		changed bool
	}{
		{"set the first", noAlarm, []func(*store.Object) error{set(later)}, later, true},
		{"replace", epoch, []func(*store.Object) error{set(later)}, later, true},
		{"delete", epoch, []func(*store.Object) error{(*store.Object).DeleteAlarm}, noAlarm, true},
		{"there and back", epoch, []func(*store.Object) error{set(later), set(epoch)}, epoch, true},
		{
			"delete and set again", epoch,
			[]func(*store.Object) error{(*store.Object).DeleteAlarm, set(epoch)}, epoch, true,
		},
		{"same time", epoch, []func(*store.Object) error{put, set(epoch)}, epoch, false},
		{"delete none", noAlarm, []func(*store.Object) error{put, (*store.Object).DeleteAlarm}, noAlarm, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "object.sqlite")
			o := openObject(t, path)
			if !test.before.IsZero() {
				must(t, o.SetAlarm(test.before))
				must(t, o.Commit())
			}
			transact := func() {
				for _, write := range test.writes {
					must(t, write(o))
				}
				wantAlarm(t, o, test.want)
				if got := o.AlarmChanged(); got != test.changed {
					t.Errorf("AlarmChanged() = %t, want %t", got, test.changed)
				}
				if at, _ := o.Committed(); !at.Equal(test.before) {
					t.Errorf("Committed() = %v before Commit, want %v", at, test.before)
				}
			}

			transact()
			must(t, o.Rollback())
			wantAlarm(t, o, test.before)
			if o.AlarmChanged() {
				t.Error("AlarmChanged() after Rollback")
			}

			transact()
			must(t, o.Commit())
			wantAlarm(t, o, test.want)
			if at, _ := o.Committed(); !at.Equal(test.want) || o.AlarmChanged() {
				t.Errorf("after Commit: Committed() = %v, AlarmChanged() = %t, want %v, false",
					at, o.AlarmChanged(), test.want)
			}
			must(t, o.Close())
			wantAlarm(t, openObject(t, path), test.want)
		})
	}
}
