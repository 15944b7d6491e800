package scripted

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"devtool.internal/durable/wire"
)

// Memory returns a program whose objects count their requests in memory and keep a value in
// storage.
func Memory() *Program {
	p := New(nil)
	var mu sync.Mutex
	counts := make(map[uint64]int)
	p.Handlers = Handlers{
		"construct": func(c *Call) (string, error) { p.Note("construct:%s", c.Object); return "", nil },
		"/count": func(c *Call) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			counts[c.Instance]++
			return fmt.Sprint(counts[c.Instance]), nil
		},
		"/put": func(c *Call) (string, error) { return "", c.Store("k", "kept") },
		"/get": func(c *Call) (string, error) { return c.Load("k"), nil },
		"/putsleep": func(c *Call) (string, error) {
			return "", errors.Join(c.Store("k", "kept"), c.Sleep(time.Hour), c.Store("k", "lost"))
		},
		"/putfail": func(c *Call) (string, error) {
			return "", errors.Join(c.Store("k", "kept"), errors.New("no luck"))
		},
		"/reset": func(c *Call) (string, error) {
			return "", errors.Join(c.Store("k", "lost"), c.Reset("enough"))
		},
	}
	return p
}

// Alarms returns a program whose objects set and show their alarm by request. Each run of an alarm
// is noted as "name@seconds" since the first event. Then it does what alarm says, unless that is
// nil.
func Alarms(alarm func(*Call) error) *Program {
	p := New(nil)
	var once sync.Once
	var begin time.Time
	since := func(c *Call) float64 {
		now := c.Now()
		once.Do(func() { begin = now })
		return now.Sub(begin).Seconds()
	}
	set := func(d time.Duration) Handler {
		return func(c *Call) (string, error) { since(c); return "", c.SetAlarm(d) }
	}
	p.Handlers = Handlers{
		"/set1s":  set(time.Second),
		"/set10s": set(10 * time.Second),
		"/set1h":  set(time.Hour),
		"/get":    func(c *Call) (string, error) { return c.AlarmIn(), nil },
		"/wipe":   func(c *Call) (string, error) { return "", c.Plain(wire.MethodDeleteAll) },
		"/k":      func(c *Call) (string, error) { return c.Load("k"), nil },
		"alarm": func(c *Call) (string, error) {
			p.Note("%s@%g", c.Object, since(c))
			if alarm == nil {
				return "", nil
			}
			return "", alarm(c)
		},
	}
	return p
}

// A Hang holds handlers until it is released.
type Hang struct {
	In      chan struct{} // receives once for each handler that hangs
	Release func()        // lets all handlers go on, including later ones

	out chan struct{}
}

// NewHang returns a Hang with room for 100 handlers.
func NewHang() *Hang {
	h := &Hang{In: make(chan struct{}, 100), out: make(chan struct{})}
	h.Release = sync.OnceFunc(func() { close(h.out) })
	return h
}

// Here is a handler that hangs until the release, and then answers "after all".
func (h *Hang) Here(*Call) (string, error) {
	h.In <- struct{}{}
	<-h.out
	return "after all", nil
}
