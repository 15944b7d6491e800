package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnlyGETCounts(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodHead} {
		recorder := httptest.NewRecorder()
		new(Counter).ServeHTTP(recorder, httptest.NewRequest(method, "/", nil))
		if got, want := recorder.Code, http.StatusMethodNotAllowed; got != want {
			t.Errorf("%s: got %d, want %d", method, got, want)
		}
		if got, want := recorder.Header().Get("Allow"), "GET"; got != want {
			t.Errorf("%s: got Allow %q, want %q", method, got, want)
		}
	}
}
