package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/internal/printable"
)

// hotkeys are what single keys do while `devtool dev` has the terminal (keyboard_unix.go reads
// them). Each sends a request that a command of devtool also sends, so a key can do no more than a
// command. Actions that take time run beside the keys, one at a time. Their results and errors are
// lines of the log.
type hotkeys struct {
	display *display
	client  *client.Client
	url     string // for the browser
	quit    func() // ends the command
	leaving string // what that is called: "exit", or "detach" if the emulator goes on
	browse  func(url string) error
	colored bool

	// typing guards what follows.
	typing sync.Mutex
	asking *prompt
	escape []byte // of the sequence that a special key sends, as far as it has come

	// mu guards busy, the name of the running action, or empty.
	mu   sync.Mutex
	busy string
}

// offerHotkeys turns the hotkeys on until release is called, if the terminal is interactive and
// its output is for people.
func offerHotkeys(ctx context.Context, s Streams, o devOptions, h *hotkeys) (release func()) {
	plain := o.json || o.logFormat == logJSON
	if plain || !s.IsTerminal(s.In) || !s.IsTerminal(s.Err) || s.Env("TERM") == "dumb" {
		return func() {}
	}
	h.colored = colored(s, s.Err)
	h.browse = browser(s)
	return useKeyboard(ctx, s.In, h)
}

// hotkey is a key and what it does.
type hotkey struct {
	key   string
	short string // for a narrow legend
	about string
	help  string
	does  func(ctx context.Context)
}

// table is in the order of the legend.
func (h *hotkeys) table() []hotkey {
	return []hotkey{
		{"b", "browser", "open browser", "open " + h.url + " in the browser", h.openBrowser},
		{"a", "alarm", "fire next alarm",
			"run the alarm that is due first, now (`devtool alarms trigger`)", h.fireAlarm},
		{"t", "time", "advance time", "move the clock on and run what comes due (`devtool time advance`)", h.askHowFar},
		{"f", "freeze", "freeze/resume",
			"stop the clock where it stands, or let it run on (`devtool time freeze`, `resume`)", h.toggleClock},
		{"r", "restart", "restart program",
			"start the handler program again, built first if what is saved does not serve; objects keep their storage",
			h.restart},
		{"c", "clear", "clear", "clear the terminal", func(context.Context) { h.display.clear() }},
		{"x", h.leaving, h.leaving, h.leaving + " (also q and Ctrl-C)", func(context.Context) { h.quit() }},
		{"?", "help", "help",
			"this list; `devtool --help` lists the commands, which work from any other terminal", h.help},
	}
}

// legend is the footer that lists the keys, in the longest form that fits.
func (h *hotkeys) legend(columns int) (text string, cursorAtEnd bool) {
	var long, short, bare []string
	for _, k := range h.table() {
		long = append(long, "["+k.key+"] "+k.about)
		short = append(short, k.key+" "+k.short)
		bare = append(bare, k.key)
	}
	candidates := []string{strings.Join(long, "  "), strings.Join(short, "  "), strings.Join(bare, " "), "?"}
	for _, candidate := range candidates {
		if len(candidate) <= columns {
			if h.colored {
				candidate = "\x1b[2m" + candidate + "\x1b[0m"
			}
			return candidate, false
		}
	}
	return "", false
}

// show shows the legend, or the open question.
func (h *hotkeys) show() {
	h.typing.Lock()
	defer h.typing.Unlock()
	h.showLocked()
}

func (h *hotkeys) showLocked() {
	if h.asking != nil {
		h.display.show(h.asking.footer())
		return
	}
	h.display.show(h.legend)
}

// feed handles input from the keyboard.
func (h *hotkeys) feed(ctx context.Context, typed []byte) {
	h.typing.Lock()
	defer h.typing.Unlock()
	for len(typed) > 0 {
		r, size := utf8.DecodeRune(typed)
		rest := typed[size:]
		switch {
		case len(h.escape) > 0:
			h.sequence(typed[0])
			rest = typed[1:]
		case r == '\x1b' && len(rest) > 0 && (rest[0] == '[' || rest[0] == 'O'):
			h.escape = []byte{rest[0]} // an arrow or the like: it has no meaning here
			rest = rest[1:]
		default:
			h.key(ctx, r)
		}
		typed = rest
	}
}

// sequence takes a byte of the sequence of a special key, which ends with a letter or ~.
func (h *hotkeys) sequence(b byte) {
	h.escape = append(h.escape, b)
	if b >= 0x40 && b <= 0x7e || len(h.escape) > 16 {
		h.escape = nil
	}
}

func (h *hotkeys) key(ctx context.Context, r rune) {
	if q := h.asking; q != nil {
		if answer, done := q.key(r); done {
			h.asking = nil
			h.showLocked()
			if answer != "" {
				q.answered(answer)
			}
			return
		}
		h.showLocked()
		return
	}
	name := strings.ToLower(string(r))
	if name == "q" {
		name = "x"
	}
	for _, k := range h.table() {
		if k.key == name {
			k.does(ctx)
		}
	}
}

// say writes a line into the log.
func (h *hotkeys) say(format string, args ...any) {
	fmt.Fprintln(h.display, printable.Line(fmt.Sprintf(format, args...)))
}

