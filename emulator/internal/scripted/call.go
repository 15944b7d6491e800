package scripted

import (
	"context"
	"time"

	"devtool.internal/durable/wire"
)

// A Call is one event as its handler sees it.
type Call struct {
	Program  *Program
	Context  context.Context // ends with the connection
	Event    uint64
	Instance uint64
	Object   string          // its name
	Path     string          // of a request to an object
	Alarm    wire.Alarm      // of an alarm
	Cron     wire.Scheduled  // of a cron trigger
	Canceled <-chan struct{} // closed when the caller has gone
	Stream   *wire.Stream    // that the event came in
}

// Op asks the emulator for an operation and returns its answer.
func Op[A any, P interface {
	*A
	wire.Message
}](c *Call, method wire.Method, q wire.Message) (A, error) {
	var a A
	err := c.Program.Conn.Call(context.Background(), method, q, P(&a))
	return a, err
}

// Plain asks for an operation that has neither arguments nor an answer.
func (c *Call) Plain(method wire.Method) error {
	_, err := Op[wire.Empty](c, method, &wire.Operation{Event: c.Event})
	return err
}

// Load returns the value of a key, or the error as text.
func (c *Call) Load(key string) string {
	v, err := Op[wire.Value](c, wire.MethodGet, &wire.Get{Event: c.Event, Key: key})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(v.Value)
}

// Store stores a value as it is.
func (c *Call) Store(key, value string) error {
	_, err := Op[wire.Empty](c, wire.MethodPut, &wire.Put{Event: c.Event, Key: key, Value: []byte(value)})
	return err
}

// Now returns the time on the emulator's clock.
func (c *Call) Now() time.Time {
	t, err := Op[wire.Time](c, wire.MethodNow, &wire.Operation{Event: c.Event})
	Must(err)
	return time.UnixMilli(t.Time).UTC()
}

// Sleep waits for d of the clock.
func (c *Call) Sleep(d time.Duration) error {
	_, err := Op[wire.Empty](c, wire.MethodSleep, &wire.Sleep{Event: c.Event, Duration: int64(d)})
	return err
}

// SetAlarm sets the object's alarm to d from now.
func (c *Call) SetAlarm(d time.Duration) error {
	_, err := Op[wire.Empty](c, wire.MethodSetAlarm, &wire.SetAlarm{Event: c.Event, Time: c.Now().Add(d).UnixMilli()})
	return err
}

// AlarmIn returns in how long the object's alarm is due, or "none".
func (c *Call) AlarmIn() string {
	a, err := Op[wire.AlarmTime](c, wire.MethodGetAlarm, &wire.Operation{Event: c.Event})
	Must(err)
	if !a.Set {
		return "none"
	}
	return time.UnixMilli(a.Time).Sub(c.Now()).String()
}

// Fetch sends a request to an object of class Lab and returns the body of the response.
func (c *Call) Fetch(object, path string) (string, error) {
	r, err := c.Program.Fetch(context.Background(), c.Event, "LAB", object, "http://lab"+path)
	if err != nil {
		return "", err
	}
	return string(r.Body), nil
}

// Reset resets the object.
func (c *Call) Reset(reason string) error {
	_, err := Op[wire.Empty](c, wire.MethodReset, &wire.Reset{Event: c.Event, Reason: reason})
	return err
}

// Background begins work that outlives the handler. The work gets a Call of its own.
func (c *Call) Background(work func(*Call) error) error {
	s, err := c.Program.Conn.Open(wire.MethodBackground, &wire.Operation{Event: c.Event}, false)
	if err != nil {
		return err
	}
	b, err := s.Await(context.Background())
	if err != nil {
		return err
	}
	var m wire.Background
	Must(wire.Decode(b, &m))
	next := &Call{Program: c.Program, Context: s.Context(), Event: m.Event, Instance: c.Instance, Object: c.Object}
	go func() {
		err := next.Plain(wire.MethodResume)
		if err == nil {
			err = work(next)
		}
		if err != nil {
			s.Fail(&wire.Error{Message: err.Error(), Remote: true})
			return
		}
		s.CloseWrite() //nolint:errcheck // the emulator has gone
	}()
	return nil
}
