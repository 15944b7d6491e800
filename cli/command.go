package cli

import (
	"context"
	"fmt"
	"strconv"
)

// command is a node in the tree of commands: either a group of commands, or a command that runs.
type command struct {
	name     string
	summary  string // one line, for the group's list
	about    string // further lines for its own help; may be empty
	args     []argument
	flags    []flag
	examples []example
	commands []*command

	// rest gets the arguments after "--", if they are a command line that must not be empty. It is
	// nil if "--" only ends the flags.
	rest *[]string

	hidden bool // it is left out of lists of commands, because it is for programs

	// run runs the command. The flags have been stored in their targets, and args has as many
	// elements as the command's args allow.
	run func(ctx context.Context, s Streams, args []string) error
}

// argument is a positional argument. Optional ones come last, except one that may occur many times.
// A command has at most one of those.
type argument struct {
	name     string // in capitals
	usage    string
	optional bool
	many     bool
}

// flag is an option. In the whole tree, a flag of one name either takes a value or does not. So
// arrange can read it before the command is known.
type flag struct {
	name   string // long form, without dashes
	short  string // one letter, or empty
	value  string // what to write for the value, such as DIR; empty for a flag that is on or off
	usage  string
	hidden bool // it is left out of help
	target any  // *bool or *onOff, or *string, *int or *[]string when there is a value; nil if arrange handles it
}

type example struct{ line, about string }

// find returns the command of that name directly below c, or nil.
func (c *command) find(name string) *command {
	for _, child := range c.commands {
		if child.name == name {
			return child
		}
	}
	return nil
}

// flag returns the flag of that name, long or short, or nil.
func (c *command) flag(name string) (flag, bool) {
	for _, f := range c.flags {
		if f.name == name || (f.short != "" && f.short == name) {
			return f, true
		}
	}
	return flag{}, false
}

// walk calls visit for c, whose full name is path, and all below it.
func (c *command) walk(path string, visit func(path string, c *command)) {
	visit(path, c)
	for _, child := range c.commands {
		child.walk(path+" "+child.name, visit)
	}
}

// set parses value and stores it in the target.
func (f flag) set(value string) error {
	switch target := f.target.(type) {
	case *string:
		*target = value
	case *[]string:
		*target = append(*target, value)
	case *int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return misuse("", "flag --%s needs a number, not %q", f.name, value)
		}
		*target = n
	case *bool:
		on, err := strconv.ParseBool(value)
		if err != nil {
			return misuse("", "flag --%s is on or off, not %q", f.name, value)
		}
		*target = on
	case *onOff:
		on, err := strconv.ParseBool(value)
		if err != nil {
			return misuse("", "flag --%s is on or off, not %q", f.name, value)
		}
		*target = onOffOf(on)
	default:
		panic(fmt.Sprintf("flag --%s has a target of type %T", f.name, target))
	}
	return nil
}

// An onOff is the value of a flag without a value of its own: true, false, or empty if it was not
// given.
type onOff string

const (
	onValue  onOff = "true"
	offValue onOff = "false"
)

func onOffOf(on bool) onOff {
	if on {
		return onValue
	}
	return offValue
}
