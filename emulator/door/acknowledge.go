package door

import (
	"net/http"
	"strconv"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/world"
)

// acknowledge returns what tells the client of w that its request is an event now, if the client
// asks for that: an informational response, which has the number of the event. It removes the
// question from header, so that no handler sees it.
//
// A test needs this to know that its request has arrived before it lets the world settle.
func acknowledge(w http.ResponseWriter, header http.Header) func(*world.Event) {
	if header.Get(control.AcknowledgeHeader) == "" {
		return nil
	}
	header.Del(control.AcknowledgeHeader)
	return func(ev *world.Event) {
		h := w.Header()
		h.Set(control.EventHeader, strconv.FormatUint(ev.Number(), 10))
		w.WriteHeader(http.StatusProcessing)
		h.Del(control.EventHeader)
	}
}
