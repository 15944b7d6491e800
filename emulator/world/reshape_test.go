package world

import (
	"errors"
	"os"
	"testing"
	"time"

	"devtool.internal/emulator/control"
)

// labBecomesMute returns the layout of w after a migration that gives the objects of Lab to Mute
// and deletes those of Mute.
func (w *world) labBecomesMute() Layout {
	l := w.layout()
	l.Bindings = map[string]string{"MUTE": "Mute"}
	l.Classes = l.Classes[:1]
	l.Classes[0].Name = "Mute"
	l.Drops = func(class, key string) bool { return key == "w-Mute" }
	return l
}

func (w *world) wantPending(want ...string) {
	w.t.Helper()
	var got []string
	for _, a := range w.PendingAlarms() {
		got = append(got, a.Object.String())
	}
	wantList(w.t, "pending alarms", got, want)
}

func TestARenamedClassKeepsItsObjectsAndAlarms(t *testing.T) {
	w := newWorld(t, alarmScript(nil))
	w.want("a", "/set10s", "")
	before, _ := w.NamespaceOf("Lab")
	committed := 0
	must(w.Reshape(w.labBecomesMute(), func() error { committed++; return nil }))
	after, err := w.NamespaceOf("Mute")
	if err != nil || after != before || committed != 1 {
		t.Errorf("got %v, %v and %d commits, want the same objects and one commit", after, err, committed)
	}
	if _, err := w.NamespaceOf("Lab"); err == nil {
		t.Error("the former name is still there")
	}
	w.wantPending("Mute/a")

	back := w.layout()
	back.Drops = func(string, string) bool { return false }
	must(w.Reshape(back, func() error { return nil }))
	w.wantPending("Lab/a")
	wantList(t, "runs", w.moveOn(10*time.Second), []string{"Lab/a ok"})
}

// dropsLab is a layout without the class Lab.
func (w *world) dropsLab() Layout {
	l := w.layout()
	l.Bindings = map[string]string{"MUTE": "Mute"}
	l.Classes = l.Classes[1:]
	l.Drops = func(class, _ string) bool { return class == "Lab" }
	return l
}

func TestAClassInUseIsNotTakenAway(t *testing.T) {
	w := newWorld(t, alarmScript(nil))
	w.want("a", "/set10s", "")
	p, err := w.Admin().pin(lab("a"))
	must(err)
	err = w.Reshape(w.dropsLab(), func() error { t.Error("committed"); return nil })
	var refused *control.Error
	if !errors.As(err, &refused) || refused.Code != control.CodeMigrations {
		t.Errorf("got %v, want a refusal", err)
	}
	p.release()
	wantList(t, "runs", w.moveOn(10*time.Second), []string{"Lab/a ok"})
}

func TestAClassIsBackIfItsMigrationFails(t *testing.T) {
	w := newWorld(t, alarmScript(nil))
	w.want("a", "/set10s", "")
	before := w.CurrentBindings()["LAB"]
	broken := errors.New("the disk is full")
	if err := w.Reshape(w.dropsLab(), func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	w.wantPending("Lab/a")
	wantList(t, "runs", w.moveOn(10*time.Second), []string{"Lab/a ok"})
	if ns, err := w.NamespaceOf("Lab"); ns != before || err != nil || ns.isRetired() {
		t.Errorf("got %v, %v, want the class to which the program's binding leads", ns, err)
	}
	w.want("a", "/get", "none")
}

// While its folder moves, a class that is taken away is not lost.
func TestAClassThatIsTakenAwayIsNotLookedFor(t *testing.T) {
	w := newWorld(t, alarmScript(nil))
	w.want("a", "/set10s", "")
	look := func() error {
		if what, err := w.CheckFiles(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return nil
	}
	look()
	ns, err := w.NamespaceOf("Lab")
	must(err)
	must(w.Reshape(w.dropsLab(), func() error {
		must(os.Rename(ns.dir, ns.dir+".moved"))
		return look()
	}))
	look()
}

func TestATakenClassOpensNoFile(t *testing.T) {
	w := newWorld(t, alarmScript(nil))
	w.want("a", "/set10s", "")
	ns, err := w.NamespaceOf("Lab")
	must(err)
	must(w.Reshape(w.dropsLab(), func() error { return nil }))
	w.wantPending()
	o := ns.pin(ns.Named("b"))
	defer ns.release(o)
	o.storeMu.Lock()
	defer o.storeMu.Unlock()
	if _, err := o.open(); err == nil {
		t.Error("an object was opened")
	}
}
