package config

import (
	"fmt"
	"strings"
)

// didYouMean returns the hint that proposes like, or "" for none.
func didYouMean(like string) string {
	if like == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", like)
}

// nearest returns the candidate that name was most likely meant to be, or "" if none is close. Case, hyphens and
// underscores don't count, so that camelCase finds snake_case.
func nearest(name string, candidates []string) string {
	name = flatten(name)
	// About one slip in three characters, and never so many that a word turns into any other.
	most := min(len(name)/3, 3)
	best := ""
	for _, c := range candidates {
		if d := editDistance(name, flatten(c), most); d <= most {
			best, most = c, d-1
		}
	}
	return best
}

func flatten(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
}

// editDistance returns the number of insertions, deletions, replacements and swaps of neighbours that turn a into b,
// or some number above most if there are more than that. It counts bytes: names are ASCII, and for others it only
// errs on the far side.
func editDistance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	// Three rows of the table: the one being filled, and the two above it.
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
