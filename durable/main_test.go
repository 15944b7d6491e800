package durable

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine of a program behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
