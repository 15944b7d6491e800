package control_test

import (
	"errors"
	"fmt"
	"testing"

	"devtool.internal/emulator/control"
)

func TestTheStatusFollowsFromTheCode(t *testing.T) {
	for code, want := range map[control.Code]int{
		control.CodeBadRequest:  400,
		control.CodeForbidden:   403,
		control.CodeNoAlarm:     404,
		control.CodeNothingDue:  404,
		control.CodeClockBusy:   409,
		control.CodeMediaType:   415,
		control.CodeInternal:    500,
		control.CodeUnreachable: 500, // the client makes it: it is never an answer
		"":                      500,
	} {
		if got := code.Status(); got != want {
			t.Errorf("%q: got status %d, want %d", code, got, want)
		}
	}
}

func TestCodeOfFindsTheCodeOfAWrappedError(t *testing.T) {
	refused := control.Errorf(control.CodeRunning, "%s is running", "Room/a")
	if got := control.CodeOf(fmt.Errorf("evict: %w", refused)); got != control.CodeRunning {
		t.Errorf("got %q, want %q", got, control.CodeRunning)
	}
	if got := control.CodeOf(errors.New("disk full")); got != "" {
		t.Errorf("got %q for an error without a code", got)
	}
}
