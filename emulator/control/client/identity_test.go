package client_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

func TestAClientTakesNoAnswerOfAnotherServer(t *testing.T) {
	for name, test := range map[string]struct {
		meant  string // the identity that the client asks for
		server func(http.Handler) http.Handler
		want   control.Code
		served bool
	}{
		"the emulator itself": {
			meant: "a", server: func(h http.Handler) http.Handler { return client.Identify("a", h) }, served: true,
		},
		"any emulator": {
			meant: "", server: func(h http.Handler) http.Handler { return client.Identify("a", h) }, served: true,
		},
		"another emulator": {
			meant: "b", server: func(h http.Handler) http.Handler { return client.Identify("a", h) },
			want: control.CodeOtherEmulator,
		},
		"another server": {
			meant: "b", server: func(h http.Handler) http.Handler { return h },
			want: control.CodeOtherEmulator, served: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			served := false
			server := httptest.NewServer(test.server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				served = true
				answer(200, "application/json", "{}")(w, r)
			})))
			defer server.Close()
			c := &client.Client{URL: server.URL, Identity: test.meant}
			if _, err := c.Freeze(t.Context()); control.CodeOf(err) != test.want || served != test.served {
				t.Errorf("got %v, served %t; want code %q, served %t", err, served, test.want, test.served)
			}
		})
	}
}
