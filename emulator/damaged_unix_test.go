//go:build unix

package emulator

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

// damages are what may have become of an object's file.
var damages = map[string]func(path string) error{
	"empty":   func(path string) error { return os.Truncate(path, 0) },
	"a byte":  func(path string) error { return os.Truncate(path, 1) },
	"cut":     func(path string) error { return os.Truncate(path, 5000) },
	"a page":  func(path string) error { return os.Truncate(path, 4096) },
	"garbage": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("garbage ", 1000)), 0o600) },
	"a pipe":  func(path string) error { return replaced(path, syscall.Mkfifo(path+".x", 0o600)) },
	"a folder": func(path string) error {
		return replaced(path, os.MkdirAll(path+".x/content", 0o700))
	},
	"a link":        func(path string) error { return replaced(path, os.Symlink(os.DevNull, path+".x")) },
	"a broken link": func(path string) error { return replaced(path, os.Symlink("/nowhere", path+".x")) },
	"a pipe as log": func(path string) error { return syscall.Mkfifo(path+"-wal", 0o600) },
	"a pipe as rollback journal": func(path string) error {
		return syscall.Mkfifo(path+"-journal", 0o600)
	},
}

// replaced moves path.x to path, after err is known to be nil.
func replaced(path string, err error) error {
	if err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		err = os.Rename(path+".x", path)
	}
	return err
}

// alarmOf returns the time of an object's alarm in a list, or nil.
func alarmOf(id string, list control.Alarms) *time.Time {
	for _, a := range list.Alarms {
		if a.ID == id {
			return &a.Scheduled
		}
	}
	return nil
}

// A damaged object is reported with its path, with and without an index of alarms, wherever it is
// met. It keeps its file and its alarm. No other object, no list and no end waits for it.
func TestADamagedObjectIsReportedAndBlocksNothing(t *testing.T) {
	t.Parallel()
	for name, damage := range damages {
		for _, indexed := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, labScript())
				for _, object := range []string{"bad", "good"} {
					w.want(object, "/put", "")
					w.want(object, "/alarm", "")
				}
				w.stop()
				folder := filepath.Join(w.dir, "state", "v3", "do", "w-Lab")
				path := filepath.Join(folder, labID("bad")+".sqlite")
				check(t, damage(path))
				if !indexed {
					check(t, os.Remove(filepath.Join(folder, "metadata.sqlite")))
				}
				before, err := os.Lstat(path)
				check(t, err)

				w.start(labScript())
				c, ctx := w.client(), t.Context()
				id := control.Object{Class: "Lab", ID: labID("bad")}
				if _, body := w.get("bad", "/get"); !strings.Contains(body, path) {
					t.Errorf("got %q, want an error with the path", body)
				}
				_, err = c.ListEntries(ctx, id, control.EntriesRequest{})
				if err == nil || !strings.Contains(err.Error(), path) {
					t.Errorf("list of its entries: got %v, want an error with the path", err)
				}
				list, err := c.ListObjects(ctx)
				check(t, err)
				problems := 0
				for _, o := range list.Objects {
					if o.ID == labID("bad") && strings.Contains(o.Problem, path) &&
						strings.Contains(o.Problem, "move it away") {
						problems++
					}
				}
				if problems != 1 || len(list.Objects) != 2 {
					t.Errorf("objects: got %+v, want both, and the problem of one", list.Objects)
				}
				alarms, err := c.ListAlarms(ctx, control.AlarmsRequest{})
				check(t, err)
				for _, o := range list.Objects {
					if got := alarmOf(o.ID, alarms); !cmp.Equal(o.Alarm, got) || (indexed && got == nil) {
						t.Errorf("alarm of %s: got %v among the objects, %v among the alarms", o, o.Alarm, got)
					}
				}
				w.want("good", "/get", `J"stored"`)
				fired := w.fires(time.Minute)
				for _, f := range fired {
					if good := f.Name == "good"; good != (f.Outcome == control.OutcomeOK) {
						t.Errorf("fired: got %+v", f)
					}
					if f.Name == "bad" && (f.Outcome != control.OutcomeRetry || !strings.Contains(f.Error, path)) {
						t.Errorf("fired: got %+v, want a retry and the path", f)
					}
				}
				if indexed && len(fired) < 2 {
					t.Errorf("fired: got %+v, want the alarms of both", fired)
				}
				if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
					t.Errorf("the damaged file is %v, %v, want it kept", after, err)
				}
				_, err = c.DeleteObject(ctx, id, true)
				if name == "a folder" { // what somebody keeps in it is not devtool's to delete
					if err == nil || !strings.Contains(err.Error(), path) {
						t.Errorf("delete: got %v, want an error with the path", err)
					}
					return
				}
				check(t, err)
				w.want("bad", "/put", "")
				w.want("bad", "/get", `J"stored"`)
			})
		}
	}
}
