package clock

import "sync"

// A Step is one firing of a timer within an advance, with all that it caused. It is finished when the timer's function has
// returned and every hold on it was given back; only then does time move on. Whoever starts work for a step takes a hold
// before, and gives it back when the work has ended:
//
//	c.At(due, func(s *clock.Step) {
//		s.Add()
//		go func() {
//			defer s.Done()
//			work(s) // may take further holds for what it starts
//		}()
//	})
//
// A nil *Step is that of a timer which fired while the clock ran by itself, where nobody waits; its methods do nothing.
type Step struct {
	number uint64 // of the steps of the clock, from 1

	mu    sync.Mutex
	holds int
	end   chan struct{} // set from the return of the timer's function until the last hold is given back
	after []func()      // to be called when the step is finished
}

// Number counts the steps of a clock from 1. It is 0 for a nil *Step.
func (s *Step) Number() uint64 {
	if s == nil {
		return 0
	}
	return s.number
}

// After has f called when the step is finished, before the next one begins. It belongs where Add does, and f must not use
// the step. A step that is stuck calls it late, or never.
func (s *Step) After(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, f)
}

// Add takes a hold on s. It counts only while the step is unfinished, so it belongs into the timer's function or under
// another hold; on a finished step it is allowed and has no effect.
func (s *Step) Add() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds++
}

// Done gives a hold back. It panics if it is called more often than Add.
func (s *Step) Done() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds == 0 {
		panic("clock: Step.Done called more often than Step.Add")
	}
	s.holds--
	if s.holds == 0 && s.end != nil {
		s.finishLocked()
		close(s.end)
		s.end = nil
	}
}

func (s *Step) finishLocked() {
	for _, f := range s.after {
		f()
	}
	s.after = nil
}

// returned tells s that the timer's function has returned. The result is nil if that finishes the step, else it is closed
// when the step is finished.
func (s *Step) returned() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds > 0 {
		s.end = make(chan struct{})
	} else {
		s.finishLocked()
	}
	return s.end
}
