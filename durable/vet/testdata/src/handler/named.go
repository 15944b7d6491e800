package handler

import (
	"context"
	"time"

	do "devtool.internal/durable"
)

func named(ctx context.Context, _ *do.State) time.Time { return time.Now() } // want `time.Now goes`
