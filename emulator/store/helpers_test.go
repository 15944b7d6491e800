package store_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/store"
)

// epoch is a time that alarms in the tests count from.
var epoch = time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

// objectID returns an id that is easy to tell from others.
func objectID(digit string) string { return strings.Repeat(digit, 64) }

func openObject(t testing.TB, path string) *store.Object {
	t.Helper()
	o, err := store.OpenObject(path, "", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

func newObject(t testing.TB) *store.Object {
	t.Helper()
	return openObject(t, filepath.Join(t.TempDir(), "object.sqlite"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantValue(t testing.TB, o *store.Object, key, want string) {
	t.Helper()
	got, found, err := o.Get(key)
	must(t, err)
	if !found || string(got) != want {
		t.Errorf("Get(%q) = %q, %t, want %q", key, got, found, want)
	}
}

func wantMissing(t testing.TB, o *store.Object, key string) {
	t.Helper()
	got, found, err := o.Get(key)
	must(t, err)
	if found {
		t.Errorf("Get(%q) = %q, want no value", key, got)
	}
}

// wantAlarm checks the alarm as reads see it; the zero time stands for none.
func wantAlarm(t testing.TB, o *store.Object, want time.Time) {
	t.Helper()
	at, set, err := o.Alarm()
	must(t, err)
	if set != !want.IsZero() || !at.Equal(want) {
		t.Errorf("Alarm() = %v, %t, want %v", at, set, want)
	}
}

// wantFiles checks which files a folder holds.
func wantFiles(t testing.TB, dir string, want ...string) {
	t.Helper()
	var got []string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			got = append(got, filepath.ToSlash(rel))
		}
		return err
	}))
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("files are %q, want %q", got, want)
	}
}

// wantOneLine checks that an error can be shown as it is, and says all of these.
func wantOneLine(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has several lines: %q", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error is %q, want it to say %q", err, part)
		}
	}
}

func writeFile(t testing.TB, path string, content []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, content, 0o600))
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return string(content)
}
