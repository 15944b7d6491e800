package durabletest

import (
	"context"
	"encoding/json"
	"net/http"
)

// faultMethods are the methods of Object that inject faults, by the names of the control API.
var faultMethods = map[string]string{
	"fail-alarm":          "FailNextAlarm",
	"duplicate-alarm":     "DuplicateNextAlarm",
	"crash-before-commit": "CrashBeforeCommit",
	"crash-after-commit":  "CrashAfterCommit",
}

// reportUnusedFaults fails the test for each fault that it has injected and that never struck. It
// reports nothing for a test that has failed already, which may have ended too early for its
// faults. A test that has injected none is not slowed down by a question.
func (a asker) reportUnusedFaults() {
	a.t.Helper()
	if !a.emulator.injected.Load() || a.t.Failed() {
		return
	}
	response, err := a.emulator.request(context.Background(), http.MethodGet, "faults", nil)
	if err != nil {
		return // the emulator has ended, and other checks report that
	}
	defer response.Body.Close()
	var pending struct {
		Faults []struct {
			Identity
			Fault string `json:"fault"`
			Why   string `json:"why"`
		} `json:"faults"`
	}
	if err := json.NewDecoder(response.Body).Decode(&pending); err != nil {
		a.t.Errorf("durabletest: list the faults that never struck: %v", err)
		return
	}
	for _, f := range pending.Faults {
		a.t.Errorf("durabletest: %s of %s never struck: %s", faultMethods[f.Fault], f.Identity, f.Why)
	}
}
