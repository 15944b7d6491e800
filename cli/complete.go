package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/state"
	"devtool.internal/templates"
)

// `devtool __complete SHELL …` is what the scripts of `devtool completion` call. It prints a line
// with the mode, and then the candidates, one a line:
//
//	words      the candidates follow
//	files      the shell completes a file
//	folders    the shell completes a folder
//	program N  the shell completes a command line, which begins after N words of this one
//
// zsh and fish pass the words before the current one without their quotes, and then the current
// word as it is typed up to the cursor. They choose among the candidates, which may have a
// description after a tab, and quote what they insert. bash does neither of it; see
// complete_bash.go.
const completeCommand = "__complete"

const (
	modeWords   = "words"
	modeFiles   = "files"
	modeFolders = "folders"
	modeProgram = "program"
)

const (
	// completeTimeout is how long an emulator may take to answer: a shell waits meanwhile.
	completeTimeout = time.Second
	// maxCandidates limits the objects that are offered.
	maxCandidates = 2000
)

// A candidate is a possible value of the current word.
type candidate struct{ text, about string }

// offered is what may stand at a place of the line.
type offered struct {
	mode       string // empty for modeWords
	skip       int    // of modeProgram: N
	candidates []candidate
}

func offer(texts ...string) offered {
	var o offered
	for _, text := range texts {
		o.candidates = append(o.candidates, candidate{text: text})
	}
	return o
}

// complete prints what the shell of args may offer. It prints no error: the user has asked for
// nothing yet.
func complete(ctx context.Context, s Streams, args []string) int {
	if len(args) == 0 {
		return exitMisuse
	}
	var b bytes.Buffer
	shell, words := args[0], args[1:]
	switch {
	case shell == "bash" && len(words) == 2:
		completeBash(ctx, s, &b, words[0], words[1])
	case shell != "bash" && len(words) > 0:
		current := words[len(words)-1]
		o := offers(ctx, s, words[:len(words)-1], current)
		o.writeMode(&b)
		flag := ""
		if name, _, attached := strings.Cut(current, "="); attached && shell == "fish" && looksLikeFlag(name) {
			flag = name + "=" // fish replaces the whole word
		}
		for _, c := range o.candidates {
			if b.WriteString(flag + c.text); c.about != "" {
				b.WriteString("\t" + c.about)
			}
			b.WriteByte('\n')
		}
	}
	_, _ = s.Out.Write(b.Bytes())
	return exitDone
}

func (o offered) writeMode(b *bytes.Buffer) {
	if b.WriteString(o.mode); o.mode == "" {
		b.WriteString(modeWords)
	}
	if o.mode == modeProgram {
		fmt.Fprintf(b, " %d", o.skip)
	}
	b.WriteByte('\n')
}

// offers returns what may stand in the place of current, after words. If current is a flag and the
// beginning of its value, the candidates are values.
func offers(ctx context.Context, s Streams, words []string, current string) offered {
	p := newParser(rootCommand(new(globals)))
	p.take(words)
	at := place{ctx: ctx, s: s, parser: p}
	if cwd := p.valueOf("cwd"); cwd != "" {
		there, err := s.in(s.home(cwd), "")
		if err != nil {
			return offered{}
		}
		at.s = there
	}
	name, _, attached := strings.Cut(current, "=")
	f, known := p.known[strings.TrimLeft(name, "-")]
	switch {
	case p.ended && p.command.rest != nil:
		return offered{mode: modeProgram, skip: 1 + len(words) - len(p.rest)}
	case p.lost != nil:
		return offered{}
	case p.waiting != nil:
		return at.values(p.waiting.name, p.waiting.value)
	case p.ended || !strings.HasPrefix(current, "-"):
		return at.words()
	case !attached:
		return at.flags()
	case known:
		return at.values(f.name, f.value)
	}
	return offered{}
}

// valueOf returns the last value of that flag, or "".
func (p *parser) valueOf(name string) (value string) {
	for _, used := range p.used {
		if used.flag.name == name {
			value = used.value
		}
	}
	return value
}

// home returns path with the user's folder in place of a leading ~. Scripts pass words as they were
// typed.
func (s Streams) home(path string) string {
	if rest, found := strings.CutPrefix(path, "~/"); found {
		return filepath.Join(s.Env("HOME"), rest)
	}
	return path
}

// A place is where the line is to be completed: what parser has read stands before it.
type place struct {
	ctx context.Context
	s   Streams
	*parser
}

