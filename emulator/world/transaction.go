package world

import (
	"errors"

	"devtool.internal/emulator/store"
)

// A handler's transactions are savepoints inside the implicit transaction. While one is open
// nothing is committed, not even where the handler waits. It keeps its turn, so no other event can
// see writes that may still be undone.

var errNoTransaction = errors.New("no transaction is open")

// begin opens a transaction, inside the innermost open one if there is one.
func (o *object) begin(s *store.Object) error {
	if err := s.Savepoint(); err != nil {
		return err
	}
	o.transactions++
	return nil
}

// commitTransaction ends the innermost transaction. If it was the outermost, its writes are
// committed to disk.
func (o *object) commitTransaction(ev *Event, s *store.Object) error {
	if o.transactions == 0 {
		return errNoTransaction
	}
	if err := s.Release(); err != nil {
		return err
	}
	o.transactions--
	return o.commitOrReset(&ev.ticket)
}

// rollbackTransaction undoes the innermost transaction and ends it.
func (o *object) rollbackTransaction(s *store.Object) error {
	if o.transactions == 0 {
		return errNoTransaction
	}
	if err := s.RollbackTo(); err != nil {
		return err
	}
	if err := s.Release(); err != nil {
		return err
	}
	o.transactions--
	return nil
}

// endTransactions undoes the transactions that a handler in inst has left open. storeMu is held.
func (o *object) endTransactions(inst *Instance) error {
	if o.transactions > 0 {
		inst.prog.Forget(inst)
	}
	for o.transactions > 0 {
		if err := o.rollbackTransaction(o.store); err != nil {
			return err
		}
	}
	return nil
}
