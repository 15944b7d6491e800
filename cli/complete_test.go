package cli

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/emulator/control"
)

// completed returns what `devtool __complete` prints, which must succeed silently.
func completed(t *testing.T, dir string, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	s := Streams{
		In: strings.NewReader(""), Out: &out, Err: &errs, Dir: dir,
		Env: func(string) string { return "" }, Environ: func() []string { return nil },
		IsTerminal: func(any) bool { return false },
	}
	if code := Run(t.Context(), append([]string{completeCommand}, args...), s); code != 0 || errs.Len() > 0 {
		t.Errorf("%q: got exit code %d and %q, want 0 and no error", args, code, errs.String())
	}
	return out.String()
}

func TestCompletionOffersWhatMayStandThere(t *testing.T) {
	dir := t.TempDir()
	config := "{\"name\": \"app\", \"env\": {\"staging\": {}, \"live\": {}}}"
	if err := os.WriteFile(filepath.Join(dir, "wrangler.jsonc"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line string // the words after devtool, for zsh
		want string // the beginnings of lines
	}{
		{"~", "words init dev exec"},
		{"time ~", "words now advance next"},
		{"--cwd . time ad", "words now advance next"},
		{"help time ~", "words now advance next"},
		{"alarms -", "words --cwd --help --version"},
		{"time advance -", "words --json --url --max-runs"},
		{"dev --missed ~", "words fire skip hold"},
		{"dev --missed=h", "words fire skip hold"},
		{"dev --log-level ~", "words debug info warn error none"},
		{"dev --limits ~", "words production local"},
		{"dev --log-format ~", "words text json"},
		{"dev --local-protocol ~", "words http https"},
		{"dev -e ~", "words staging live"},
		{"dev --env=~", "words staging live"},
		{"objects put a b c --type ~", "words json bytes time"},
		{"init --template ~", "words batcher counter"},
		{"completion ~", "words bash zsh fish"},
		{"dev --config ~", "files"},
		{"dev -c ~", "files"},
		{"config check a.toml ~", "files"},
		{"dev ~", "folders"},
		{"--cwd ~", "folders"},
		{"vet a b ~", "folders"},
		{"exec -- ~", "program 3"},
		{"exec app -- make ~", "program 4"},
		{"dev a b ~", "words"},
		{"dev --port ~", "words"},
		{"dev --nonsense=~", "words"},
		{"nonsense ~", "words"},
		{"time advance ~", "words"},
		{"init -- -", "folders"},
		{"objects show ~", "words"},
		{"--cwd nowhere objects show ~", "words"},
		{"alarms list --class ~", "words"},
		{"cron trigger ~", "words"},
	} {
		args := []string{"zsh"}
		for _, word := range strings.Fields(test.line) {
			args = append(args, strings.TrimSuffix(word, "~"))
		}
		lines := strings.Split(strings.TrimSuffix(completed(t, dir, args...), "\n"), "\n")
		var got []string
		for _, line := range lines {
			text, _, _ := strings.Cut(line, "\t")
			got = append(got, text)
		}
		want := strings.Split(test.want, " ")
		if want[0] == modeProgram {
			want = []string{test.want}
		}
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) || (len(want) == 1 && len(got) != 1) {
			t.Errorf("%s: got %q, want it to begin with %q", test.line, got, want)
		}
	}
	if got, want := completed(t, dir, "zsh"), ""; got != want {
		t.Errorf("without a word: got %q, want %q", got, want)
	}
	got, want := completed(t, dir, "fish", "dev", "--limits=p"), "words\n--limits=production\n--limits=local\n"
	if got != want {
		t.Errorf("fish: got %q, want %q", got, want)
	}
}

// TestEveryPlaceholderIsCompleted makes sure that a new flag or argument with a new placeholder is
// not forgotten.
func TestEveryPlaceholderIsCompleted(t *testing.T) {
	offered := []string{"FILE", "DIR", "DIR|PACKAGE", "TEMPLATE", "OBJECT", "CLASS", "EXPR"}
	offered = slices.AppendSeq(offered, maps.Keys(choices))
	freeText := []string{
		"ADDRESS", "ARG", "DURATION", "HOST", "KEY", "KEY:VALUE", "N", "NAME", "PORT", "QUERY", "RATE", "TEXT", "TIME",
		"URL", "VALUE", "WHEN",
	}
	rootCommand(new(globals)).walk("devtool", func(path string, c *command) {
		placeholders := []string{}
		for _, a := range c.args {
			placeholders = append(placeholders, a.name)
		}
		for _, f := range c.flags {
			if f.value != "" {
				placeholders = append(placeholders, f.value)
			}
		}
		for _, p := range placeholders {
			if !slices.Contains(offered, p) && !slices.Contains(freeText, p) {
				t.Errorf("`%s`: %s is neither completed nor free text", path, p)
			}
		}
	})
}

