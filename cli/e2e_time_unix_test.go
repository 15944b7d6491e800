//go:build unix

package cli_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
)

func TestCtrlCStopsAnAdvanceBetweenTwoRuns(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	s.fetch(http.MethodPost, "/again", "")

	cmd := command(t, p.dir, "time", "advance", "1000000h", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var ran int
	var advanced *control.Advanced
	for lines.Scan() {
		var e control.AdvanceEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		if e.Fired != nil {
			if ran++; ran == 3 {
				if err := cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
			}
		}
		advanced = e.Advanced
	}
	var exit *exec.ExitError
	err = cmd.Wait()
	if !errors.As(err, &exit) || exit.ExitCode() != 1 ||
		!strings.Contains(errs.String(), "interrupted; the clock stands at") {
		t.Errorf("got %v with %q, want exit code 1 and where the clock stands", err, errs.String())
	}
	if advanced == nil || advanced.Ran != ran {
		t.Fatalf("got %+v after %d runs, want a report of them", advanced, ran)
	}
	var clock control.Time
	p.succeed(&clock, "time", "now", "--json")
	if !clock.Now.Equal(advanced.To) || clock.Next == nil {
		t.Errorf("got %+v, want the clock at %s and the next alarm", clock, advanced.To)
	}
	if got := p.move("next"); got.Ran != 1 {
		t.Errorf("next after the interrupt: got %+v, want one run", got)
	}
}
