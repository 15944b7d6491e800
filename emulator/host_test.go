package emulator

import (
	"slices"
	"testing"
)

func TestAProgramRunsOnOneProcessorUnlessAsked(t *testing.T) {
	for _, c := range []struct{ env, want []string }{
		{nil, []string{"GOMAXPROCS=1"}},
		{[]string{"HOME=/h"}, []string{"HOME=/h", "GOMAXPROCS=1"}},
		{[]string{"GOMAXPROCS=4", "HOME=/h"}, []string{"GOMAXPROCS=4", "HOME=/h"}},
	} {
		if got := programEnv(c.env); !slices.Equal(got, c.want) {
			t.Errorf("for %q got %q, want %q", c.env, got, c.want)
		}
	}
}
