package durable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
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

func TestFetchFailsWithTheObjectsError(t *testing.T) {
	tests := []struct {
		name string
		sent wire.Error
		want Error
	}{
		{
			"handler",
			wire.Error{Message: "no luck", Remote: true, Detail: "stack"},
			Error{Message: "no luck", Remote: true, detail: "stack"},
		},
		{
			"connection",
			wire.Error{Message: "crashed", Retryable: true, Reset: true},
			Error{Message: "crashed", Retryable: true, Reset: true},
		},
		{
			"overload",
			wire.Error{Message: "too much", Overloaded: true, ObjectID: "0a"},
			Error{Message: "too much", Overloaded: true, ObjectID: "0a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inHandler(t, func(h handling) {
				h.fail(wire.MethodSubrequest, &tt.sent)
				_, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.r)
				var got *Error
				if !errors.As(err, &got) || *got != tt.want {
					t.Errorf("got %#v, want %#v", err, tt.want)
				}
				_, err = HTTPClient.Do(h.request("GET", "http://a.test", nil))
				if !errors.As(err, &got) || *got != tt.want {
					t.Errorf("HTTPClient: got %#v, want %#v", err, tt.want)
				}
				h.expectSent("subrequest GET http://localhost:8787/ +0", "subrequest GET http://a.test +0")
			})
		})
	}
}

func TestFetchRejectsRequestsThatItCannotSend(t *testing.T) {
	inHandler(t, func(h handling) {
		stub := h.env.Namespace("OBJECTS").GetByName("two")
		_, err := stub.Fetch(h.r.WithContext(context.Background()))
		expectError(t, err, "the request's context is not a handler's: make it with "+
			"http.NewRequestWithContext and the context that the handler was called with")
		_, err = HTTPClient.Get("http://a.test")
		expectError(t, err, `Get "http://a.test": the request's context is not a handler's: make it with `+
			`http.NewRequestWithContext and the context that the handler was called with`)
		_, err = stub.Fetch((&http.Request{}).WithContext(h.ctx))
		expectError(t, err, "the request has no URL: make it with http.NewRequestWithContext")
		ended, cancel := context.WithCancel(h.ctx)
		cancel()
		_, err = stub.Fetch(h.r.WithContext(ended))
		expectError(t, err, "context canceled")
		h.expectSent()

		r := h.request("GET", "http://a.test", nil)
		r.Header.Set("X", strings.Repeat("x", wire.MaxPayload))
		if _, err = stub.Fetch(r); !strings.Contains(fmt.Sprint(err), "the limit is 16777216") {
			t.Errorf("header larger than a message: got %v, want an error that names the limit", err)
		}
	})
}

func TestFetchReportsAnAnswerThatDoesNotDecode(t *testing.T) {
	inHandler(t, func(h handling) {
		h.on(wire.MethodSubrequest, func(s *wire.Stream) { s.Answer(&wire.Empty{}, true) })
		_, err := h.env.Namespace("OBJECTS").GetByName("two").Fetch(h.r)
		expectError(t, err, "decode *wire.Response: message ends too early")
	})
}
