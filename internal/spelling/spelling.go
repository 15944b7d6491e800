// Package spelling finds the name that somebody meant and misspelt.
package spelling

import "strings"

// maxSuggestion is the longest word to compare, in bytes. A longer one is hardly misspelt.
const maxSuggestion = 40

// Closest returns the candidate that word probably means, or nothing: one that it abbreviates, or
// one with few differences. The shorter the word, the fewer differences are allowed.
func Closest(word string, candidates []string) string {
	best, fewest := "", 1+min(3, (len(word)+1)/2-1)
	if len(word) > maxSuggestion {
		return ""
	}
	for _, candidate := range candidates {
		if slips := distance(word, candidate); slips < fewest {
			best, fewest = candidate, slips
		}
	}
	if best != "" || len(word) < 2 {
		return best
	}
	for _, candidate := range candidates {
		if strings.HasPrefix(candidate, word) {
			return candidate
		}
	}
	return ""
}

// distance returns how many letters must be added, dropped, replaced or swapped with their
// neighbour to turn a into b.
func distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	before, above := make([]int, len(to)+1), make([]int, len(to)+1)
	for j := range above {
		above[j] = j
	}
	for i := range from {
		row := make([]int, len(to)+1)
		row[0] = i + 1
		for j := range to {
			replaced := above[j]
			if from[i] != to[j] {
				replaced++
			}
			row[j+1] = min(replaced, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && from[i] == to[j-1] && from[i-1] == to[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	return above[len(to)]
}
