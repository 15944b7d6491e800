package cli

import "strings"

// maxSuggestion is the longest word that is compared; nobody mistypes a longer
// one by a letter or two.
const maxSuggestion = 40

// closest is the candidate that word was probably meant to be, or empty: one
// that it abbreviates, or one a few slips away, the fewer the shorter it is.
func closest(word string, candidates []string) string {
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

// distance counts the letters that must be added, dropped, replaced or swapped
// with their neighbour to make b of a.
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

// suggestCommand is the command, in full, that word was meant to be in group,
// whose full name is path, or that has this very name elsewhere in the tree.
func suggestCommand(root, group *command, path, word string) string {
	var names []string
	for _, child := range group.commands {
		names = append(names, child.name)
	}
	if name := closest(word, names); name != "" {
		return "`" + path + " " + name + "`"
	}
	elsewhere := ""
	root.walk(root.name, func(path string, c *command) {
		if c.name == word && elsewhere == "" {
			elsewhere = "`" + path + "`"
		}
	})
	return elsewhere
}
