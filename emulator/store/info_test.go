package store_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/emulator/store"
)

func TestReadObjectReturnsNameAndAlarmAndChangesNothing(t *testing.T) {
	tests := []struct {
		name  string
		make  func(*store.Object) error
		given string
		want  store.Info
	}{
		{"neither", func(*store.Object) error { return nil }, "", store.Info{Empty: true}},
		{
			"name", func(*store.Object) error { return nil }, "n",
			store.Info{Name: "n", HasName: true, Empty: true},
		},
		{
			"alarm", func(o *store.Object) error { return o.SetAlarm(epoch) }, "",
			store.Info{Alarm: epoch, HasAlarm: true},
		},
		{"both", func(o *store.Object) error { return o.SetAlarm(epoch) }, "n",
			store.Info{Name: "n", HasName: true, Alarm: epoch, HasAlarm: true}},
		{"alarm cleared", func(o *store.Object) error {
			return errors.Join(o.SetAlarm(epoch), o.Commit(), o.DeleteAlarm())
		}, "n", store.Info{Name: "n", HasName: true, Empty: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "object.sqlite")
			o, err := store.OpenObject(path, test.given, test.given != "")
			must(t, err)
			must(t, test.make(o))
			must(t, o.Commit())
			must(t, o.Close())

			before := readFile(t, path)
			got, err := store.ReadObject(path)
			must(t, err)
			if got != test.want {
				t.Errorf("ReadObject = %+v, want %+v", got, test.want)
			}
			if readFile(t, path) != before {
				t.Error("ReadObject changed the file")
			}
			wantFiles(t, filepath.Dir(path), "object.sqlite")
		})
	}
}

func TestReadObjectOfAFileWithoutOurTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	must(t, store.MakeDatabase(path))
	if got, err := store.ReadObject(path); got != (store.Info{}) || err != nil {
		t.Errorf("ReadObject = %+v, %v, want nothing", got, err)
	}
}

func TestReadObjectReportsWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "object.sqlite")
	_, err := store.ReadObject(path)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want fs.ErrNotExist", err)
	}
	wantOneLine(t, err, "read object", path)
	wantFiles(t, dir)

	writeFile(t, path, []byte(strings.Repeat("garbage ", 15))) // longer than the header of a database
	_, err = store.ReadObject(path)
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("error is %v, want ErrCorrupt", err)
	}
	wantOneLine(t, err, "read object", path)
}

// For any content of a file, reading it returns a result or an error, and leaves nothing beside it.
func FuzzReadObject(f *testing.F) {
	path := filepath.Join(f.TempDir(), "object.sqlite")
	o, err := store.OpenObject(path, "name", true)
	must(f, err)
	must(f, o.SetAlarm(epoch))
	must(f, o.Commit())
	must(f, o.Close())
	valid := readFile(f, path)
	f.Add([]byte(valid))
	f.Add([]byte(valid[:5000]))
	f.Add([]byte{})
	f.Add([]byte("SQLite format 3\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "object.sqlite")
		writeFile(t, path, content)
		if _, err := store.ReadObject(path); err != nil {
			wantOneLine(t, err, "read object", path)
		}
		wantFiles(t, dir, "object.sqlite")
		if got := readFile(t, path); got != string(content) {
			t.Error("the file was changed")
		}
	})
}
