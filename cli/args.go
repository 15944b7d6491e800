package cli

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"devtool.internal/internal/spelling"
)

// An invocation is a command line in the order that urfave/cli reads: the flags of the root, the
// command, its flags, its arguments. Values are still text.
type invocation struct {
	command *command
	path    string // full name, such as "devtool time advance"
	help    bool   // print its help instead
	version bool
	json    bool     // errors, too, go out as JSON
	globals []string // flags of the root, each as --name=value
	flags   []string // flags of command, each as --name=value
	args    []string
	rest    []string // what stands after "--", for a command that asks for it
}

// arrange finds the command that args name, and sorts the rest into flags and arguments. Flags may
// stand anywhere: before the command, among its arguments and after them. "--" ends the flags, and
// an argument that begins like a negative number is not a flag.
//
// It leaves values to dispatch, except those of --help, --version and --json, which decide
// how the line is answered even if it is wrong. So the invocation is valid as far as it goes when
// there is an error.
func arrange(root *command, args []string) (invocation, error) {
	p := newParser(root)
	p.take(args)
	return p.finish()
}

func newParser(root *command) *parser {
	p := &parser{invocation: invocation{command: root, path: root.name}, root: root, known: map[string]flag{}}
	root.walk("", func(_ string, c *command) {
		for _, f := range c.flags {
			p.known[f.name] = f
			if f.short != "" {
				p.known[f.short] = f
			}
		}
	})
	return p
}

// take sorts args into the command's name, flags and arguments.
func (p *parser) take(args []string) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			p.ended = true
			if p.command.rest != nil {
				p.rest = args
				return
			}
			for _, word := range args {
				p.word(word)
			}
			return
		case looksLikeFlag(arg):
			args = p.flag(arg, args)
		default:
			p.word(arg)
		}
	}
}

// looksLikeFlag reports whether arg is a flag. "-" is the usual name for a stream, "-5s" is a
// number, and "-- text" is a comment of SQL.
func looksLikeFlag(arg string) bool {
	if len(arg) < 2 || arg[0] != '-' {
		return false
	}
	if name := strings.TrimLeft(arg, "-"); name != "" && unicode.IsSpace(rune(name[0])) {
		return false
	}
	return arg[1] != '.' && (arg[1] < '0' || arg[1] > '9')
}

type parser struct {
	invocation
	root  *command
	known map[string]flag // all flags of the tree, by both their names
	used  []usedFlag
	lost  error // there is no such command: the rest is not worth reporting

	ended   bool  // by "--"
	waiting *flag // what the last word is, if the value of that flag is still missing
}

type usedFlag struct {
	written string // as on the command line, without its value
	flag    flag
	known   bool
	problem error
	value   string
}

// word takes a part of the command's name or, if the name is complete, an argument.
func (p *parser) word(word string) {
	switch child := p.command.find(word); {
	case len(p.command.commands) == 0:
		p.args = append(p.args, word)
	case child != nil:
		p.command = child
		p.path += " " + word
	case word == "help":
		p.help = true
	case p.lost == nil:
		p.lost = misuse(see(suggestCommand(p.root, p.command, p.path, word), p.path), "unknown command %q", word)
	}
}

// flag takes a flag, and its value from rest if the value is the next argument. It returns the
// remaining part of rest.
func (p *parser) flag(arg string, rest []string) []string {
	written, value, attached := strings.Cut(arg, "=")
	name := strings.TrimPrefix(strings.TrimPrefix(written, "-"), "-")
	f, known := p.known[name]
	used := usedFlag{written: written, flag: f, known: known, value: value}
	switch {
	case !known:
	case f.value == "" && !attached:
		used.value = "true"
	case f.value != "" && !attached:
		if len(rest) == 0 || p.isFlag(rest[0]) {
			if len(rest) == 0 {
				p.waiting = &f
			}
			used.problem = misuse(see("", p.path), "flag --%s needs a value: --%s %s", f.name, f.name, f.value)
			break
		}
		used.value, rest = rest[0], rest[1:]
	}
	p.used = append(p.used, used)
	return rest
}