// complain writes a line with err and its hint.
func (h *hotkeys) complain(what string, err error) {
	message, hint := explain(err)
	if hint != "" {
		message += " (" + hint + ")"
	}
	h.say("%s: %s", what, message)
}

// start runs do beside the keys, unless another action runs. It shows the result after do has
// ended, so that the next key works as soon as the result is on the screen.
func (h *hotkeys) start(ctx context.Context, what string, do func(context.Context) (said string, err error)) {
	h.mu.Lock()
	under := h.busy
	h.busy = cmp.Or(under, what)
	h.mu.Unlock()
	if under != "" {
		h.say("%s: not while this is under way: %s", what, under)
		return
	}
	go func() {
		said, err := do(ctx)
		h.mu.Lock()
		h.busy = ""
		h.mu.Unlock()
		if said != "" {
			h.say("%s", said)
		}
		if err != nil && ctx.Err() == nil {
			h.complain(what, err)
		}
	}()
}

func (h *hotkeys) openBrowser(context.Context) {
	go func() {
		if err := h.browse(h.url); err != nil {
			h.complain("open browser", err)
		}
	}()
}

func (h *hotkeys) fireAlarm(ctx context.Context) {
	h.start(ctx, "fire next alarm", func(ctx context.Context) (string, error) {
		run, err := h.client.Trigger(ctx, control.TriggerRequest{})
		if err != nil {
			return "", err
		}
		next := "it has no alarm now"
		if run.Next != nil {
			next = "its next alarm is due " + dueIn(*run.Next, run.At)
		}
		return fmt.Sprintf("fired the alarm of %s: %s; %s", run.Object, run.Outcome, next), nil
	})
}

func (h *hotkeys) askHowFar(ctx context.Context) {
	h.asking = &prompt{
		text: "advance the clock by (10s, 1h30m, 2d; Esc cancels): ",
		answered: func(answer string) {
			d, err := parseAdvance(answer)
			if err != nil {
				h.complain("advance time", err)
				return
			}
			h.advance(ctx, d)
		},
	}
	h.showLocked()
}

func (h *hotkeys) advance(ctx context.Context, d time.Duration) {
	h.start(ctx, "advance time", func(ctx context.Context) (said string, err error) {
		done, err := h.client.Advance(ctx, control.AdvanceRequest{Duration: d.String()}, func(control.AdvanceEvent) {})
		if err != nil {
			return "", err
		}
		ran := "nothing came due"
		if done.Ran > 0 {
			ran = plural(int64(done.Ran), "run")
		}
		if done.Failed > 0 {
			ran += fmt.Sprintf(", of which %d failed for good", done.Failed)
		}
		if done.Stopped != "" {
			err = errors.New("the clock stopped early: " + done.Stopped)
		}
		next := nextText(done.Next, done.NextCron, done.To)
		return fmt.Sprintf("advanced by %s to %s: %s; next: %s",
			formatDuration(done.To.Sub(done.From)), formatTime(done.To), ran, next), err
	})
}

func (h *hotkeys) toggleClock(ctx context.Context) {
	h.start(ctx, "freeze or resume", func(ctx context.Context) (string, error) {
		now, err := h.client.Time(ctx)
		if err != nil {
			return "", err
		}
		change, what := h.client.Freeze, "frozen"
		if now.Mode == control.Frozen {
			change, what = h.client.Resume, "running again"
		}
		if now, err = change(ctx); err != nil {
			return "", err
		}
		return fmt.Sprintf("the clock is %s, at %s", what, formatTime(now.Now)), nil
	})
}

// restart needs no line: the log has one.
func (h *hotkeys) restart(ctx context.Context) {
	h.start(ctx, "restart program", func(ctx context.Context) (string, error) {
		_, err := h.client.RestartProgram(ctx)
		return "", err
	})
}

func (h *hotkeys) help(context.Context) {
	var b strings.Builder
	for _, k := range h.table() {
		fmt.Fprintf(&b, "  %s  %s\n", k.key, k.help)
	}
	h.display.Write([]byte(b.String())) //nolint:errcheck // nobody sees it
}

// prompt is a question on the line of the legend.
type prompt struct {
	text     string
	typed    []rune
	answered func(answer string) // is called with what was typed, unless that is nothing
}

// longestAnswer is the longest answer to a prompt, in characters.
const longestAnswer = 64

// key takes a key. done means that the question is answered or, with an empty answer, canceled.
func (q *prompt) key(r rune) (answer string, done bool) {
	switch r {
	case '\r', '\n':
		return strings.TrimSpace(string(q.typed)), true
	case '\x1b', '\x03', '\x04': // Esc, Ctrl-C where it comes as a key, Ctrl-D
		return "", true
	case '\x7f', '\b':
		q.typed = q.typed[:max(len(q.typed)-1, 0)]
	case '\x15', '\x17': // Ctrl-U, Ctrl-W
		q.typed = nil
	default:
		if r >= ' ' && r != utf8.RuneError && len(q.typed) < longestAnswer {
			q.typed = append(q.typed, r)
		}
	}
	return "", false
}

// footer returns the question and the input so far, or the end of both if they do not fit.
func (q *prompt) footer() footer {
	all := []rune(q.text + printable.Line(string(q.typed)))
	return func(columns int) (string, bool) { return string(all[max(len(all)-columns, 0):]), true }
}
