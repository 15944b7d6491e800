package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		name         string
		args         []string
		want         int
		out, problem string // part of the output
	}{
		{"help", []string{"--help"}, 0, "", "-sequences"},
		{"unknown flag", []string{"--seeds", "1"}, 2, "", "seeds"},
		{"argument", []string{"retry"}, 2, "", `unexpected argument "retry"`},
		{"bad pattern", []string{"--run", "("}, 2, "", "read --run"},
		{"no npm", nil, 1, "NOT RUN", ""},
		{"no npm, and not needed", []string{"--if-available"}, 0, "NOT RUN", ""},
		{"missing workerd", []string{"--workerd", "/nowhere/workerd"}, 1, "", "start workerd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
				t.Setenv(name, home)
			}
			t.Setenv("PATH", home) // where there is no npm
			var out, problems bytes.Buffer
			got := run(t.Context(), test.args, &out, &problems)
			if got != test.want || !strings.Contains(out.String(), test.out) ||
				!strings.Contains(problems.String(), test.problem) {
				t.Errorf("exit code %d, want %d\nout: %s\nproblems: %s", got, test.want, &out, &problems)
			}
		})
	}
}
