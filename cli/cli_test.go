package cli_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestErrorsAreColoredOnlyOnATerminal(t *testing.T) {
	const plain, red = "devtool: unknown command \"x\"\n", "\x1b[31mdevtool:\x1b[0m unknown command \"x\"\n"
	for _, test := range []struct {
		terminal bool
		env      map[string]string
		want     string
	}{
		{false, nil, plain},
		{true, nil, red},
		{true, map[string]string{"NO_COLOR": "1"}, plain},
		{true, map[string]string{"TERM": "dumb"}, plain},
		{true, map[string]string{"FORCE_COLOR": "0"}, plain},
		{false, map[string]string{"FORCE_COLOR": "1"}, red},
		{true, map[string]string{"NO_COLOR": "1", "FORCE_COLOR": "1"}, plain},
	} {
		got := call{dir: t.TempDir(), env: test.env, terminal: test.terminal}.run(t.Context(), "x")
		check(t, got, result{code: 2, err: test.want + "  See `devtool --help`\n"})
	}
}

func TestJSONErrorsAreNeverColored(t *testing.T) {
	got := call{dir: t.TempDir(), terminal: true}.run(t.Context(), "x", "--json")
	want := `{"error":"unknown command \"x\"","hint":"See ` + "`devtool --help`" + `"}` + "\n"
	check(t, got, result{code: 2, err: want})
}

func TestAnInterruptedCommandFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	got := call{dir: t.TempDir()}.run(ctx, "alarms", "trigger", "--url", server.URL)
	check(t, got, result{code: 1, err: "devtool: interrupted\n"})
}

func TestCallsDoNotShareOptions(t *testing.T) {
	c := call{dir: t.TempDir()}
	c.run(t.Context(), "version", "--json")
	if got := c.run(t.Context(), "version"); got.out[0] == '{' {
		t.Errorf("--json of one call still applies to the next: %s", got.out)
	}
}
