package cli_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

// TestCronTriggersFromTheConfigurationToTheHandler runs triggers by the clock, by command and by
// the platform's URLs, and changes the configuration meanwhile.
func TestCronTriggersFromTheConfigurationToTheHandler(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "cron")
	s := p.dev("--frozen", "--test-scheduled", "--time", "2030-08-01T00:30:00Z")
	diary := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, strings.Split(s.get("/"), "\n")); diff != "" {
			t.Errorf("diary (-want +got):\n%s", diff)
		}
	}

	var crons control.Crons
	p.succeed(&crons, "cron", "list", "--json")
	lastWeekday := time.Date(2030, 8, 30, 23, 59, 0, 0, time.UTC) // of the month
	if len(crons.Crons) != 2 || !crons.Handled || !crons.Crons[1].Next[0].Equal(lastWeekday) {
		t.Errorf("list: got %+v", crons)
	}
	p.succeed(nil, "time", "advance", "90m")
	wantedDiary := []string{
		"0 * * * * due 2030-08-01T01:00:00Z at 2030-08-01T01:00:00Z",
		"0 * * * * due 2030-08-01T02:00:00Z at 2030-08-01T02:00:00Z",
	}
	diary(wantedDiary...)

	p.succeed(nil, "cron", "trigger", "59 23 LW * *", "--time", "2030-08-30T23:59")
	wantedDiary = append(wantedDiary, "59 23 LW * * due 2030-08-30T23:59:00Z at 2030-08-01T02:00:00Z")
	diary(wantedDiary...)
	unknown := p.devtool("cron", "trigger", "0 0 * * *")
	if unknown.code != 1 || !strings.Contains(unknown.err, `It has "0 * * * *", "59 23 LW * *"`) {
		t.Errorf("an unknown trigger: got %+v", unknown)
	}

	for path, want := range map[string]string{
		"/cdn-cgi/local/scheduled?cron=a": "ok",
		"/__scheduled?cron=b":             "Ran scheduled event",
	} {
		if got := s.get(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	status, answer := s.fetch(http.MethodGet, "/cdn-cgi/handler/scheduled?cron=fail&format=json", "")
	if status != http.StatusInternalServerError || !strings.Contains(answer, `"outcome":"exception"`) {
		t.Errorf("a handler that fails: got %d %s", status, answer)
	}
	r := s.request(http.MethodGet, "/cdn-cgi/local/scheduled?cron=evil", nil)
	r.Host = "evil.example"
	status, answer, err := s.send(r)
	if err != nil || status != http.StatusForbidden || !strings.Contains(answer, "Invalid Host header") {
		t.Errorf("a foreign host: got %d %s, %v, want 403", status, answer, err)
	}
	entries := s.get("/")
	if !strings.Contains(entries, "a due 2030-08-01T02:00:00Z") || !strings.Contains(entries, "b due") ||
		strings.Contains(entries, "evil") {
		t.Errorf("after requests: got diary\n%s", entries)
	}

	p.edit("wrangler.jsonc", `"0 * * * *", "59 23 LW * *"`, `"15 * * * *"`)
	s.awaitLog(`cron triggers of the configuration: ["15 * * * *"]`)
	p.succeed(nil, "time", "advance", "30m")
	const last = "15 * * * * due 2030-08-01T02:15:00Z at 2030-08-01T02:15:00Z"
	if got := s.get("/"); !strings.HasSuffix(got, last) {
		t.Errorf("after a new configuration: got diary\n%s\nwant at its end %q", got, last)
	}

	p.edit("wrangler.jsonc", `"15 * * * *"`, `"75 * * * *"`)
	s.awaitLog("minute: 75 is not from 0 to 59")
	s.awaitLog("the version before is still being served")
	p.succeed(&crons, "cron", "list", "--json")
	if len(crons.Crons) != 1 || crons.Crons[0].Cron != "15 * * * *" {
		t.Errorf("after a bad configuration: got %+v", crons)
	}
}
