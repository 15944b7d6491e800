package control_test

import (
	"testing"
	"time"

	"devtool.internal/emulator/control"
)

func TestSinceNamesTheDateUnlessItWasToday(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)
	for began, want := range map[time.Time]string{
		noon.Add(-time.Hour):      "11:00:00",
		noon.Add(-24 * time.Hour): "12:00:00, 2026-11-20",
	} {
		if got := control.Since(began.UTC(), noon); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
