package cli

import "devtool.internal/internal/spelling"

// suggestCommand returns the full name of the command that word probably means: one of group, whose
// full name is path, or one with exactly this name elsewhere in the tree.
func suggestCommand(root, group *command, path, word string) string {
	var names []string
	for _, child := range group.commands {
		if !child.hidden {
			names = append(names, child.name)
		}
	}
	if name := spelling.Closest(word, names); name != "" {
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
