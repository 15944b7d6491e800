package config

import (
	"fmt"
	"strings"
)

// didYouMean returns a hint that suggests like, or "" if like is "".
func didYouMean(like string) string {
	if like == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", like)
}

// nearest returns the candidate that name was limit likely meant to be, or "" if none is close. It
// ignores case, hyphens and underscores, so that camelCase finds snake_case.
func nearest(name string, candidates []string) string {
	name = flatten(name)
	// It allows about one typo in three characters, but few enough to keep different words apart.
	limit := min(len(name)/3, 3)
	best := ""
	for _, c := range candidates {
		if d := editDistance(name, flatten(c), limit); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

func flatten(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
}

// editDistance returns how many insertions, deletions, replacements and swaps of neighbours turn a
// into b, or any number above limit if it takes more. It counts bytes: names are ASCII, and for
// other text the distance is only larger.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	// Three rows of the table: the current one, and the two above it.
	row := make([]int, len(b)+1)
	above := make([]int, len(b)+1)
	twoAbove := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoAbove[j-2]+1)
			}
		}
		row, above, twoAbove = twoAbove, row, above
	}
	return above[len(b)]
}
