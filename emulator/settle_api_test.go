package emulator

import (
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"testing"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

func TestTheAPISettlesAndListsWhatWaits(t *testing.T) {
	w := newWorld(t, scripted.New(scripted.Handlers{
		"/sleep": func(c *scripted.Call) (string, error) { return "", c.Sleep(10 * time.Second) },
	}))
	began := w.world.Clock().Now()
	nothing, err := w.client().Settle(t.Context(), control.SettleRequest{})
	if err != nil || len(nothing.Waiting) > 0 {
		t.Errorf("got %+v, %v, want nothing that waits", nothing, err)
	}

	// The client learns the number of its event as soon as the emulator has its request.
	event := make(chan string, 1)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			if code == http.StatusProcessing {
				event <- header.Get(control.EventHeader)
			}
			return nil
		},
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+"/sleep", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(control.AcknowledgeHeader, "1")
	r.Header.Set("Object", "a")
	var wg sync.WaitGroup
	wg.Go(func() {
		response, err := w.server.Client().Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		response.Body.Close()
		if got := response.Header.Get(control.EventHeader); got != "" {
			t.Errorf("the response has the number of its event, %q, too", got)
		}
	})
	if got := <-event; got == "" {
		t.Error("the acknowledgement has no number")
	}
	settled, err := w.client().Settle(t.Context(), control.SettleRequest{Limit: "20s"})
	if err != nil || len(settled.Waiting) != 1 {
		t.Fatalf("got %+v, %v, want the request", settled, err)
	}
	got := settled.Waiting[0]
	if got.String() != "GET /sleep" || got.Object.String() != "Lab/a" || got.Until.Sub(began) != 10*time.Second {
		t.Errorf("got %+v, want the request, which waits in Lab/a for 10s", got)
	}
	if again, err := w.client().Waiting(t.Context()); err != nil || len(again.Waiting) != 1 || again.Waiting[0] != got {
		t.Errorf("got %+v, %v, want the same", again, err)
	}
	w.moveOn(10 * time.Second)
	wg.Wait()

	for limit, want := range map[string]string{"soon": `"soon" is not a duration`, "-1s": "must be positive"} {
		_, err := w.client().Settle(t.Context(), control.SettleRequest{Limit: limit})
		wantRefusal(t, err, 400, want)
	}
}
