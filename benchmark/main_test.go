package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// fakeServerRole is the variable that makes the test binary the server of a fake side, with its
// value as the role; see server_linux_test.go.
const fakeServerRole = "BENCHMARK_PLAY_SERVER"

func TestMain(m *testing.M) {
	if role := os.Getenv(fakeServerRole); role != "" {
		runFakeServer(role)
		return
	}
	goleak.VerifyTestMain(m)
}

// runFakeServer acts as a server in a test, by its role. It ends with its standard input.
func runFakeServer(role string) {
	ready := os.NewFile(3, "ready")
	switch role {
	case "ready":
		fmt.Fprintln(ready, "127.0.0.1:1234 is where I am")
	case "broken":
		fmt.Fprintln(os.Stderr, "no such handler")
		os.Exit(1)
	case "garbled":
		fmt.Fprintln(ready, "?")
	}
	bufio.NewReader(os.Stdin).ReadString('\n')
}

func TestFlags(t *testing.T) {
	defaults := options{rounds: 3, duration: 2 * time.Second}
	for _, test := range []struct {
		args string
		want options
		err  string // part of the error
	}{
		{"", defaults, ""},
		{"-rounds 5 -duration 100ms -json -workerd /bin/workerd",
			options{5, 100 * time.Millisecond, "/bin/workerd", "", true}, ""},
		{"-only wrangler", options{rounds: 3, duration: 2 * time.Second, only: tableWrangler}, ""},
		{"-only vite", options{}, `-only is "vite": it must be workerd, wrangler or build`},
		{"-rounds 0", options{}, "-rounds is 0: it must be at least 1"},
		{"-duration -1s", options{}, "-duration is -1s"},
		{"quick", options{}, `unexpected argument "quick"`},
		{"-fast", options{}, "not defined: -fast"},
	} {
		got, err := parse(strings.Fields(test.args), io.Discard)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: got error %v, want one with %q", test.args, err, test.err)
			}
			continue
		}
		if got != test.want || err != nil {
			t.Errorf("%q: got %+v, %v, want %+v", test.args, got, err, test.want)
		}
	}
}

func TestHelpIsNotAFailure(t *testing.T) {
	var help strings.Builder
	err := run(t.Context(), []string{"-help"}, io.Discard, &help)
	if !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got error %v, want %v", err, flag.ErrHelp)
	}
	for _, name := range []string{"-rounds", "-duration", "-workerd", "-only", "-json"} {
		if !strings.Contains(help.String(), name) {
			t.Errorf("the help does not name %s:\n%s", name, help.String())
		}
	}
}
