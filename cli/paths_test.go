package cli

import "strings"

// CommandPaths returns every command that runs, such as "alarms list", for the tests that go
// through all of them.
func CommandPaths() []string {
	var paths []string
	var walk func(c *command, path []string)
	walk = func(c *command, path []string) {
		if c.run != nil {
			paths = append(paths, strings.Join(path, " "))
		}
		for _, child := range c.commands {
			walk(child, append(path[:len(path):len(path)], child.name))
		}
	}
	walk(rootCommand(new(globals)), nil)
	return paths
}
