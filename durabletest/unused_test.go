package durabletest_test

import (
	"slices"
	"testing"

	"devtool.internal/durabletest"
)

func TestAFaultThatNeverStruckFailsTheTest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		inject func(*durabletest.Server, durabletest.Object)
		want   []string
	}{
		"untouched": {
			func(_ *durabletest.Server, o durabletest.Object) { o.CrashBeforeCommit() },
			[]string{"durabletest: CrashBeforeCommit of Lab/a never struck: no event has reached the object since"},
		},
		"nothing written": {
			func(srv *durabletest.Server, o durabletest.Object) {
				o.CrashAfterCommit()
				want(t, srv, "/a/greet", "hello")
			},
			[]string{
				"durabletest: CrashAfterCommit of Lab/a never struck: " +
					"no event of the object has written anything since",
			},
		},
		"no alarm": {
			func(srv *durabletest.Server, o durabletest.Object) {
				o.FailNextAlarm()
				want(t, srv, "/a/greet", "hello")
			},
			[]string{"durabletest: FailNextAlarm of Lab/a never struck: the object has no alarm"},
		},
		"not due": {
			func(srv *durabletest.Server, o durabletest.Object) {
				want(t, srv, "/a/arm", "armed")
				o.FailNextAlarm()
				o.DuplicateNextAlarm()
			},
			[]string{
				"durabletest: FailNextAlarm of Lab/a never struck: " +
					"its alarm is due at 2026-03-04T05:07:07Z, and the clock is at 2026-03-04T05:06:07Z",
				"durabletest: DuplicateNextAlarm of Lab/a never struck: " +
					"its alarm is due at 2026-03-04T05:07:07Z, and the clock is at 2026-03-04T05:06:07Z",
			},
		},
		"struck": {
			func(srv *durabletest.Server, o durabletest.Object) {
				o.CrashBeforeCommit()
				srv.Fetch("GET", "/a/count", "")
			},
			nil,
		},
		"a test that has ended too early": {
			func(srv *durabletest.Server, o durabletest.Object) {
				o.CrashBeforeCommit()
				o.Trigger() // which has no alarm, and ends the test
			},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := record(t, func(t testing.TB) {
				srv := start(t)
				tt.inject(srv, srv.Object("Lab", "a"))
			})
			if !slices.Equal(got.errors, tt.want) {
				t.Errorf("got %q, want %q", got.errors, tt.want)
			}
		})
	}
}
