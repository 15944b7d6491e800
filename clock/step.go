package clock

import "sync"

// A Step is one firing of a timer within an advance, with all that it caused. It is finished when
// the timer's function has returned and every hold on the step was given back. Only then does time
// move on. Code that starts work for a step takes a hold first, and gives it back when the work has
// ended:
//
//	c.At(due, func(s *clock.Step) {
//		s.Add()
//		go func() {
//			defer s.Done()
//			work(s) // may take further holds for what it starts
//		}()
//	})
//
// A timer that fires while the clock runs by itself gets a nil *Step, since nothing waits for its
// work. The methods of a nil *Step do nothing.
type Step struct {
	number uint64 // counts the steps of the clock, from 1

	mu    sync.Mutex
	holds int
	end   chan struct{} // set while holds are left after the timer's function has returned
	after []func()      // called when the step is finished
}

// Number returns the step's number among those of its clock, from 1. It is 0 for a nil *Step.
func (s *Step) Number() uint64 {
	if s == nil {
		return 0
	}
	return s.number
}

// After registers f to be called when the step is finished, before the next one begins. Like Add,
// it must be called while the step is unfinished. f must not use the step. On a stuck step, f is
// called late or never.
func (s *Step) After(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, f)
}

// Add takes a hold on s. Call it in the timer's function or under another hold: on a finished step
// it has no effect.
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

// returned records that the timer's function has returned. The result is nil if that finishes the
// step; otherwise it is closed when the step is finished.
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
