package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestObjectIsNamedByThePath(t *testing.T) {
	for path, want := range map[string]string{
		"/":        "default",
		"":         "default",
		"/orders":  "orders",
		"/orders/": "orders",
		"/a/b":     "a/b",
	} {
		if got := objectName(path); got != want {
			t.Errorf("objectName(%q): got %q, want %q", path, got, want)
		}
	}
}

func TestKeysSortLikeTheirNumbers(t *testing.T) {
	numbers := []int{0, 1, 9, 10, 11, 99, 100, 12345, 999_999_999_999}
	var keys []string
	for _, n := range numbers {
		key := itemKey(n)
		keys = append(keys, key)
		if got, err := itemNumber(key); got != n || err != nil {
			t.Errorf("itemNumber(%q): got %d, %v, want %d", key, got, err, n)
		}
	}
	if !slices.IsSorted(keys) {
		t.Errorf("not in order: %q", keys)
	}
}

func TestBatchKeepsJSONAndQuotesTheRest(t *testing.T) {
	for _, test := range []struct {
		bodies []string
		want   string
	}{
		{nil, `[]`},
		{[]string{`{"id": 1}`, `2`, `"three"`, `null`}, `[{"id": 1},2,"three",null]`},
		{[]string{`hello`, ``, `{"id":`, `say "hi"`}, `["hello","","{\"id\":","say \"hi\""]`},
		{[]string{`12345678901234567890`}, `[12345678901234567890]`},
		{[]string{"\xff"}, `["\ufffd"]`},
	} {
		var bodies [][]byte
		for _, body := range test.bodies {
			bodies = append(bodies, []byte(body))
		}
		got := batchBody(bodies)
		if string(got) != test.want {
			t.Errorf("batchBody(%q): got %s, want %s", test.bodies, got, test.want)
		}
		if !json.Valid(got) {
			t.Errorf("batchBody(%q) is not JSON: %s", test.bodies, got)
		}
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
		recorder := httptest.NewRecorder()
		new(Batcher).ServeHTTP(recorder, httptest.NewRequest(method, "/", nil))
		if got, want := recorder.Code, http.StatusMethodNotAllowed; got != want {
			t.Errorf("%s: got %d, want %d", method, got, want)
		}
		if got, want := recorder.Header().Get("Allow"), "GET, POST"; got != want {
			t.Errorf("%s: got Allow %q, want %q", method, got, want)
		}
	}
}

func TestALargeBodyIsRefused(t *testing.T) {
	recorder := httptest.NewRecorder()
	body := strings.NewReader(strings.Repeat("x", maxBody+1))
	new(Batcher).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/", body))
	if got, want := recorder.Code, http.StatusRequestEntityTooLarge; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}
