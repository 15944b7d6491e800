package durable

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

func TestASuccessfulTransactionIsCommitted(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.Transaction(h.ctx, func(txn *Txn) error {
			h.check(txn.Put(h.ctx, "a", 1))
			h.check(txn.SetAlarm(h.ctx, time.UnixMilli(1)))
			h.check(Sleep(h.ctx, time.Second))
			return h.state.Storage.Put(h.ctx, "b", 2)
		}))
		h.expectSent("block", "begin", "put a", "set alarm 1", "sleep 1s", "put b", "commit", "unblock")
	})
}

func TestATransactionThatFailsIsUndone(t *testing.T) {
	why := errors.New("no luck")
	inHandler(t, func(h handling) {
		err := h.state.Storage.Transaction(h.ctx, func(txn *Txn) error {
			h.check(txn.Put(h.ctx, "a", 1))
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
				p.state.Storage.Transaction(r.Context(), func(*Txn) error { end(p.state, r.Context()); return nil })
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

func TestRollbackUndoesAndGoesOn(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.Transaction(h.ctx, func(txn *Txn) error {
			h.check(txn.Put(h.ctx, "a", 1))
			h.check(txn.Rollback())
			h.check(txn.Rollback())
			expectError(t, txn.Put(h.ctx, "a", 1), `put "a": the transaction was rolled back`)
			_, err := txn.List(h.ctx, ListOptions{})
			expectError(t, err, "list: the transaction was rolled back")
			return h.state.Storage.Put(h.ctx, "b", 2)
		}))
		h.expectSent("block", "begin", "put a", "rollback", "put b", "unblock")
	})
}

func TestTransactionsNest(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.Transaction(h.ctx, func(outer *Txn) error {
			err := h.state.Storage.Transaction(h.ctx, func(inner *Txn) error {
				expectError(t, outer.Rollback(), "roll back transaction: a transaction inside it is still running")
				h.check(inner.Put(h.ctx, "a", 1))
				return errors.New("no luck")
			})
			expectError(t, err, "no luck")
			return outer.Put(h.ctx, "b", 2)
		}))
		h.expectSent("block", "begin", "block", "begin", "put a", "rollback", "unblock", "put b", "commit", "unblock")
	})
}

func TestATransactionThatHasFailedIsRolledBack(t *testing.T) {
	inHandler(t, func(h handling) {
		var kept *Txn
		err := h.state.Storage.Transaction(h.ctx, func(txn *Txn) error { kept = txn; return errors.New("no luck") })
		expectError(t, err, "no luck")
		h.check(kept.Rollback())
		h.expectSent("block", "begin", "rollback", "unblock")
	})
}

func TestDeleteAllIsRefusedWithinATransaction(t *testing.T) {
	inHandler(t, func(h handling) {
		h.check(h.state.Storage.Transaction(h.ctx, func(txn *Txn) error {
			const want = "delete all: everything can't be deleted within a transaction"
			expectError(t, h.state.Storage.DeleteAll(h.ctx), want)
			h.check(txn.Rollback())
			expectError(t, h.state.Storage.DeleteAll(h.ctx), want)
			return nil
		}))
		h.check(h.state.Storage.DeleteAll(h.ctx))
		h.expectSent("block", "begin", "rollback", "unblock", "delete all")
	})
}

func TestOperationsOfAnEndedTransactionFail(t *testing.T) {
	inHandler(t, func(h handling) {
		var kept *Txn
		h.check(h.state.Storage.Transaction(h.ctx, func(txn *Txn) error { kept = txn; return nil }))
		expectError(t, kept.Put(h.ctx, "a", 1), `put "a": the transaction has ended: was it kept beyond its function?`)
		expectError(t, kept.Rollback(), "roll back transaction: it has ended")
		h.expectSent("block", "begin", "commit", "unblock")
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
			err := h.state.Storage.Transaction(h.ctx, func(*Txn) error { return nil })
			expectError(t, err, want)
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("got a %T, want an *Error inside", err)
			}
		})
	}
	inHandler(t, func(h handling) {
		err := h.state.Storage.Transaction(context.Background(), func(*Txn) error { return nil })
		expectError(t, err,
			"transaction: the context is not a handler's: pass on the context that the handler was called with")
	})
}
