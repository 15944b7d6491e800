package cli

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"10s":           10 * time.Second,
		"1h30m":         90 * time.Minute,
		"2d":            48 * time.Hour,
		"1d12h":         36 * time.Hour,
		"1.5d":          36 * time.Hour,
		"0.5d30m":       12*time.Hour + 30*time.Minute,
		"-1d12h":        -36 * time.Hour,
		"-0d5s":         -5 * time.Second,
		"+1d":           24 * time.Hour,
		"0":             0,
		"-5s":           -5 * time.Second,
		"106751d":       106751 * day,
		"106751d23h47m": 106751*day + 23*time.Hour + 47*time.Minute,
	} {
		if got, err := parseDuration(s); got != want || err != nil {
			t.Errorf("parseDuration(%q): got %v, %v, want %v", s, got, err, want)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	for _, s := range []string{
		"", "banana", "10", "d", "xd", "1h2d", "1d-5s", "1d+5s", "1d5", "2dd", "1d1d", "d5s", "1 d", "1d 2h",
		"106752d", "106751d24h", "-106752d", "99999999999999999999d", "1e3d", "--1d", "1d ",
	} {
		if got, err := parseDuration(s); err == nil {
			t.Errorf("parseDuration(%q): got %v, want an error", s, got)
		}
	}
}

// TestOnlyWellFormedDurationsAreTooLong keeps errors exact: they blame the length only if the form
// is right.
func TestOnlyWellFormedDurationsAreTooLong(t *testing.T) {
	for s, want := range map[string]bool{
		"106752d":               true,
		"106751d24h":            true,
		"-106752d":              true,
		"99999999999999999999d": true,
		"99999999h":             true,
		"9999999999999999999ns": true,
		"":                      false,
		"banana":                false,
		"10":                    false,
		"1h2d":                  false,
		"1d5":                   false,
		"1e3d":                  false,
		"2026-12-24":            false,
	} {
		if got := tooLong(s); got != want {
			t.Errorf("tooLong(%q): got %t, want %t", s, got, want)
		}
	}
}

func TestDaysAreTwentyFourHours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(0, 100_000).Draw(t, "days")
		rest := time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "rest"))
		s := fmt.Sprintf("%dd%s", days, rest)
		if got, err := parseDuration(s); err != nil || got != time.Duration(days)*day+rest {
			t.Errorf("parseDuration(%q): got %v, %v", s, got, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"1d12h", "-1.5d", "106751d23h47m16s", "1d-0s", "d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDuration(s)
		if err != nil {
			return
		}
		if again, err := parseDuration(d.String()); err != nil || again != d {
			t.Errorf("%q parses to %v, and that to %v, %v", s, d, again, err)
		}
	})
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                     "0s",
		12 * time.Millisecond:                 "12ms",
		99*time.Millisecond + 600_000:         "100ms",
		9200 * time.Millisecond:               "9.2s",
		10 * time.Second:                      "10s",
		59*time.Second + 949*time.Millisecond: "59.9s",
		59*time.Second + 950*time.Millisecond: "1m",
		65 * time.Second:                      "1m5s",
		59*time.Minute + 59*time.Second + 500*time.Millisecond: "1h",
		2*time.Hour + 5*time.Minute:                            "2h5m",
		23*time.Hour + 59*time.Minute + 30*time.Second:         "1d",
		36 * time.Hour: "1d12h",
		106_750 * day:  "106750d",
		math.MaxInt64:  "292 years or more",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%d): got %q, want %q", d, got, want)
		}
	}
}

// TestFormatDurationIsClose parses the result, which may differ only by the rounding.
func TestFormatDurationIsClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(100_000*day)).Draw(t, "d"))
		text := formatDuration(d)
		back, err := parseDuration(text)
		if err != nil {
			t.Fatalf("formatDuration(%d) is %q: %v", d, text, err)
		}
		allowed := 30 * time.Minute
		switch {
		case d < time.Minute:
			allowed = 50 * time.Millisecond
		case d < time.Hour:
			allowed = 500 * time.Millisecond
		case d < day:
			allowed = 30 * time.Second
		}
		if off := (back - d).Abs(); off > allowed {
			t.Errorf("formatDuration(%v) is %q, off by %v", d, text, off)
		}
	})
}
