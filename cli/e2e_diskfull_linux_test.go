package cli_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"devtool.internal/emulator/control"
)

// fillDisk makes every write of the emulator to a file fail, also one in place: no file of it may
// have a byte. freeDisk undoes that. A user may do so with processes of their own.
func (s *server) fillDisk() { s.limitFiles(0) }
func (s *server) freeDisk() { s.limitFiles(1 << 40) }

func (s *server) limitFiles(bytes uint64) {
	s.t.Helper()
	const fileSize = 1 // RLIMIT_FSIZE
	limit := syscall.Rlimit{Cur: bytes, Max: 1 << 40}
	_, _, err := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(s.cmd.Process.Pid), fileSize,
		uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if err != 0 {
		s.t.Fatal(err)
	}
}

func TestAMoveThatCantBeSavedFails(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	s.fetch(http.MethodPost, "/", "") // sets an alarm an hour ahead
	before := p.time()
	s.fillDisk()
	for _, move := range [][]string{
		{"advance", "10m"}, {"advance", "0s"}, {"advance", "2h"}, {"next"}, {"jump", "1d"}, {"set", "2400-01-01"},
		{"speed", "60"}, {"freeze"}, {"resume"}, {"reset", "--force"},
	} {
		got := p.devtool(append([]string{"time"}, move...)...)
		if got.code != 1 || !strings.Contains(got.err, "the clock's time can't be saved") ||
			!strings.Contains(got.err, "clock.json") {
			t.Errorf("time %s: got %+v, want exit code 1 and why", strings.Join(move, " "), got)
		}
	}
	now := p.time()
	if !now.Now.Equal(before.Now) || now.Mode != control.Frozen || now.Unsaved == "" || len(p.alarms().Alarms) != 1 {
		t.Errorf("after all that: got %+v, want %+v and why it is not saved", now, before)
	}
	if got := p.devtool("time", "now"); !strings.Contains(got.out, "not saved  ") {
		t.Errorf("time now: got %s, want that it is not saved", got.out)
	}
	s.awaitLog("the clock can't be saved")
	if n := strings.Count(s.stderr.String(), "the clock can't be saved"); n != 1 {
		t.Errorf("the log said %d times that the clock can't be saved, want once", n)
	}
	s.freeDisk()
	if got, want := outcomes(p.advance("10m")), []string(nil); !slices.Equal(got, want) {
		t.Errorf("with space: got %q, want no run", got)
	}
	s.awaitLog("the clock is saved again")
	s.kill()
	p.dev("--frozen")
	if got, want := p.time().Now, before.Now.Add(10*time.Minute); !got.Equal(want) {
		t.Errorf("after a kill: got %s, want %s", got, want)
	}
}

func TestAFastClockThatCantBeSavedStandsStill(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	p.succeed(nil, "time", "speed", "3600")
	s.fillDisk()
	s.awaitLog("the clock can't be saved")
	var stood control.Time
	eventually(t, "the clock stands still", func() bool {
		last := stood
		var err error
		if stood, err = s.control().Time(t.Context()); err != nil {
			t.Fatal(err)
		}
		return stood.Now.Equal(last.Now)
	})
	if got := p.devtool("time", "now"); !strings.Contains(got.out, "stands still") {
		t.Errorf("time now: got %s, want that the clock stands still", got.out)
	}
	s.kill()
	p.dev()
	if got := p.time().Now; got.Before(stood.Now) {
		t.Errorf("after a kill: got %s, want %s or later", got, stood.Now)
	}
}

// TestNothingIsAcknowledgedThatIsNotOnDisk makes changes of every kind on a full disk. Each must
// fail, and none may be there after a kill.
func TestNothingIsAcknowledgedThatIsNotOnDisk(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	s.post("/", "") // sets the alarm of the object "one"
	p.succeed(nil, "objects", "put", "Basic/one", "k", `"before"`)
	p.succeed(nil, "alarms", "set", "Basic/two", "1h")
	p.succeed(nil, "objects", "put", "Basic/two", "k", `"before"`)
	shown := func() string {
		t.Helper()
		alarms := p.alarms()
		alarms.Now = time.Time{}
		return fmt.Sprintf("%+v %s %s", alarms, p.devtool("objects", "get", "Basic/one", "k").out,
			p.devtool("objects", "get", "Basic/two", "k").out)
	}
	before := shown()
	s.fillDisk()
	for _, change := range [][]string{
		{"objects", "put", "Basic/one", "k", `"after"`},
		{"objects", "rm", "Basic/one", "k"},
		{"objects", "sql", "Basic/one", "create table t (a)"},
		{"alarms", "set", "Basic/one", "5m"},
		{"alarms", "set", "Basic/new", "5m"},
		{"alarms", "snooze", "Basic/one", "5m"},
		{"alarms", "delete", "Basic/one"},
		{"alarms", "delete", "Basic/two"},
	} {
		if got := p.devtool(change...); got.code != 1 {
			t.Errorf("%s: got %+v, want exit code 1", strings.Join(change, " "), got)
		}
	}
	if status, body := s.fetch(http.MethodPost, "/again", ""); status != http.StatusInternalServerError {
		t.Errorf("a request that sets an alarm: got %d %s, want 500", status, body)
	}
	s.kill()
	p.dev("--frozen")
	if after := shown(); after != before {
		t.Errorf("after the kill: got %s, want %s", after, before)
	}
}
