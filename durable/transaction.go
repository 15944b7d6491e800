package durable

import (
	"context"
	"errors"
	"fmt"
)

// A Txn is a transaction that is open. It has the operations of Storage that can be
// undone; those of the Storage itself take part in the transaction, too, as long as it was not
// rolled back.
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

// Transaction runs fn, and makes what it writes permanent as a whole: when fn returns
// nil it is committed, alarm included, before Transaction returns; when fn fails or panics it
// is undone, and Transaction returns fn's error. Nothing else of the object runs
// meanwhile, whatever fn waits for, for 30 s at most (see BlockConcurrencyWhile).
//
// Transactions nest: a failure of the inner one undoes what it wrote alone.
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
	defer func() { // also where fn panics, or ends its goroutine
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

// begin opens a transaction inside the one that may be open, and keeps the turn. Those of
// database/sql (tx) have no order in which they end, so they stand alone.
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
		inv.unblock() //nolint:errcheck // why nothing was begun matters more
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	return txn, nil
}

// open makes a transaction the innermost one. What another event has left open was undone
// when that event ended.
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

// finish ends the transaction, commits or undoes what it wrote, and gives the turn free. It
// returns err or, where that is nil, what went wrong on the way.
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
	if !commit { // so that Rollback has nothing more to do
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
	if t.state.txn == t { // and not that of a later event
		t.state.txn = t.parent
	}
	return t.rolledBack
}

// check is State.event for as long as the transaction is open.
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

// Rollback undoes what the transaction has written so far. The function goes on, and
// Transaction returns what it returns, but further operations of the Txn fail, and those
// of the Storage are no longer part of it. Rolling back again does nothing.
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