func TestEveryChoiceIsAccepted(t *testing.T) {
	for placeholder, set := range map[string]func(o *devOptions, value string){
		"FORMAT":  func(o *devOptions, value string) { o.logFormat = value },
		"LEVEL":   func(o *devOptions, value string) { o.logLevel = value },
		"POLICY":  func(o *devOptions, value string) { o.missed = value },
		"PROFILE": func(o *devOptions, value string) { o.limits = value },
		"PROTOCOL": func(o *devOptions, value string) {
			o.localProtocol, o.upstreamProtocol = value, value
		},
	} {
		for _, value := range choices[placeholder] {
			o := newDevOptions()
			set(&o, value)
			if _, err := o.parse(); err != nil {
				t.Errorf("%s: %v", value, err)
			}
		}
	}
	for _, shell := range choices["SHELL"] {
		if _, err := completionScripts.ReadFile("completion/devtool." + shell); err != nil {
			t.Error(err)
		}
	}
}

// TestCompletionIsSilentWhateverAnswers asks servers that are no emulator.
func TestCompletionIsSilentWhateverAnswers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"another server": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusNotFound) },
		"an old emulator": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"error": "there is no such thing", "code": "internal"}`))
		},
		"one that hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(handler)
			defer server.Close()
			for _, words := range []string{"objects show", "alarms trigger", "cron trigger"} {
				args := append([]string{"zsh", "--url", server.URL}, strings.Fields(words)...)
				if got := completed(t, t.TempDir(), append(args, "")...); got != "words\n" {
					t.Errorf("%s: got %q, want no candidates", words, got)
				}
			}
		})
	}
}

func TestObjectsThatCannotBeTypedHaveTheirID(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for name, want := range map[string]string{
		"":                       "C/" + id,
		"plain":                  "C/plain",
		"two words":              "C/two words",
		"a/b":                    "C/a/b",
		"two\nlines":             "C/" + id,
		"a\ttab":                 "C/" + id,
		"\x1b[31m":               "C/" + id,
		"no\u2028break":          "C/" + id,
		"no\u202eorder":          "C/" + id,
		strings.Repeat("12", 32): "C/name:" + strings.Repeat("12", 32), // without the mark, it is an id
		"\xff":                   "C/" + id,
	} {
		if got := writable(control.Object{Class: "C", Name: name, ID: id}); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// TestCompletionOfBashSurvivesStrictOptions completes without a devtool command: a mere Tab must
// not end a shell that ends with the first failure.
func TestCompletionOfBashSurvivesStrictOptions(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed: it is in the package bash")
	}
	script, err := os.ReadFile("completion/devtool.bash")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile")
	command.Stdin = strings.NewReader("set -eu\n" + string(script) + "\nPATH=/nonexistent\n" +
		"COMP_LINE='devtool ob' COMP_POINT=10\n_devtool devtool ob devtool\necho goes on\n")
	out, err := command.CombinedOutput()
	if err != nil || string(out) != "goes on\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

// TestBashReadsWhatIsInserted lets bash read texts that quoteBash has quoted.
func TestBashReadsWhatIsInserted(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed: it is in the package bash")
	}
	var texts []string
	text := rapid.StringOf(rapid.OneOf(
		rapid.SampledFrom([]rune("'\"\\$`!#~*?[]{}()<>|&;:=, ab-^")),
		rapid.Rune().Filter(func(r rune) bool { return !untypable(r) }),
	))
	rapid.Check(t, func(t *rapid.T) { texts = append(texts, text.Draw(t, "text")) })
	var script strings.Builder
	var want []string
	for _, text := range texts {
		for _, open := range []byte{0, '\'', '"'} {
			quoted := quoteBash(text, open)
			words, last := splitBash("devtool x" + strings.Trim(string(open), "\x00") + quoted)
			if len(words) != 1 || last.text != "x"+text || last.expanded {
				t.Errorf("%s: got %q and %+v, want the text %q", quoted, words, last, "x"+text)
			}
			line := "x"
			if open != 0 {
				line += string(open)
			}
			line += quoted
			if open != 0 && !strings.HasSuffix(quoted, string(open)) {
				line += string(open) // as bash does
			}
			script.WriteString("printf '%s\\0' " + line + "\n")
			want = append(want, "x"+text)
		}
	}
	command := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile")
	command.Stdin = strings.NewReader(script.String())
	command.Env = []string{"LC_ALL=C.UTF-8"}
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("got %q, want %q", got[i], want[i])
			}
		}
		t.Errorf("got %d words, want %d", len(got), len(want))
	}
}

