package door

import (
	"net/http"
	"reflect"
	"testing"
)

func TestHeadersThatTheClientSetAreKept(t *testing.T) {
	h := http.Header{
		"Cf-Connecting-Ip":  {"203.0.113.9"},
		"Cf-Ipcountry":      {"DE"},
		"Cf-Ray":            {"1"},
		"X-Forwarded-Proto": {"https"},
	}
	describeClient(h, "[fe80::1%eth0]:50000", "http")
	want := http.Header{
		"Cf-Connecting-Ip":  {"203.0.113.9"},
		"X-Real-Ip":         {"203.0.113.9"},
		"Cf-Ipcountry":      {"DE"},
		"Cf-Ray":            {"1"},
		"X-Forwarded-Proto": {"https"},
		"Cf-Visitor":        {`{"scheme":"http"}`},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, want %v", h, want)
	}
	h = http.Header{}
	describeClient(h, "[fe80::1%eth0]:50000", "http")
	if got := h.Get("CF-Connecting-IP"); got != "fe80::1" {
		t.Errorf("address of a client with IPv6: got %s, want fe80::1", got)
	}
}
