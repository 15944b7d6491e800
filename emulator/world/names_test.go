package world

import (
	"path/filepath"
	"testing"
	"time"

	"devtool.internal/emulator/store"
)

// A file may claim any name. An object has only the one that leads to its id.
func TestANameFromAFileMustLeadToItsObject(t *testing.T) {
	for claimed, want := range map[string]string{"a": "Lab/a", "b": "Lab/" + labID("a"), "": "Lab/" + labID("a")} {
		w := newWorld(t, alarmScript(nil))
		due := w.clock.Now().Add(time.Hour)
		w.stop()
		folder := filepath.Join(w.dir, "state", "v3", "do", "w-Lab")
		o, err := store.OpenObject(store.ObjectPath(folder, labID("a")), claimed, true)
		must(err)
		must(o.SetAlarm(due))
		must(o.Commit())
		must(o.Close())
		for _, indexed := range []bool{true, false} {
			if indexed {
				x, err := store.OpenIndex(folder)
				must(err)
				must(x.Set(labID("a"), due, 1, claimed, true))
				must(x.Close())
			}
			w.start(alarmScript(nil))
			list, err := w.Admin().ListObjects(t.Context())
			if err != nil || len(list.Objects) != 1 || list.Objects[0].String() != want {
				t.Errorf("named %q: listed %+v, %v, want %s", claimed, list.Objects, err, want)
			}
			if pending := w.PendingAlarms(); len(pending) != 1 || pending[0].String() != want {
				t.Errorf("named %q: alarms %+v, want that of %s", claimed, pending, want)
			}
			w.stop()
		}
	}
}