func TestSplitBash(t *testing.T) {
	for line, want := range map[string]struct {
		words []string
		last  bashWord
	}{
		"":                    {nil, bashWord{}},
		"devtool":             {nil, bashWord{text: "devtool"}},
		"devtool ":            {[]string{"devtool"}, bashWord{start: 8}},
		"devtool  time  ad":   {[]string{"devtool", "time"}, bashWord{text: "ad", start: 15}},
		"a 'b c' \"d":         {[]string{"a", "b c"}, bashWord{text: "d", start: 8, quote: '"'}},
		`a '' b\ c`:           {[]string{"a", ""}, bashWord{text: "b c", start: 5}},
		`a "\"\$\x\\`:         {[]string{"a"}, bashWord{text: `"$\x\`, start: 2, quote: '"'}},
		`a b\`:                {[]string{"a"}, bashWord{text: "b", start: 2}},
		"a $HOME/x":           {[]string{"a"}, bashWord{text: "$HOME/x", start: 2, expanded: true}},
		"a '$HOME":            {[]string{"a"}, bashWord{text: "$HOME", start: 2, quote: '\''}},
		"cd x; devtool time ": {[]string{"devtool", "time"}, bashWord{start: 19}},
		"x=$(devtool ti":      {[]string{"devtool"}, bashWord{text: "ti", start: 12}},
		"devtool logs >fi":    {nil, bashWord{text: "fi", start: 14}},
	} {
		words, last := splitBash(line)
		if !slices.Equal(words, want.words) || last != want.last {
			t.Errorf("%q: got %q, %+v, want %q, %+v", line, words, last, want.words, want.last)
		}
	}
}

// TestCompletionOfBashLeavesOutWhatStays uses candidates without an emulator.
func TestCompletionOfBashLeavesOutWhatStays(t *testing.T) {
	for _, test := range []struct{ line, word, want string }{
		{"devtool ti", "ti", "words\ntime\n"},
		{"devtool 'ti", "ti", "words\ntime\n"},
		{`devtool t"i`, "i", "words\nime\n"},
		{"devtool dev --log-level=d", "d", "words\ndebug\n"},
		{"devtool dev --log-level=", "", "words\ndebug\ninfo\nwarn\nerror\nnone\n"},
		{"devtool dev --missed f", "f", "words\nfire\n"},
		{"devtool $x", "$x", "files\n"},
		{"devtool dev ", "", "folders\n"},
		{"devtool exec -- ma", "ma", "program\n"},
		{"devtool exec -- make ma", "ma", "files\n"},
		{"devtool dev --nonsense", "--nonsense", "words\n"},
		{"", "", "files\n"},
	} {
		if got := completed(t, t.TempDir(), "bash", test.line, test.word); got != test.want {
			t.Errorf("%q: got %q, want %q", test.line, got, test.want)
		}
	}
}

func FuzzCompleteBash(f *testing.F) {
	f.Add("devtool objects show 'a", "a")
	f.Add(`devtool dev --log-level="d`, "d")
	f.Fuzz(func(t *testing.T, line, word string) {
		dir := t.TempDir()
		s := Streams{Dir: dir, Env: func(string) string { return "" }}
		var b bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // no emulator is asked
		completeBash(ctx, s, &b, line, word)
		if mode, _, _ := strings.Cut(b.String(), "\n"); !slices.Contains(
			[]string{modeWords, modeFiles, modeFolders, modeProgram}, mode) {
			t.Errorf("got the mode %q", mode)
		}
	})
}
