package cli_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// culpritFirst matches a stack. Each line may be indented, and may have the object in front.
var culpritFirst = regexp.MustCompile(`\[running\]:\n *(\[\S+\] )?main\.culprit\(`)

// TestPanicsShowTheUsersFrames looks at each place that shows the stack of a panic.
func TestPanicsShowTheUsersFrames(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.edit("main.go",
		"func proxy(", `func culprit(m map[string]int) {
	if m != nil {
		runtime.Goexit()
	}
	m["x"] = 1
}

func start() { go culprit(nil); select {} }

func proxy(`,
		`case "/host":`, `case "/worker":
			culprit(nil)
		case "/crash":
			start()
		case "/host":`,
		"	if r.Method != http.MethodPost {", `	switch r.URL.Path {
	case "/panic":
		culprit(nil)
	case "/exit":
		culprit(map[string]int{})
	case "/block":
		b.state.BlockConcurrencyWhile(r.Context(), func(context.Context) error { culprit(nil); return nil })
	}
	if r.Method != http.MethodPost {`,
		"type Basic struct{ storage", "type Basic struct {\n\tstate *durable.State\n\tstorage",
		"*durable.Storage }", "*durable.Storage\n}",
		"&Basic{storage:", "&Basic{state: state, storage:",
		"import (", "import (\n\t\"runtime\"")
	s := p.dev()
	for _, path := range []string{"/worker", "/panic", "/exit", "/block", "/crash"} {
		logged := len(s.stderr.String())
		status, body := s.fetch(http.MethodGet, path, "")
		r := s.request(http.MethodGet, path, nil)
		r.Header.Set("Accept", "text/html")
		_, page, err := s.send(r)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the log has the panic", func() bool {
			return strings.Count(s.stderr.String()[logged:], "GET "+path+" 500") == 2
		})
		for where, text := range map[string]string{
			"the answer": body, "the page": page, "the log": s.stderr.String()[logged:],
		} {
			if path != "/block" || where == "the log" { // its caller gets the reason of the reset
				if status != 500 || !culpritFirst.MatchString(text) {
					t.Errorf("%s, %s: got %d, and no stack that begins with the culprit:\n%s",
						path, where, status, text)
				}
			}
			for _, hidden := range []string{"devtool.internal/durable.", "debug.Stack", "panic.go", "durable/wire"} {
				if strings.Contains(text, hidden) {
					t.Errorf("%s, %s: got %q in\n%s", path, where, hidden, text)
				}
			}
		}
	}
}

// TestCrashesShowTheUsersFrames ends the program in the ways that no handler can recover from. The
// runtime's own report is what dev shows.
func TestCrashesShowTheUsersFrames(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	p.edit("main.go",
		"func proxy(", `var written = map[int]int{}

func culprit(n int) int {
	if n > 1 {
		return culprit(n+1) + 1
	}
	for i := 0; ; i++ {
		written[i%100] = i
		if i%7 == 0 {
			runtime.Gosched()
		}
	}
}

func proxy(`,
		"	if r.Method != http.MethodPost {", `	switch r.URL.Path {
	case "/writes":
		runtime.GOMAXPROCS(4)
		for range 8 {
			go culprit(0)
		}
		culprit(0)
	case "/overflow":
		debug.SetMaxStack(1 << 20)
		culprit(2)
	}
	if r.Method != http.MethodPost {`,
		"import (", "import (\n\t\"runtime\"\n\t\"runtime/debug\"")
	s := p.dev()
	for path, reason := range map[string]string{
		"/writes":   "fatal error: concurrent map writes",
		"/overflow": "fatal error: stack overflow",
	} {
		logged := len(s.stderr.String())
		status, body := s.fetch(http.MethodGet, path, "")
		eventually(t, "the log has the crash", func() bool {
			return strings.Contains(s.stderr.String()[logged:], "GET "+path+" 500")
		})
		log := s.stderr.String()[logged:]
		for where, text := range map[string]string{"the answer": body, "the log": log} {
			culprit := strings.Index(text, "main.culprit(")
			at := strings.Index(text, reason+"\n")
			if status != 500 || at < 0 || culprit < at || strings.Count(text[at:culprit], "\n") > 6 {
				t.Errorf("%s, %s: got %d, and no stack that begins with the culprit:\n%s", path, where, status, text)
			}
			for _, hidden := range []string{"devtool.internal/", "runtime.throw", "runtime stack:", "main.main"} {
				if strings.Contains(text, hidden) {
					t.Errorf("%s, %s: got %q in\n%s", path, where, hidden, text)
				}
			}
		}
		const note = "Frames of the SDK and of the runtime are left out; .devtool/build/crash.txt has all of them.\n"
		if strings.Count(log, note) != 1 {
			t.Errorf("%s: got a log without the file's name:\n%s", path, log)
		}
		whole := p.read(".devtool/build/crash.txt")
		thrown := regexp.MustCompile(`(?m)^(runtime\.throw|internal/runtime/maps\.fatal)\(`)
		if !strings.HasPrefix(whole, reason+"\n") || !thrown.MatchString(whole) {
			t.Errorf("%s: the file has\n%s", path, whole)
		}
	}
}