// words returns what may stand there besides flags: commands or arguments.
func (at place) words() offered {
	var o offered
	for _, child := range at.command.commands {
		o.candidates = append(o.candidates, candidate{child.name, child.summary})
	}
	if len(o.candidates) > 0 {
		return o
	}
	n := len(at.args)
	for i, a := range at.command.args {
		if i == n || (a.many && i < n) {
			return at.values("", a.name)
		}
	}
	return o
}

// flags returns the flags of the command and those of all commands.
func (at place) flags() (o offered) {
	own := at.command.flags
	if at.command == at.root {
		own = nil
	}
	for _, f := range slices.Concat(own, at.root.flags) {
		o.candidates = append(o.candidates, candidate{"--" + f.name, f.usage})
	}
	return o
}

// values returns the values that may stand for a placeholder of the help, such as DIR. flag is the
// name of the flag that takes it, or empty for an argument.
func (at place) values(flag, placeholder string) offered {
	if flag == "env" {
		return at.environments()
	}
	if texts, found := choices[placeholder]; found {
		return offer(texts...)
	}
	switch placeholder {
	case "FILE":
		return offered{mode: modeFiles}
	case "DIR", "DIR|PACKAGE":
		return offered{mode: modeFolders}
	case "TEMPLATE":
		var o offered
		for _, t := range templates.All() {
			o.candidates = append(o.candidates, candidate{t.Name, t.Description})
		}
		return o
	case "OBJECT":
		return offer(at.objects(strings.HasPrefix(at.path, "devtool alarms ") && at.command.name != "set")...)
	case "CLASS":
		var classes []string
		for _, object := range at.objects(false) {
			class, _, _ := strings.Cut(object, "/")
			classes = append(classes, class)
		}
		return offer(slices.Compact(classes)...)
	case "EXPR":
		return offer(at.crons()...)
	}
	return offered{}
}

// choices are the values of flags and arguments that take one of a few, by the placeholder of the
// help.
var choices = map[string][]string{
	"CHOICE":   {string(state.BothKeep), string(state.BothGiveBack)},
	"FORMAT":   {logText, logJSON},
	"LEVEL":    {"debug", "info", "warn", "error", "none"},
	"POLICY":   {"fire", "skip", "hold"},
	"PROFILE":  {"production", "local"},
	"PROTOCOL": {plainHTTP, secureHTTP},
	"SHELL":    completionShells,
	"TYPE":     {"json", "bytes", "time"},
}

// environments returns the environments of the configuration.
func (at place) environments() offered {
	path, err := at.s.configPath(at.s.home(at.valueOf("config")))
	if err != nil {
		return offered{}
	}
	names, err := config.Environments(path)
	if err != nil {
		return offered{}
	}
	return offer(names...)
}

// objects returns the objects of the running emulator, or only the ones with an alarm, as commands
// write them, sorted. There are none if no emulator answers.
func (at place) objects(withAlarm bool) (names []string) {
	add := func(o control.Object) { names = append(names, writable(o)) }
	at.ask(func(ctx context.Context, c *client.Client) {
		if withAlarm {
			pending, err := c.ListAlarms(ctx, control.AlarmsRequest{})
			if err != nil {
				return
			}
			for _, a := range pending.Alarms {
				add(a.Object)
			}
			return
		}
		list, err := c.ListObjects(ctx)
		if err != nil {
			return
		}
		for _, o := range list.Objects {
			add(o.Object)
		}
	})
	slices.Sort(names)
	return names[:min(len(names), maxCandidates)]
}

// ask calls f with the client of the running emulator, unless there is none. ctx ends when the
// emulator has had its time to answer.
func (at place) ask(f func(ctx context.Context, c *client.Client)) {
	q := question{url: at.valueOf("url")}
	c, err := q.client(at.s)
	if err != nil {
		return
	}
	c.OnSilence = nil // the shell shows a line with the words that somebody types
	ctx, cancel := context.WithTimeout(at.ctx, completeTimeout)
	defer cancel()
	f(ctx, c)
}

// writable returns the object as it can be typed on a line: by its id if the name has characters
// that can't be.
func writable(o control.Object) string {
	named := o.String()
	parsed, err := parseObject(named)
	if o.ID != "" && (err != nil || parsed.Name != o.Name || strings.ContainsFunc(o.Name, untypable)) {
		return o.Class + "/" + o.ID
	}
	return named
}

func untypable(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) && r != ' ' }

// crons returns the expressions of the running emulator's cron triggers.
func (at place) crons() (expressions []string) {
	at.ask(func(ctx context.Context, c *client.Client) {
		list, err := c.Crons(ctx)
		if err != nil {
			return
		}
		for _, trigger := range list.Crons {
			expressions = append(expressions, trigger.Cron)
		}
	})
	return expressions
}
