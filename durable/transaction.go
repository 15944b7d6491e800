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
	host   *event
	state  *State
	parent *Txn

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
	ev, err := s.event(ctx)
	if err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	if err := ev.block(); err != nil {
		return fmt.Errorf("transaction: %w", err)
	}
	defer func() {
		if e := ev.unblock(); err == nil {
			err = e
		}
	}()
	if err := ev.begin(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	txn := s.state.open(ev)
	good := false
	defer func() { // also where fn panics, or ends its goroutine
		if rolledBack := txn.end(); rolledBack {
			return
		}
		if good {
			if e := ev.commit(); e != nil {
				err = fmt.Errorf("commit transaction: %w", e)
			}
		} else if e := ev.rollback(); e != nil {
			err = errors.Join(err, fmt.Errorf("roll back transaction: %w", e))
		}
	}()
	err = fn(txn)
	good = err == nil
	return err
}

// open makes a transaction the innermost one.
func (s *State) open(ev *event) *Txn {
	s.mu.Lock()
	defer s.mu.Unlock()
	txn := &Txn{host: ev, state: s, parent: s.txn}
	txn.entries.event = txn.check
	s.txn = txn
	return txn
}

// end ends the transaction, and reports whether it was rolled back before.
func (t *Txn) end() (rolledBack bool) {
	t.state.mu.Lock()
	defer t.state.mu.Unlock()
	t.ended = true
	t.state.txn = t.parent
	return t.rolledBack
}

// check is State.event for as long as the transaction is open.
func (t *Txn) check(ctx context.Context) (*event, error) {
	t.state.mu.Lock()
	defer t.state.mu.Unlock()
	switch {
	case t.rolledBack:
		return nil, errors.New("the transaction was rolled back")
	case t.ended:
		return nil, errors.New("the transaction has ended: was it kept beyond its function?")
	}
	return t.state.event(ctx)
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
	if err := t.host.rollback(); err != nil {
		return fmt.Errorf("roll back transaction: %w", err)
	}
	return nil
}
