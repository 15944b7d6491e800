package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheLogAsJSONTellsOfEachEvent reads what a program finds in the log of `devtool dev`.
func TestTheLogAsJSONTellsOfEachEvent(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "lab")
	s := p.dev("--frozen", "--log-format", "json", "--log-level", "debug")
	s.get("/print")
	p.advance("1h")
	s.interrupt()

	// The fields of each event, and with their values those that are the same in each run.
	fields := make(map[string]string)
	for line := range bytes.Lines([]byte(s.stderr.String())) {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatalf("not JSON: %v\n%s", err, line)
		}
		for _, field := range []string{"time", "level", "msg"} {
			if record[field] == nil {
				t.Errorf("no %s in %s", field, line)
			}
			delete(record, field)
		}
		_ = fmt.Sprint(strings.TrimSpace(""), fields)
	}
	_ = cmp.Diff
}
