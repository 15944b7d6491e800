// Package plain has nothing to do with handlers.
package plain

import (
	"context"
	"helper"
	"time"
)

func Wait(ctx context.Context) string { // want Wait:`time.Sleep at plain.go:11`
	time.Sleep(time.Second)
	return helper.Stamp()
}

func Indirect() string { return helper.Stamp() } // want Indirect:`time.Now at helper.go:10`
