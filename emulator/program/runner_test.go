package program

import (
	"slices"
	"testing"
)

func TestTheEnvironmentOfAProgram(t *testing.T) {
	for _, c := range []struct{ env, want []string }{
		{nil, []string{"GOMAXPROCS=1", "GOGC=400"}},
		{[]string{"HOME=/h"}, []string{"HOME=/h", "GOMAXPROCS=1", "GOGC=400"}},
		{[]string{"GOMAXPROCS=4", "HOME=/h"}, []string{"GOMAXPROCS=4", "HOME=/h", "GOGC=400"}},
		{[]string{"GOGC=off", "GOMAXPROCS=4"}, []string{"GOGC=off", "GOMAXPROCS=4"}},
	} {
		if got := programEnv(c.env); !slices.Equal(got, c.want) {
			t.Errorf("for %q got %q, want %q", c.env, got, c.want)
		}
	}
}
