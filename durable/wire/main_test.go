package wire_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine of a connection behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
