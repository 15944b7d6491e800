package handler

import (
	"context"
	. "time"
)

// This file does not import the SDK, and time's names as its own.
func other(ctx context.Context) Time { return Now() } // want `time.Now goes`
