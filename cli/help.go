package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// writeHelp explains the command of call, or the group.
func writeHelp(out io.Writer, root *command, call invocation) error {
	c := call.command
	var text bytes.Buffer
	if c == root {
		fmt.Fprintln(&text, wrapped(c.name+": "+c.summary, helpWidth, ""))
	} else {
		fmt.Fprintln(&text, wrapped(c.summary+".", helpWidth, ""))
	}
	fmt.Fprintf(&text, "\nUsage: %s\n", usageLine(c, call.path))
	if c.about != "" {
		fmt.Fprintf(&text, "\n%s\n", wrapped(c.about, helpWidth, ""))
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

const (
	// helpWidth is the width of the narrowest usual terminal.
	helpWidth = 80
	// minUsage is how much of that the second column of a section needs.
	minUsage = 36
)

// section writes lines of two columns below a title, or nothing. Where the first column takes too
// much room, the second one is on the next line.
func section(text *bytes.Buffer, title string, lines [][]string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(text, "\n%s:\n", title)
	const indent, gap = "  ", "   "
	column := 0
	for _, line := range lines {
		n := utf8.RuneCountInString(indent + line[0] + gap)
		if fits := n+min(utf8.RuneCountInString(line[1]), minUsage) <= helpWidth; fits && line[1] != "" {
			column = max(column, n)
		}
	}
	for _, line := range lines {
		name, usage := indent+line[0], line[1]
		switch n := utf8.RuneCountInString(name + gap); {
		case usage == "":
			fmt.Fprintln(text, name)
		case n > column:
			below := strings.Repeat(" ", 6)
			fmt.Fprintf(text, "%s\n%s%s\n", name, below, wrapped(usage, helpWidth-len(below), below))
		default:
			name += strings.Repeat(" ", column+len(gap)-n)
			fmt.Fprintf(text, "%s%s\n", name, wrapped(usage, helpWidth-column, strings.Repeat(" ", column)))
		}
	}
}

// wrapped breaks text between words into lines of at most width, the further ones behind indent.
// Empty lines between paragraphs stay, and so do the lines of a paragraph that begins with a space.
func wrapped(text string, width int, indent string) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(paragraph, " ") {
			paragraphs = append(paragraphs, paragraph)
			continue
		}
		var lines []string
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && utf8.RuneCountInString(line+" "+word) > width {
				lines, line = append(lines, line), ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		paragraphs = append(paragraphs, strings.Join(append(lines, line), "\n"+indent))
	}
	return strings.Join(paragraphs, "\n\n"+indent)
}
