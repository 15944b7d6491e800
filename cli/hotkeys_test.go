package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// keysOf returns hotkeys for an emulator that answers as api does, and their terminal.
func keysOf(t *testing.T, columns int, api http.HandlerFunc) (*hotkeys, *VT) {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	d, vt := shownOn(columns)
	h := &hotkeys{
		display: d,
		client:  &client.Client{URL: server.URL},
		quit:    func() {},
		leaving: "exit",
		browse:  func(string) error { return errors.New("there is no browser here") },
	}
	h.show()
	return h, vt
}

// shows waits until the terminal has a line that begins with text.
func shows(t *testing.T, vt *VT, text string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		for _, line := range vt.Lines() {
			if strings.HasPrefix(line, text) {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %q, want a line %q", vt.Lines(), text)
		}
		<-tick.C
	}
}

func answerWith(t *testing.T, status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}
}

func TestAnErrorOfAHotkeyIsALine(t *testing.T) {
	refused := answerWith(t, http.StatusConflict, control.Error{Message: "not\nnow", Hint: "wait a little"})
	for keys, want := range map[string]string{
		"a":       `fire next alarm: not\nnow (Wait a little)`,
		"t10s\r":  `advance time: not\nnow (Wait a little)`,
		"t-1s\n":  "advance time: the clock cannot go back, so not by -1s (Give a duration",
		"tbanana": "advance the clock by (10s, 1h30m, 2d; Esc cancels): banana",
		"f":       `freeze or resume: not\nnow (Wait a little)`,
		"r":       `restart program: not\nnow (Wait a little)`,
		"b":       "open browser: there is no browser here",
		"?":       "  a  run the alarm that is due first",
	} {
		t.Run(keys, func(t *testing.T) {
			h, vt := keysOf(t, 200, refused)
			h.feed(t.Context(), []byte(keys))
			shows(t, vt, want)
		})
	}
}

func TestOneHotkeyWaitsForTheOther(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	h, vt := keysOf(t, 200, func(w http.ResponseWriter, r *http.Request) {
		close(asked) // a second time it would panic
		<-goOn
		answerWith(t, http.StatusOK, control.Program{})(w, r)
	})
	h.feed(t.Context(), []byte("r"))
	<-asked
	h.feed(t.Context(), []byte("a"))
	shows(t, vt, "fire next alarm: not while this is under way: restart program")
	close(goOn)
}

func TestKeysThatEndAndKeysThatDoNot(t *testing.T) {
	for keys, want := range map[string]int{
		"x":          1,
		"q":          1,
		"X":          1,
		"\x1b":       0,
		"\x1b[A":     0,
		"\x1b[1;5Cx": 1,
		"\x1bOx":     0,
		"tx\x1b":     0,
		"tx\x15\r":   0,
		"tx\x1bx":    1,
		"z\x00\xff":  0,
	} {
		h, _ := keysOf(t, 200, http.NotFound)
		ended := 0
		h.quit = func() { ended++ }
		for i := range len(keys) { // a key at a time
			if keys[i] == '\x1b' { // a terminal sends a sequence in one piece
				h.feed(t.Context(), []byte(keys[i:]))
				break
			}
			h.feed(t.Context(), []byte(keys[i:i+1]))
		}
		if ended != want {
			t.Errorf("%q: ended %d times, want %d", keys, ended, want)
		}
	}
}

func TestTheLegendNeverWraps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &hotkeys{
			leaving: rapid.SampledFrom([]string{"exit", "detach"}).Draw(t, "leaving"),
			colored: rapid.Bool().Draw(t, "colored"),
		}
		if rapid.Bool().Draw(t, "asking") {
			h.asking = &prompt{text: "how far? ", typed: []rune(rapid.String().Draw(t, "typed"))}
		}
		columns := rapid.IntRange(0, 200).Draw(t, "columns")
		footer := h.legend
		if h.asking != nil {
			footer = h.asking.footer()
		}
		text, _ := footer(columns)
		text = strings.TrimSuffix(strings.TrimPrefix(text, "\x1b[2m"), "\x1b[0m")
		if got := utf8.RuneCountInString(text); got > columns {
			t.Fatalf("got %d characters %q for %d columns", got, text, columns)
		}
	})
}

// FuzzHotkeys types any bytes, in pieces of any size. The terminal must show no escape sequence,
// and each advance must have a duration.
func FuzzHotkeys(f *testing.F) {
	for _, seed := range []string{"t10s\r", "t\x1b[A1h\x7f\x7f\r", "af?c", "\x1b", "\x1b[", "tt\x15\x03é\xc3"} {
		f.Add([]byte(seed), 1)
	}
	var mu sync.Mutex
	bad := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/time/advance") {
			var q control.AdvanceRequest
			if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Duration == "" {
				mu.Lock()
				bad = fmt.Sprintf("%+v, %v", q, err)
				mu.Unlock()
			}
		}
		http.Error(w, "{}", http.StatusTeapot)
	}))
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, typed []byte, piece int) {
		d, vt := shownOn(40)
		h := &hotkeys{
			display: d,
			client:  &client.Client{URL: server.URL},
			quit:    func() {},
			leaving: "exit",
			browse:  func(string) error { return nil },
		}
		h.show()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		piece = max(1, min(piece, len(typed)))
		for len(typed) > 0 {
			n := min(piece, len(typed))
			h.feed(ctx, typed[:n])
			typed = typed[n:]
		}
		for _, line := range vt.Lines() {
			if strings.ContainsRune(line, '\x1b') {
				t.Errorf("the terminal shows an escape sequence: %q", line)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if bad != "" {
			t.Errorf("a bad advance was sent: %s", bad)
		}
	})
}
