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

// epoch is the time from which alarms in the tests count.
var epoch = time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

// objectID returns an id of one repeated digit.
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

// wantAlarm checks the alarm as reads see it. The zero time means none.
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

// wantOneLine checks that an error is one line and contains all parts.
func wantOneLine(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has several lines: %q", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error is %q, want %q in it", err, part)
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
