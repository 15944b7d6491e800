package emulator

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

// What a route below /cdn-cgi/ does, and who may use it.
const (
	reads   = "reads"   // it changes nothing
	changes = "changes" // it has an effect
)

// access classifies every route below /cdn-cgi/. Whoever adds a route decides here whether it has
// an effect, and whether it requires the token. The guard stands in front of all.
var access = map[string]struct {
	effect string
	token  bool
}{
	"GET /cdn-cgi/devtool/v1/status":                            {reads, true},
	"POST /cdn-cgi/devtool/v1/program/restart":                  {changes, true},
	"GET /cdn-cgi/devtool/v1/logs":                              {reads, true},
	"POST /cdn-cgi/devtool/v1/stop":                             {changes, true},
	"GET /cdn-cgi/devtool/v1/alarms":                            {reads, true},
	"POST /cdn-cgi/devtool/v1/alarms/trigger":                   {changes, true},
	"GET /cdn-cgi/devtool/v1/alarms/{class}/{object}":           {reads, true},
	"PUT /cdn-cgi/devtool/v1/alarms/{class}/{object}":           {changes, true},
	"DELETE /cdn-cgi/devtool/v1/alarms/{class}/{object}":        {changes, true},
	"POST /cdn-cgi/devtool/v1/time/advance":                     {changes, true},
	"POST /cdn-cgi/devtool/v1/time/stop":                        {changes, true},
	"POST /cdn-cgi/devtool/v1/time/settle":                      {changes, true},
	"GET /cdn-cgi/devtool/v1/time/waiting":                      {reads, true},
	"GET /cdn-cgi/devtool/v1/time":                              {reads, true},
	"POST /cdn-cgi/devtool/v1/time/freeze":                      {changes, true},
	"POST /cdn-cgi/devtool/v1/time/resume":                      {changes, true},
	"POST /cdn-cgi/devtool/v1/time/speed":                       {changes, true},
	"POST /cdn-cgi/devtool/v1/time/reset":                       {changes, true},
	"GET /cdn-cgi/devtool/v1/cron":                              {reads, true},
	"POST /cdn-cgi/devtool/v1/cron/trigger":                     {changes, true},
	"GET /cdn-cgi/devtool/v1/objects":                           {reads, true},
	"POST /cdn-cgi/devtool/v1/alarms/{class}/{object}/snooze":   {changes, true},
	"GET /cdn-cgi/devtool/v1/objects/{class}/{object}":          {reads, true},
	"DELETE /cdn-cgi/devtool/v1/objects/{class}/{object}":       {changes, true},
	"POST /cdn-cgi/devtool/v1/objects/{class}/{object}/evict":   {changes, true},
	"POST /cdn-cgi/devtool/v1/objects/{class}/{object}/abort":   {changes, true},
	"GET /cdn-cgi/devtool/v1/objects/{class}/{object}/snapshot": {reads, true},
	"POST /cdn-cgi/devtool/v1/objects/{class}/{object}/sql":     {changes, true},
	"GET /cdn-cgi/devtool/v1/objects/{class}/{object}/entries":  {reads, true},
	"GET /cdn-cgi/devtool/v1/objects/{class}/{object}/entry":    {reads, true},
	"PUT /cdn-cgi/devtool/v1/objects/{class}/{object}/entry":    {changes, true},
	"DELETE /cdn-cgi/devtool/v1/objects/{class}/{object}/entry": {changes, true},
	"GET /cdn-cgi/devtool/v1/faults":                            {reads, true},
	"POST /cdn-cgi/devtool/v1/faults":                           {changes, true},
	"DELETE /cdn-cgi/devtool/v1/faults":                         {changes, true},
	"/cdn-cgi/local/scheduled":                                  {changes, false},
	"/cdn-cgi/handler/scheduled":                                {changes, false},
	"/cdn-cgi/mf/scheduled":                                     {changes, false},
	"GET /cdn-cgi/local/status":                                 {reads, false},
}

func TestEveryRouteIsClassified(t *testing.T) {
	w := newWorld(t, scripted.Memory())
	routes := controlAPI{w.Emulator}.routes()
	for _, pattern := range routes.all {
		a, known := access[pattern]
		if !known {
			t.Errorf("%q is not classified: add it to access", pattern)
		}
		if open := slices.Contains(routes.open, pattern); known && a.token == open {
			t.Errorf("%q requires the token: got %t, want %t", pattern, !open, a.token)
		}
	}
	for pattern := range access {
		if !slices.Contains(routes.all, pattern) {
			t.Errorf("%q is classified and no route", pattern)
		}
	}
}

// A stranger is a request that the guard must refuse, whatever it asks for.
type stranger struct {
	name   string
	change func(*http.Request)
}

var strangers = []stranger{
	{"another machine", func(r *http.Request) { r.RemoteAddr = "192.168.1.7:50000" }},
	{"another machine that names itself local", func(r *http.Request) {
		r.RemoteAddr = "192.168.1.7:50000"
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
	}},
	{"a rebound name", func(r *http.Request) { r.Host = "evil.example:8787" }},
	{"another site's page", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }},
	{"another site's page that only reads", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }},
	{"another local server's page", func(r *http.Request) { r.Header.Set("Origin", "http://localhost:3000") }},
	{"another local server's page that only reads", func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "same-site")
	}},
	{"a handler", func(r *http.Request) { r.Header.Set(control.HandlerHeader, "shop.example") }},
}

func TestStrangersReachNoRoute(t *testing.T) {
	w := newStoppedWorld(t, func(o *Options) { o.TestScheduled = true })
	w.start(scripted.Memory())
	patterns := controlAPI{w.Emulator}.routes().all
	patterns = append(patterns, "GET /__scheduled", "GET /cdn-cgi/unknown", "GET /cdn-cgi/devtool/unknown")
	door := w.newServer().Handler
	for _, pattern := range patterns {
		method, path, hasMethod := strings.Cut(pattern, " ")
		if !hasMethod {
			method, path = http.MethodGet, pattern
		}
		path = strings.NewReplacer("{class}", "Lab", "{object}", "a").Replace(path)
		local := func() *http.Request {
			r := httptest.NewRequest(method, path, nil)
			r.RemoteAddr, r.Host = "127.0.0.1:50000", "localhost:8787"
			return r
		}
		for _, s := range strangers {
			r := local()
			r.Header.Set("Authorization", "Bearer "+w.token) // the token does not help them
			s.change(r)
			answer := httptest.NewRecorder()
			door.ServeHTTP(answer, r)
			if answer.Code != http.StatusForbidden {
				t.Errorf("%s of %s: got %d %s, want 403", pattern, s.name, answer.Code, answer.Body)
			}
		}
		if !strings.HasPrefix(path, devtoolPaths) {
			continue
		}
		answer := httptest.NewRecorder()
		door.ServeHTTP(answer, local())
		if answer.Code != http.StatusUnauthorized {
			t.Errorf("%s without the token: got %d %s, want 401", pattern, answer.Code, answer.Body)
		}
	}
}
