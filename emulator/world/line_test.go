package world

import (
	"runtime"
	"testing"
	"weak"
)

func TestALineKeepsItsOrder(t *testing.T) {
	var l, other line
	first := other.join()
	second := l.join(other.end())
	third := l.join()
	passed := make(chan int, 2)
	go func() { third.Wait(); passed <- 3; third.Leave() }()
	go func() { second.Wait(); passed <- 2; second.Leave() }()
	first.Leave()
	first.Leave()
	if a, b := <-passed, <-passed; a != 2 || b != 3 {
		t.Errorf("got %d before %d, want the order of the line", a, b)
	}
	var nobody *Place
	nobody.Wait()
	nobody.Leave()
}

// Sleeps that wait for a turn leave their places without a wait for those before.
func TestALineForgetsPlaces(t *testing.T) {
	var l line
	first := l.join()
	seen := weak.Make(first)
	for range 10 {
		p := l.join()
		first.Leave()
		first = p
	}
	eventually(t, "the first place is collected", func() bool { runtime.GC(); return seen.Value() == nil })
	runtime.KeepAlive(&l)
}
