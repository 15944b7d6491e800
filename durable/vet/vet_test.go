package vet_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"devtool.internal/durable/vet"
)

// TestUsesOfTheMachinesClockAreFound compares the findings with the comments in testdata, and the
// fixes with its golden files.
func TestUsesOfTheMachinesClockAreFound(t *testing.T) {
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), vet.HandlerTime,
		"handler", "helper", "plain", "devtool.internal/durable")
}
