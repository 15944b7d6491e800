package state_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devtool.internal/clock"
	"devtool.internal/emulator/state"
)

func openFolder(t *testing.T) (f *state.Folder, clockFile string) {
	t.Helper()
	dir := t.TempDir()
	f, err := state.Open(dir, state.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, filepath.Join(dir, "v3", "clock.json")
}

func save(t *testing.T, f *state.Folder, states ...clock.State) {
	t.Helper()
	file, err := f.OpenClock()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if err := file.Save(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheClockContinuesWhereItWasSaved(t *testing.T) {
	f, path := openFolder(t)
	if got, err := f.ReadClock(); err != nil || got != (clock.State{}) {
		t.Errorf("before the first save: got %+v, %v, want nothing", got, err)
	}
	save(t, f)
	if got, err := f.ReadClock(); err != nil || got != (clock.State{}) {
		t.Errorf("opened and not saved: got %+v, %v, want nothing", got, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a file before the first save: a kill would leave it empty")
	}
	at := time.Date(2026, 10, 1, 12, 0, 0, 123456789, time.UTC)
	first := clock.State{Mode: clock.Running, Rate: 1.5, Offset: -time.Hour, At: at}
	second := clock.State{Mode: clock.Frozen, Rate: 1, At: at.Add(time.Nanosecond)}
	for _, want := range []clock.State{first, second} {
		save(t, f, first, want)
		if got, err := f.ReadClock(); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		// Every save writes the same bytes over, so that a killed process leaves no mixture.
		if info, err := os.Stat(path); err != nil || info.Size() != 256 || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("got %d bytes with mode %v, %v, want 256 private ones", info.Size(), info.Mode(), err)
		}
	}
}

func TestADamagedClockIsNotIgnored(t *testing.T) {
	f, path := openFolder(t)
	for _, content := range []string{`{"mode"`, "", "   ", "\x00\x00"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, read := range map[string]func() (clock.State, error){
			"read":    f.ReadClock,
			"read at": func() (clock.State, error) { return f.ReadClockAt(time.Now()) },
		} {
			_, err := read()
			if want := "read clock: " + path + " is damaged ("; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s of %q: got %v, want it to begin with %q", name, content, err, want)
			}
		}
	}
}

func TestTheClockMayStartLaterButNotEarlier(t *testing.T) {
	f, _ := openFolder(t)
	past := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, err := f.ReadClockAt(past); err != nil || !got.At.Equal(past) {
		t.Errorf("a clock that has not run: got %+v, %v, want it at %s", got, err, past)
	}
	for _, saved := range []clock.State{
		{Mode: clock.Frozen, Rate: 2, At: past},
		// Frozen for one run. At this rate, a microsecond of a clock that runs would show.
		{Mode: clock.Frozen, Kept: clock.Running, Rate: clock.MaxRate, At: past},
	} {
		save(t, f, saved)
		for _, later := range []time.Duration{0, time.Hour} {
			got, err := f.ReadClockAt(past.Add(later))
			if err != nil || !got.At.Equal(past.Add(later)) || got.Mode != saved.Mode || got.Rate != saved.Rate {
				t.Errorf("%s later: got %+v, %v", later, got, err)
			}
		}
	}
	_, err := f.ReadClockAt(past.Add(-time.Nanosecond))
	for _, want := range []string{
		"stands at 2001-01-01T00:00:00Z", "can't go back to 2000-12-31T23:59:59.999999999Z", "--persist-to",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("earlier: got %v, want it to contain %q", err, want)
		}
	}
}
