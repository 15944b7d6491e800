package durable

import (
	"context"
	"errors"
	"fmt"
)

// A Txn is an open transaction. It has the operations of Storage that can be undone. Operations of
// the Storage itself are part of the transaction, too, until it is rolled back.
type Txn struct {
	entries
	inv    *invocation
	state  *State
	parent *Txn
	tx     bool // of database/sql

	// state.mu guards what follows.
	rolledBack bool
	ended      bool
}

// Transaction runs fn in a transaction. If fn returns nil, everything that it wrote, alarm
// included, is committed before Transaction returns. If fn fails or panics, everything is undone,
// and Transaction returns fn's error. Nothing else of the object runs meanwhile, whatever fn waits
// for, for 30 s at most (see BlockConcurrencyWhile).
//
// Transactions nest. A failure of an inner one undoes only what the inner one wrote.
func (s *Storage) Transaction(ctx context.Context, fn func(txn *Txn) error) (err error) {
	inv, err := s.invocation(ctx)
	if err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	txn, err := s.state.begin(inv, false)
	if err != nil {
		return err
	}
	good := false
	defer func() { // runs even if fn panics or ends its goroutine
		err = txn.finish(good, err)
	}()
	err = fn(txn)
	good = err == nil
	return err
}

var (
	errTxOpen = errors.New("a transaction of BeginTx is open: use its Tx, or end it first")
	errInside = errors.New("a transaction is open already: statements of DB() are part of it without BeginTx")
)

// begin opens a transaction inside the one that may be open, and keeps the turn. Transactions of
// database/sql (tx) may end in any order, so they do not nest.
func (s *State) begin(inv *invocation, tx bool) (*Txn, error) {
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
func (s *State) open(inv *invocation, tx bool) (*Txn, error) {
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
	txn := &Txn{inv: inv, state: s, tx: tx, parent: parent}
	txn.entries.invocation = txn.check
	s.txn = txn
	return txn, nil
}

// finish ends the transaction, commits or undoes what it wrote, and unblocks the turn. It returns
// err or, if err is nil, the error of one of these steps.
func (t *Txn) finish(commit bool, err error) error {
	if rolledBack := t.end(); !rolledBack {
		if commit {
			if e := t.inv.commit(); e != nil {
				err = fmt.Errorf("commit transaction: %w", e)
			}
		} else if e := t.inv.rollback(); e != nil {
			err = errors.Join(err, fmt.Errorf("roll back transaction: %w", e))
		}
	}
	if !commit { // a later Rollback does nothing
		t.state.mu.Lock()
		t.rolledBack = true
		t.state.mu.Unlock()
	}
	if e := t.inv.unblock(); err == nil {
		err = e
	}
	return err
}

// end ends the transaction, and reports whether it was rolled back before.
func (t *Txn) end() (rolledBack bool) {
	t.state.mu.Lock()
	defer t.state.mu.Unlock()
	t.ended = true
	if t.state.txn == t { // it may be that of a later invocation
		t.state.txn = t.parent
	}
	return t.rolledBack
}

// check is State.invocation while the transaction is open. Afterwards it fails.
func (t *Txn) check(ctx context.Context) (*invocation, error) {
	t.state.mu.Lock()
	defer t.state.mu.Unlock()
	switch {
	case t.rolledBack:
		return nil, errors.New("the transaction was rolled back")
	case t.ended:
		return nil, errors.New("the transaction has ended: was it kept beyond its function?")
	}
	return t.state.invocation(ctx)
}

// Rollback undoes what the transaction has written so far. The function goes on, and Transaction
// returns what the function returns. Further operations of the Txn fail, and those of the Storage
// are no longer part of it. A second Rollback does nothing.
func (t *Txn) Rollback() error {
	t.state.mu.Lock()
	switch {
	case t.rolledBack:
		t.state.mu.Unlock()
		return nil
	case t.ended:
		t.state.mu.Unlock()
		return errors.New("roll back transaction: it has ended")
	case t.state.txn != t:
		t.state.mu.Unlock()
		return errors.New("roll back transaction: a transaction inside it is still running")
	}
	t.rolledBack = true
	t.state.mu.Unlock()
	if err := t.inv.rollback(); err != nil {
		return fmt.Errorf("roll back transaction: %w", err)
	}
	return nil
}
