package world

import (
	"errors"
	"sync"
	"testing"
	"time"
)

func TestAGoroutineOfAHandlerThatHasTheTurnDoesNotWaitForIt(t *testing.T) {
	s := noticeScript()
	asleep := make(chan struct{})
	release := make(chan struct{})
	s.handlers["/two"] = func(c *call) (string, error) {
		var wg sync.WaitGroup
		var put error
		wg.Go(func() { <-asleep; put = c.store("k", "from the second goroutine") })
		err := c.sleep(time.Second)
		wg.Wait()
		return "", errors.Join(err, put)
	}
	s.handlers["/hold"] = func(c *call) (string, error) { <-release; return "", nil }
	w := newWorld(t, s)
	done := make(chan struct{})
	go func() { w.want("a", "/two", ""); close(done) }()
	w.awaitTimer(time.Second)
	var holding sync.WaitGroup
	holding.Go(func() { w.want("a", "/hold", "") })
	o := w.object("Lab", "a")
	eventually(t, "held", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.turn != nil })
	holding.Go(func() { w.moveOn(time.Second) })
	eventually(t, "one queued", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return len(o.queue) == 1 })
	close(asleep)
	eventually(t, "two queued", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return len(o.queue) == 2 })
	close(release)
	<-done
	holding.Wait()
}
