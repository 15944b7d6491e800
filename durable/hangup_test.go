package durable

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"devtool.internal/durable/wire"
)

// sections are the parts of a handler that a client does not end by going.
var sections = map[string]func(p *probe, ctx context.Context, fn func(context.Context) error) error{
	"block": func(p *probe, ctx context.Context, fn func(context.Context) error) error {
		return p.state.BlockConcurrencyWhile(ctx, fn)
	},
	"transaction": func(p *probe, ctx context.Context, fn func(context.Context) error) error {
		return p.state.Storage.Transaction(ctx, fn)
	},
	"transaction in a block": func(p *probe, ctx context.Context, fn func(context.Context) error) error {
		return p.state.BlockConcurrencyWhile(ctx, func(ctx context.Context) error {
			return p.state.Storage.Transaction(ctx, fn)
		})
	},
}

// waits are what may wait in a section.
var waits = map[string]func(ctx context.Context, ns *Namespace) error{
	"Sleep": func(ctx context.Context, _ *Namespace) error { return Sleep(ctx, time.Hour) },
	"Fetch": func(ctx context.Context, ns *Namespace) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		if err != nil {
			return err
		}
		response, err := ns.GetByName("other").Fetch(r)
		if err != nil {
			return err
		}
		return response.Body.Close()
	},
}

func TestAClientThatGoesDoesNotEndASection(t *testing.T) {
	for name, section := range sections {
		for what, wait := range waits {
			for _, goes := range []string{"meanwhile", "before"} {
				for _, whose := range []string{"its own context", "the event's context"} {
					t.Run(name+"/"+what+"/"+goes+"/"+whose, func(t *testing.T) {
						testSection(t, section, wait, goes, whose)
					})
				}
			}
		}
	}
}

func testSection(
	t *testing.T,
	section func(*probe, context.Context, func(context.Context) error) error,
	wait func(context.Context, *Namespace) error,
	goes, whose string,
) {
	var began, gone chan struct{}
	var inside, after error
	w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
		if goes == "before" {
			close(began)
			<-gone
			<-r.Context().Done()
		}
		err := section(p, r.Context(), func(ctx context.Context) error {
			if goes == "meanwhile" {
				close(began)
				<-gone
			}
			if ctx.Err() != nil {
				t.Errorf("the section's own context has ended: %v", context.Cause(ctx))
			}
			if whose == "the event's context" {
				ctx = r.Context()
			}
			inside = wait(ctx, p.env.Namespace("OBJECTS"))
			return inside
		})
		if err != nil {
			t.Errorf("the section failed: %v", err)
		}
		after = Sleep(r.Context(), time.Hour)
	})
	emulate(t, w, func(e *emulation) {
		began, gone = make(chan struct{}), make(chan struct{})
		e.on(wire.MethodSubrequest, func(s *wire.Stream) { s.Answer(&wire.Response{Status: http.StatusOK}, true) })
		x := e.fetch(e.construct("Object", "one"), wire.Request{})
		<-began
		x.cancel()
		close(gone)
		x.text()
	})
	if inside != nil {
		t.Errorf("in the section: %v", inside)
	}
	if !errors.Is(after, context.Canceled) {
		t.Errorf("Sleep after the section: got %v, want context.Canceled", after)
	}
}

func TestAContextWithoutCancelOutlastsTheClient(t *testing.T) {
	for what, wait := range waits {
		var gone chan struct{}
		w := withFetch(func(p *probe, _ http.ResponseWriter, r *http.Request) {
			<-gone
			if err := wait(context.WithoutCancel(r.Context()), p.env.Namespace("OBJECTS")); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
		emulate(t, w, func(e *emulation) {
			gone = make(chan struct{})
			e.on(wire.MethodSubrequest, func(s *wire.Stream) { s.Answer(&wire.Response{Status: http.StatusOK}, true) })
			x := e.fetch(e.construct("Object", "one"), wire.Request{})
			e.settle() // the handler has begun
			x.cancel()
			close(gone)
			x.text()
		})
	}
}
