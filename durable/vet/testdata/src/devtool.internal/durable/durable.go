// Package durable stands in for the SDK.
package durable

import (
	"context"
	"net/http"
	"time"
)

type (
	Env     struct{}
	State   struct{}
	Storage struct{}
	Worker  struct {
		Handler func(*Env) http.Handler
	}
)

func Serve(Worker) {}

func Now(context.Context) time.Time { return time.Now() }

func Sleep(ctx context.Context, d time.Duration) error {
	time.Sleep(d)
	return nil
}

func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

func (*State) WaitUntil(ctx context.Context, f func(context.Context) error) error { return f(ctx) }
