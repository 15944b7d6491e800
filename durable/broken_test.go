package durable

import (
	"testing"

	"devtool.internal/durable/wire"
)

func TestAStubThatHasSeenAResetStaysBroken(t *testing.T) {
	for _, reset := range []bool{true, false} {
		inHandler(t, func(h handling) {
			stub := h.env.Namespace("OBJECTS").GetByName("two")
			h.fail(wire.MethodSubrequest, &wire.Error{Message: "enough", Reset: reset})
			if _, err := stub.Fetch(h.r); err == nil {
				t.Error("the first call has not failed")
			}
			h.on(wire.MethodSubrequest, func(s *wire.Stream) { s.Answer(&wire.Response{Status: 200}, true) })
			_, err := stub.Fetch(h.r)
			if reset {
				expectError(t, err, "enough")
			} else if err != nil {
				t.Errorf("got %v, want the stub to work again", err)
			}
			if _, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.r); err != nil {
				t.Errorf("another stub: %v", err)
			}
		})
	}
}
