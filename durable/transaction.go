package durable

import (
	"context"
	"errors"
	"fmt"
)

// ErrRollback is returned by the function of a transaction to undo what the function has written.
// Transaction then returns nil. The error may be wrapped.
var ErrRollback = errors.New("roll the transaction back")

// Transaction runs fn in a transaction. Everything that the object writes meanwhile is part of it:
// keys, tables by SQL and DB, and the alarm. If fn returns nil, all of it is committed before
// Transaction returns. If fn fails or panics, all of it is undone, and Transaction returns fn's
// error, or nil for ErrRollback.
//
// The context of fn is ctx, and does not end because the client has gone (see
// State.BlockConcurrencyWhile). Nothing else of the object runs meanwhile, whatever fn waits for,
// for 30 s at most. Transactions nest, up to 64 deep: an inner one that is undone leaves alone what
// the outer one wrote. DeleteAll fails within a transaction.
//
// The goroutines of a handler share its open transaction: what any of them writes is part of it. So
// let one goroutine at a time run a transaction. If two overlap, and the one that began first ends
// first, both are undone and fail.
func (s *Storage) Transaction(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	inv, err := s.state.invocation(ctx)
	if err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	txn, err := s.state.begin(inv, false)
	if err != nil {
		return err
	}
	ctx, leave := inv.section(ctx)
	defer leave()
	good := false
	defer func() { // runs even if fn panics or ends its goroutine
		err = txn.finish(good, err)
	}()
	err = fn(ctx)
	good = err == nil
	if errors.Is(err, ErrRollback) {
		err = nil
	}
	return err
}

// A transaction is open from begin to finish.
type transaction struct {
	inv    *invocation
	state  *State
	parent *transaction
	tx     bool // of database/sql
	// overlapped is set if the transaction around this one has ended. State.mu guards it.
	overlapped bool
}

var (
	errTxOpen  = errors.New("a transaction of BeginTx is open: use its Tx, or end it first")
	errOverlap = errors.New("the transaction was undone, because another one of the handler overlaps it: " +
		"let one goroutine at a time run a transaction")
	errInside = errors.New("a transaction is open already: statements of DB() are part of it without BeginTx")
)

// begin opens a transaction inside the one that may be open, and keeps the turn. Transactions of
// database/sql (tx) may end in any order, so they do not nest.
func (s *State) begin(inv *invocation, tx bool) (*transaction, error) {
	txn, err := s.open(inv, tx)
	if err != nil {
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	if err := inv.block(); err != nil {
		txn.end()
		return nil, fmt.Errorf("transaction: %w", err)
	}
	if err := inv.begin(); err != nil {
		txn.end()
		inv.unblock() //nolint:errcheck // the first error matters more
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	return txn, nil
}

// open makes a new transaction the innermost one. A transaction that another invocation has left
// open was undone when that ended.
func (s *State) open(inv *invocation, tx bool) (*transaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent := s.txn
	if parent != nil && parent.inv != inv {
		parent = nil
	}
	switch {
	case parent != nil && parent.tx:
		return nil, errTxOpen
	case parent != nil && tx:
		return nil, errInside
	}
	s.txn = &transaction{inv: inv, state: s, tx: tx, parent: parent}
	return s.txn, nil
}

// finish ends the transaction, commits or undoes what was written in it, and unblocks the turn. It
// returns err or, if err is nil, the error of one of these steps.
func (t *transaction) finish(commit bool, err error) error {
	if t.end() {
		commit = false
		if err == nil {
			err = errOverlap
		}
	}
	if commit {
		if e := t.inv.commit(); e != nil {
			err = fmt.Errorf("commit transaction: %w", e)
		}
	} else if e := t.inv.rollback(); e != nil {
		err = errors.Join(err, fmt.Errorf("roll back transaction: %w", e))
	}
	if e := t.inv.unblock(); err == nil {
		err = e
	}
	return err
}

// end makes the parent the innermost transaction again, unless that is one of a later invocation.
// It reports whether the transaction overlaps another one. The emulator undoes the innermost first.
// So undoing both, in whatever order, undoes what belongs to either.
func (t *transaction) end() (overlaps bool) {
	t.state.mu.Lock()
	defer t.state.mu.Unlock()
	if t.state.txn == t {
		t.state.txn = t.parent
		return t.overlapped
	}
	for inner := t.state.txn; inner != nil; inner = inner.parent {
		if inner.parent == t { // another goroutine is still in it
			inner.parent, inner.overlapped = t.parent, true
			return true
		}
	}
	return t.overlapped
}
