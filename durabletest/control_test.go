package durabletest_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"devtool.internal/durabletest"
	"devtool.internal/emulator/control"
)

// TestTypesAreThoseOfTheControlAPI compares the types of this package with those of
// the control API. The package can't import that, because projects get no copy of it.
func TestTypesAreThoseOfTheControlAPI(t *testing.T) {
	for _, pair := range []struct{ ours, theirs any }{
		{durabletest.Identity{}, control.Object{}},
		{durabletest.Alarm{}, control.Alarm{}},
		{durabletest.CronTrigger{}, control.Cron{}},
		{durabletest.Fired{}, control.Fired{}},
		{durabletest.ObjectInfo{}, control.ObjectInfo{}},
		{durabletest.Snapshot{}, control.Snapshot{}},
		{durabletest.Entry{}, control.StoredEntry{}},
		{durabletest.Table{}, control.StoredTable{}},
	} {
		ours, theirs := reflect.TypeOf(pair.ours), reflect.TypeOf(pair.theirs)
		got, want := map[string]string{}, map[string]string{}
		fields(ours, got)
		fields(theirs, want)
		for name, kind := range want {
			if got[name] != kind {
				t.Errorf("%s: got type %q of %q, want %q as in %s", ours, got[name], name, kind, theirs)
			}
		}
		for name := range got {
			if want[name] == "" {
				t.Errorf("%s: %q is not in %s", ours, name, theirs)
			}
		}
	}
	for ours, theirs := range map[string]string{
		durabletest.OutcomeOK: control.OutcomeOK, durabletest.OutcomeRetry: control.OutcomeRetry,
		durabletest.OutcomeFailed: control.OutcomeFailed, durabletest.OutcomeDropped: control.OutcomeDropped,
		durabletest.TypeJSON: control.TypeJSON, durabletest.TypeBytes: control.TypeBytes,
		durabletest.TypeTime: control.TypeTime, durabletest.TypeUnknown: control.TypeUnknown,
	} {
		if ours != theirs {
			t.Errorf("got %q, want %q", ours, theirs)
		}
	}
}

// fields collects the types of a struct's fields by their JSON names. Types of the two packages are
// equal if their names are.
func fields(of reflect.Type, into map[string]string) {
	for f := range of.Fields() {
		if f.Anonymous {
			fields(f.Type, into)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind := f.Type.String()
		for _, ours := range []string{"durabletest.", "control."} {
			kind = strings.ReplaceAll(kind, ours, "")
		}
		renamed := strings.NewReplacer("StoredEntry", "Entry", "StoredTable", "Table", "SQLValue", "Value")
		into[name] = renamed.Replace(kind)
	}
}

func TestDatabaseValuesSurviveTheControlAPI(t *testing.T) {
	for _, want := range []any{
		nil, int64(0), int64(-1 << 63), 0.5, -1e300, 1e21, "", "text", "null", "\xff", []byte{}, []byte{0, 1},
	} {
		b, err := json.Marshal(control.SQLValue{V: want})
		if err != nil {
			t.Fatal(err)
		}
		var got durabletest.Value
		if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got.V, want) {
			t.Errorf("%s: got %#v, %v, want %#v", b, got.V, err, want)
		}
	}
	for _, bad := range []string{`[1]`, `{"type": 1}`, `{"type":"bytes","value":"?"}`, `99999999999999999999`} {
		if err := json.Unmarshal([]byte(bad), new(durabletest.Value)); err == nil {
			t.Errorf("%s: got no error", bad)
		}
	}
}
