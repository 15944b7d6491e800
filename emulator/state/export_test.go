package state

import "time"

// No test of this package starts a process with the lock. So a lock that is held stays so.
func init() { lockPatience = 5 * time.Millisecond }

// Writes returns the steps in which Commit carries the plan out.
func (p *Plan) Writes() []func() error { return p.files.writes(p.record, p.moves) }

// CommitFailing is Commit whose nth step fails with err. It reports whether there is such a step.
func (p *Plan) CommitFailing(n int, err error) (there bool, committed error) {
	steps := p.Writes()
	if n >= len(steps) {
		return false, nil
	}
	steps[n] = func() error { return err }
	return true, p.carryOut(steps)
}

// Recorded returns how many steps of worker the record in the state folder has, and how many moves
// are left.
func (f *Folder) Recorded(worker string) (applied, moving int, err error) {
	record, err := f.files.readRecord()
	if err != nil {
		return 0, 0, err
	}
	return len(record.Workers[worker].Applied), len(record.Moving), nil
}
