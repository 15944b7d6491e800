package emulator

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/door"
)

// newServer returns the HTTP server in front: the control API below /cdn-cgi/, the worker
// everywhere else.
func (e *Emulator) newServer() *http.Server {
	front := &door.Door{
		World: e.world, Worker: e.worker, Scheme: e.scheme(),
		Origin: func() door.Origin { return e.currentSettings().origin },
	}
	// It is made when the first request comes, because many tests need none, and a start should
	// take no longer than it must.
	api := sync.OnceValue(func() http.Handler { return controlAPI{e}.handler() })
	scheduled := client.Guard(http.HandlerFunc(front.ServeScheduled))
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasPrefix(r.URL.Path, "/cdn-cgi/"):
				api().ServeHTTP(w, r)
			case e.options.TestScheduled && r.URL.Path == door.ScheduledPath:
				scheduled.ServeHTTP(w, r)
			default:
				front.ServeHTTP(w, r)
			}
		}),
		ReadHeaderTimeout: 30 * time.Second,
		TLSConfig:         e.options.TLS,
		ErrorLog:          slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
	}
}

// serve serves at a front door until server is shut down.
func (e *Emulator) serve(server *http.Server, l net.Listener) error {
	if e.options.TLS == nil {
		return server.Serve(l)
	}
	return server.ServeTLS(l, "", "")
}

// scheme returns the scheme of the front door.
func (e *Emulator) scheme() string {
	if e.options.TLS != nil {
		return "https"
	}
	return "http"
}