// isFlag reports whether arg is a flag of devtool, and so hardly the value of the flag before it.
func (p *parser) isFlag(arg string) bool {
	name, _, _ := strings.Cut(arg, "=")
	_, known := p.known[strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-")]
	return arg == "--" || (looksLikeFlag(arg) && known)
}

// finish checks the whole line against its command.
func (p *parser) finish() (invocation, error) {
	var problem error
	for _, used := range p.used {
		if err := p.keep(used); err != nil && problem == nil {
			problem = err
		}
	}
	if p.lost != nil {
		return p.invocation, p.lost
	}
	if p.help || p.version {
		return p.invocation, nil
	}
	if p.command.rest != nil && len(p.rest) == 0 {
		return p.invocation, p.missingRest()
	}
	if problem != nil {
		return p.invocation, problem
	}
	if len(p.command.commands) > 0 {
		p.help = true // a group alone explains itself
		return p.invocation, nil
	}
	return p.invocation, nil
}

// keep adds a flag to the root's flags or to the command's.
func (p *parser) keep(used usedFlag) error {
	own, isOwn := p.command.flag(used.flag.name)
	if used.known && used.flag.name == "json" {
		if !isOwn {
			own.name, own.target = "json", new(bool)
		}
		used.problem = own.set(used.value)
		p.json = *own.target.(*bool)
	}
	set := "--" + used.flag.name + "=" + used.value
	_, isGlobal := p.root.flag(used.flag.name)
	switch {
	case !used.known || (!isOwn && !isGlobal):
		return misuse(see(p.suggestFlag(used.written), p.path), "unknown flag %s for `%s`", used.written, p.path)
	case used.problem != nil:
		return used.problem
	case used.flag.target == nil:
		on, _ := strconv.ParseBool(used.value)
		p.help = p.help || (on && used.flag.name == "help")
		p.version = p.version || (on && used.flag.name == "version")
	case used.flag.name == "json": // it is set
	case isOwn:
		p.flags = append(p.flags, set)
	default:
		p.globals = append(p.globals, set)
	}
	return nil
}

// missingRest returns the error for a line without a command after "--". It assumes that the
// arguments may be a command without "--".
func (p *parser) missingRest() error {
	meant := "CMD"
	if len(p.args) > 0 && len(p.used) == 0 {
		meant = strings.Join(p.args, " ")
	}
	return misuse("write it like `"+p.path+" -- "+meant+"`", "`%s` needs a command to run, after --", p.path)
}

// checkCount compares the arguments that a command got with those it takes.
func (call invocation) checkCount(args []string) error {
	expected := call.command.args
	var required []string
	many := false
	for _, a := range expected {
		if !a.optional {
			required = append(required, a.name)
		}
		many = many || a.many
	}
	if len(args) > len(expected) && !many {
		return misuse(see("", call.path), "unexpected argument %q for `%s`", args[len(expected)], call.path)
	}
	if len(args) < len(required) {
		return misuse(see("", call.path), "`%s` needs an argument: %s", call.path, required[len(args)])
	}
	return nil
}

func (p *parser) suggestFlag(written string) string {
	var names []string
	for _, f := range slices.Concat(p.command.flags, p.root.flags) {
		if !f.hidden {
			names = append(names, f.name)
		}
	}
	if name := spelling.Closest(strings.TrimLeft(written, "-"), names); name != "" {
		return "--" + name
	}
	return ""
}

// see returns the hint below a misuse: the suggestion, if there is one, and the help to read.
func see(suggestion, path string) string {
	if suggestion == "" {
		return "see `" + path + " --help`"
	}
	return "did you mean " + suggestion + "? See `" + path + " --help`"
}
