package clock_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"devtool.internal/clock"
)

func TestStepLastsUntilItsLastHoldIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := frozenAt(t, epoch)
		defer c.Close()
		var step *clock.Step
		c.At(epoch.Add(time.Second), func(s *clock.Step) {
			step = s
			s.Add()
			s.Add()
			s.Done() // not the last: the step goes on
		})
		c.At(epoch.Add(2*time.Second), func(*clock.Step) {})

		ended := make(chan clock.Report, 1)
		go func() { ended <- advance(t, c, time.Minute) }()
		stands := func() {
			t.Helper()
			synctest.Wait()
			wantTime(t, "during the step", c.Now(), epoch.Add(time.Second))
			if len(ended) != 0 {
				t.Fatal("the advance did not wait for the step")
			}
		}
		stands()
		step.Add()
		step.Done() // one hold is left
		stands()
		step.Done()
		if got, want := (<-ended).Firings, 2; got != want {
			t.Errorf("firings: got %d, want %d", got, want)
		}
	})
}

func TestHoldsGivenBackInTheFunctionDoNotEndTheStepEarly(t *testing.T) {
	c := frozenAt(t, epoch)
	var order []string
	c.At(epoch, func(s *clock.Step) {
		s.Add()
		s.Done()
		order = append(order, "first")
		s.Add()
		go func() {
			defer s.Done()
			order = append(order, "its work")
		}()
	})
	c.At(epoch, func(*clock.Step) { order = append(order, "second") })
	advance(t, c, 0)
	if got, want := len(order), 3; got != want || order[1] != "its work" {
		t.Errorf("got %q, want first, its work, second", order)
	}
}

func TestHoldsOnAFinishedStepHaveNoEffect(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func(*clock.Step)
	}{
		{"finished with its function", func(*clock.Step) {}},
		{"finished with its last hold", func(s *clock.Step) {
			s.Add()
			go s.Done()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := frozenAt(t, epoch)
			var finished *clock.Step
			c.At(epoch, func(s *clock.Step) {
				finished = s
				tt.f(s)
			})
			c.At(epoch, func(*clock.Step) { finished.Add() })
			c.At(epoch, func(*clock.Step) {})
			if got, want := advance(t, c, 0).Firings, 3; got != want {
				t.Errorf("firings: got %d, want %d", got, want)
			}
			finished.Done()
			finished.Add()
			finished.Done()
		})
	}
}

func TestDoneWithoutAddPanics(t *testing.T) {
	c := frozenAt(t, epoch)
	c.At(epoch, func(s *clock.Step) {
		s.Add()
		s.Done()
		defer func() {
			const want = "clock: Step.Done called more often than Step.Add"
			if got := recover(); got != want {
				t.Errorf("got panic %v, want %q", got, want)
			}
		}()
		s.Done()
	})
	advance(t, c, 0)
}

func TestNilStepDoesNothing(t *testing.T) {
	var s *clock.Step
	s.Done()
	s.Add()
	s.Done()
}

func TestAfterCallsComeBeforeTheNextStep(t *testing.T) {
	c := frozenAt(t, epoch)
	var order []string
	note := func(what string) func() { return func() { order = append(order, what) } }
	c.At(epoch, func(s *clock.Step) {
		s.After(note("after 1"))
		s.Add()
		go func() {
			defer s.Done()
			s.After(note("after the work of 1"))
			note("work of 1")()
		}()
	})
	c.At(epoch, func(s *clock.Step) {
		s.After(note("after 2"))
		note("2")()
	})
	var numbers []uint64
	c.At(epoch, func(s *clock.Step) {
		note("3")()
		numbers = append(numbers, s.Number())
	})
	advance(t, c, 0)
	c.At(epoch, func(s *clock.Step) { numbers = append(numbers, s.Number()) })
	advance(t, c, 0)
	want := []string{"work of 1", "after 1", "after the work of 1", "2", "after 2", "3"}
	if !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
	if !slices.Equal(numbers, []uint64{3, 4}) {
		t.Errorf("the last steps are %d, want 3 and 4", numbers)
	}
}
