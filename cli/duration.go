package cli

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
)

const day = 24 * time.Hour

// parseTime parses a time on the clock: RFC 3339, or the beginning of one, in UTC.
func parseTime(s string) (time.Time, error) {
	t, err := readTime(s)
	if errors.Is(err, errNotATime) {
		return t, misuse("write it like 2026-12-24, 2026-12-24T18:00 or 2026-12-24T18:00:00.000Z, in UTC",
			"%q is not a time", s)
	}
	return t, err
}

var errNotATime = errors.New("not a time")

// readTime is parseTime, but returns errNotATime for a text that does not look like a time.
func readTime(s string) (time.Time, error) {
	layouts := []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly}
	for _, layout := range layouts {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		// JSON has no other years, and the zero time stands for none at all.
		if t = t.UTC(); t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
			return time.Time{}, misuse("the clock goes from 0001-01-01T00:00:00.001Z to 9999-12-31T23:59:59.999Z",
				"%q is beyond the clock", s)
		}
		return t, nil
	}
	return time.Time{}, errNotATime
}

// parseDuration parses a duration in Go's notation, with days before it: "2d", "1d12h", "1.5d",
// "90s".
func parseDuration(s string) (time.Duration, error) {
	days, rest, hasDays := strings.Cut(s, "d")
	if !hasDays {
		return time.ParseDuration(s)
	}
	// Parsing days as hours, to be multiplied later, keeps fractions exact.
	hours, err := time.ParseDuration(days + "h")
	if err != nil || strings.Trim(days, "+-.0123456789") != "" || hours > math.MaxInt64/24 || hours < math.MinInt64/24 {
		return 0, fmt.Errorf("%q is no number of days", days)
	}
	total := hours * 24
	if rest == "" {
		return total, nil
	}
	if rest[0] == '-' || rest[0] == '+' {
		return 0, errors.New("a sign belongs at the beginning")
	}
	more, err := time.ParseDuration(rest)
	if err != nil {
		return 0, err
	}
	if strings.HasPrefix(days, "-") {
		more = -more
	}
	if sum := total + more; (sum > total) == (more > 0) {
		return sum, nil
	}
	return 0, errors.New("longer than 292 years")
}

var digits = regexp.MustCompile("[0-9]+")

// tooLong reports whether s, which parseDuration refuses, is a well-formed duration that is too
// long.
func tooLong(s string) bool {
	_, err := parseDuration(digits.ReplaceAllString(s, "1"))
	return err == nil
}

// notADuration is the error for s, which parseDuration refuses. The hint says how one is written.
func notADuration(hint, s string) error {
	if tooLong(s) {
		return misuse("write a shorter one", "%q is longer than a duration can be: 292 years", s)
	}
	return misuse(hint, "%q is not a duration", s)
}

// saturated is where differences of times may have been cut off: they are not exact from there on.
const saturated = 106_751 * day

// formatDuration is d, which is not negative, as people say it: two units at
// most, and tenths below a minute.
func formatDuration(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d < time.Minute-50*time.Millisecond:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour-500*time.Millisecond:
		return twoUnits(d, time.Minute, "m", time.Second, "s")
	case d < day-30*time.Second:
		return twoUnits(d, time.Hour, "h", time.Minute, "m")
	case d >= saturated:
		return "292 years or more"
	default:
		return twoUnits(d, day, "d", time.Hour, "h")
	}
}

// twoUnits is d in a unit and a smaller one, which is left out when it is zero.
func twoUnits(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	d = d.Round(small)
	text := fmt.Sprintf("%d%s", d/large, largeName)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf("%d%s", rest, smallName)
	}
	return text
}
