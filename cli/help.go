package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// writeHelp explains the command of call, or the group.
func writeHelp(out io.Writer, root *command, call invocation) error {
	c := call.command
	var text bytes.Buffer
	if c == root {
		fmt.Fprintf(&text, "%s: %s\n", c.name, c.summary)
	} else {
		fmt.Fprintf(&text, "%s.\n", c.summary)
	}
	fmt.Fprintf(&text, "\nUsage: %s\n", usageLine(c, call.path))
	if c.about != "" {
		fmt.Fprintf(&text, "\n%s\n", strings.TrimSpace(c.about))
	}

	var commands, arguments, flags, globals, examples [][]string
	for _, child := range c.commands {
		if child.hidden {
			continue
		}
		commands = append(commands, []string{child.name, child.summary})
	}
	for _, a := range c.args {
		arguments = append(arguments, []string{a.name, a.usage})
	}
	for _, f := range c.flags {
		if c != root && !f.hidden {
			flags = append(flags, flagHelp(f))
		}
	}
	for _, f := range root.flags {
		globals = append(globals, flagHelp(f))
	}
	for _, e := range c.examples {
		examples = append(examples, []string{e.line, e.about})
	}
	section(&text, "Commands", commands)
	section(&text, "Arguments", arguments)
	section(&text, "Flags", flags)
	section(&text, "Global flags", globals)
	section(&text, "Examples", examples)
	if len(c.commands) > 0 {
		fmt.Fprintf(&text, "\n`%s COMMAND --help` says more about a command.\n", call.path)
	}
	_, err := out.Write(text.Bytes())
	return err
}

func usageLine(c *command, path string) string {
	if len(c.commands) > 0 {
		return path + " COMMAND [FLAGS]"
	}
	line := path
	for _, a := range c.args {
		name := a.name
		if a.many {
			name += "…"
		}
		if a.optional {
			name = "[" + name + "]"
		}
		line += " " + name
	}
	if len(c.flags) > 0 {
		line += " [FLAGS]"
	}
	if c.rest != nil {
		line += " -- CMD [ARGS…]"
	}
	return line
}

func flagHelp(f flag) []string {
	name := "--" + f.name
	if f.short != "" {
		name = "-" + f.short + ", " + name
	}
	if f.value != "" {
		name += " " + f.value
	}
	return []string{name, f.usage}
}

// section writes lines of two columns below a title, or nothing.
func section(text *bytes.Buffer, title string, lines [][]string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(text, "\n%s:\n", title)
	for _, line := range lines {
		line[0] = "  " + line[0]
	}
	align(text, 3, lines)
}
