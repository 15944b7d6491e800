package durable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

func TestASuccessfulTransactionIsCommitted(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.Transaction(h.ctx, func(ctx context.Context) error {
			h.check(h.state.Storage.Put(ctx, "a", 1))
			h.check(h.state.Storage.SetAlarm(ctx, time.UnixMilli(1)))
			h.check(Sleep(ctx, time.Second))
			return h.state.Storage.Put(h.ctx, "b", 2) // the handler's context means the same
		}))
		h.expectSent("block", "begin", "put a", "set alarm 1", "sleep 1s", "put b", "commit", "unblock")
	})
}

func TestATransactionThatFailsIsUndone(t *testing.T) {
	why := errors.New("no luck")
	inHandler(t, func(h handling) {
		err := h.state.Storage.Transaction(h.ctx, func(ctx context.Context) error {
			h.check(h.state.Storage.Put(ctx, "a", 1))
			return why
		})
		if err != why {
			t.Errorf("got %v, want the function's error", err)
		}
		h.expectSent("block", "begin", "put a", "rollback", "unblock")
	})
}

func TestATransactionThatPanicsOrAbortsIsUndone(t *testing.T) {
	for name, end := range map[string]func(*State, context.Context){
		"panic": func(*State, context.Context) { panic("no luck") },
		"abort": func(s *State, ctx context.Context) { s.Abort(ctx, "enough", AbortOptions{}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := withFetch(func(p *probe, w http.ResponseWriter, r *http.Request) {
				p.state.Storage.Transaction(r.Context(), func(ctx context.Context) error {
					end(p.state, ctx)
					return nil
				})
				t.Error("the transaction has returned")
			})
			emulate(t, w, func(e *emulation) {
				x := e.fetch(e.construct("Object", "one"), wire.Request{})
				if _, err := x.Await(context.Background()); err == nil {
					t.Error("the event has not failed")
				}
				sent := []string{"block", "begin", "rollback", "unblock", "fail panic: no luck"}
				if name == "abort" {
					sent = []string{"block", "begin", "reset enough", "rollback", "unblock", "fail " + endedGoroutine}
				}
				e.expectSent(sent...)
			})
		})
	}
}

func TestErrRollbackUndoesWithoutFailing(t *testing.T) {
	for _, end := range []error{ErrRollback, fmt.Errorf("too late: %w", ErrRollback)} {
		inHandler(t, func(h handling) {
			h.check(h.state.Storage.Transaction(h.ctx, func(ctx context.Context) error {
				h.check(h.state.Storage.Put(ctx, "a", 1))
				return end
			}))
			h.check(h.state.Storage.Put(h.ctx, "b", 2))
			h.expectSent("block", "begin", "put a", "rollback", "unblock", "put b")
		})
	}
}

func TestARollbackThatFailsIsAnError(t *testing.T) {
	for want, end := range map[string]error{
		"roll back transaction: disk full":          ErrRollback,
		"no luck\nroll back transaction: disk full": errors.New("no luck"),
	} {
		inHandler(t, func(h handling) {
			h.fail(wire.MethodRollback, &wire.Error{Message: "disk full"})
			expectError(t, h.state.Storage.Transaction(h.ctx, func(context.Context) error { return end }), want)
		})
	}
}

func TestTransactionsNest(t *testing.T) {
	for _, tt := range []struct {
		end  error // of the inner transaction
		want string
	}{{errors.New("no luck"), "no luck"}, {ErrRollback, "<nil>"}} {
		inHandler(t, func(h handling) {
			h.check(h.state.Storage.Transaction(h.ctx, func(ctx context.Context) error {
				err := h.state.Storage.Transaction(ctx, func(ctx context.Context) error {
					h.check(h.state.Storage.Put(ctx, "a", 1))
					return tt.end
				})
				expectError(t, err, tt.want)
				return h.state.Storage.Put(ctx, "b", 2)
			}))
			h.expectSent(
				"block", "begin", "block", "begin", "put a", "rollback", "unblock", "put b", "commit", "unblock")
		})
	}
}

func TestTransactionsThatOverlapAreUndoneAndFail(t *testing.T) {
	for _, end := range []error{nil, ErrRollback} {
		inHandler(t, func(h handling) {
			storage := h.state.Storage
			began, ended, second := make(chan struct{}), make(chan struct{}), make(chan error)
			first := storage.Transaction(h.ctx, func(ctx context.Context) error {
				h.check(storage.Put(ctx, "a", 1))
				go func() {
					second <- storage.Transaction(ctx, func(ctx context.Context) error {
						close(began)
						<-ended
						return end
					})
				}()
				<-began
				return nil
			})
			close(ended)
			const want = "the transaction was undone, because another one of the handler overlaps it: " +
				"let one goroutine at a time run a transaction"
			expectError(t, first, want)
			expectError(t, <-second, want)
			h.check(storage.Transaction(h.ctx, func(ctx context.Context) error { return nil }))
			h.expectSent("block", "begin", "put a", "block", "begin", "rollback", "unblock", "rollback", "unblock",
				"block", "begin", "commit", "unblock")
		})
	}
}

func TestDeleteAllIsRefusedWithinATransaction(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.Transaction(h.ctx, func(ctx context.Context) error {
			const want = "delete all: everything can't be deleted within a transaction"
			expectError(t, h.state.Storage.DeleteAll(ctx), want)
			return ErrRollback
		}))
		h.check(h.state.Storage.DeleteAll(h.ctx))
		h.expectSent("block", "begin", "rollback", "unblock", "delete all")
	})
}

func TestErrorsOfATransactionSayWhatFailed(t *testing.T) {
	for method, want := range map[wire.Method]string{
		wire.MethodBlock:  "transaction: disk full",
		wire.MethodBegin:  "begin transaction: disk full",
		wire.MethodCommit: "commit transaction: disk full",
	} {
		inHandler(t, func(h handling) {
			h.fail(method, &wire.Error{Message: "disk full"})
			err := h.state.Storage.Transaction(h.ctx, func(context.Context) error { return nil })
			expectError(t, err, want)
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("got a %T, want an *Error inside", err)
			}
		})
	}
	inHandler(t, func(h handling) {
		err := h.state.Storage.Transaction(context.Background(), func(context.Context) error { return nil })
		expectError(t, err,
			"transaction: the context is not a handler's: pass on the context that the handler was called with")
	})
}
