package clock_test

import (
	"fmt"
	"testing"
	"time"

	"devtool.internal/clock"
)

func BenchmarkNow(b *testing.B) {
	c := clock.New(clock.Options{})
	defer c.Close()
	for b.Loop() {
		c.Now()
	}
}

// BenchmarkSetAndStop sets and stops a timer among many pending ones, as with many objects that
// each have an alarm.
func BenchmarkSetAndStop(b *testing.B) {
	for _, pending := range []int{0, 100_000} {
		b.Run(fmt.Sprintf("pending=%d", pending), func(b *testing.B) {
			c := frozenAt(b, epoch)
			for i := range pending {
				c.At(epoch.Add(time.Duration(i)*time.Second), func(*clock.Step) {})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i = (i + 7919) % (pending + 1)
				c.At(epoch.Add(time.Duration(i)*time.Second), func(*clock.Step) {}).Stop()
			}
		})
	}
}

// BenchmarkAdvance fires a timer a second. All are set before the advance, or each by the one
// before it.
func BenchmarkAdvance(b *testing.B) {
	for _, firings := range []int{1_000, 43_200} {
		window := time.Duration(firings) * time.Second
		b.Run(fmt.Sprintf("pending/firings=%d", firings), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				c := frozenAt(b, epoch)
				for i := range firings {
					c.At(epoch.Add(time.Duration(i+1)*time.Second), func(*clock.Step) {})
				}
				b.StartTimer()
				wantFirings(b, advance(b, c, window), firings)
			}
		})
		b.Run(fmt.Sprintf("chained/firings=%d", firings), func(b *testing.B) {
			c := frozenAt(b, epoch)
			var again func(*clock.Step)
			again = func(*clock.Step) { c.At(c.Now().Add(time.Second), again) }
			c.At(epoch.Add(time.Second), again)
			for b.Loop() {
				wantFirings(b, advance(b, c, window), firings)
			}
		})
		b.Run(fmt.Sprintf("working/firings=%d", firings), func(b *testing.B) {
			c := frozenAt(b, epoch)
			var again func(*clock.Step)
			again = func(s *clock.Step) {
				s.Add()
				go func() {
					defer s.Done()
					c.At(c.Now().Add(time.Second), again)
				}()
			}
			c.At(epoch.Add(time.Second), again)
			for b.Loop() {
				wantFirings(b, advance(b, c, window), firings)
			}
		})
	}
}

func wantFirings(b *testing.B, r clock.Report, want int) {
	b.Helper()
	if r.Firings != want {
		b.Fatalf("firings: got %d, want %d", r.Firings, want)
	}
}
