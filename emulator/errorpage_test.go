package emulator

import (
	"net/http"
	"strings"
	"testing"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

func TestABrowserGetsAPageAndOtherClientsALine(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["/fail"] = func(*call) (string, error) {
		return "", &wire.Error{Message: "no <b>luck</b>", Remote: true, Detail: "goroutine 1"}
	}
	w := newWorld(t, s)
	for accept, want := range map[string]string{
		"text/html,application/xhtml+xml,*/*;q=0.8": "<h1>Lab/a failed</h1>",
		"*/*": "Lab/a failed: no <b>luck</b>\nevent: fetch, GET /fail\n",
		"":    "Lab/a failed: no <b>luck</b>\nevent: fetch, GET /fail\n",
	} {
		resp, body, err := w.send(t.Context(), "a", "/fail", http.Header{"Accept": {accept}})
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(body, want) {
			t.Errorf("Accept %q: got %d %q, want a 500 with %q", accept, resp.StatusCode, body, want)
		}
		page := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
		if page != strings.Contains(accept, "html") {
			t.Errorf("Accept %q: got %s", accept, resp.Header.Get("Content-Type"))
		}
		for _, part := range []string{"no &lt;b&gt;luck", "goroutine 1", "Event: fetch, GET /fail"} {
			if page && !strings.Contains(body, part) {
				t.Errorf("got page %q, want %q in it", body, part)
			}
		}
	}
}

// When the error is written, an object that could not be constructed is no longer in memory.
func TestAFailedConstructionNamesTheObject(t *testing.T) {
	s := scripted.Memory()
	s.Handlers["construct"] = func(*call) (string, error) { return "", &wire.Error{Message: "no luck", Remote: true} }
	w := newWorld(t, s)
	_, body := w.get("a", "/x")
	if want := "Lab/a failed: no luck\n"; !strings.HasPrefix(body, want) {
		t.Errorf("got %q, want %q", body, want)
	}
}
