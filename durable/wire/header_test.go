package wire_test

import (
	"net/http"
	"reflect"
	"testing"

	"devtool.internal/durable/wire"
)

func TestFieldsAreOrderedByName(t *testing.T) {
	h := http.Header{"B": {"2", "1"}, "A": {""}, "C": nil}
	want := []wire.Field{{Name: "A"}, {Name: "B", Value: "2"}, {Name: "B", Value: "1"}}
	if got := wire.Fields(h); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHeaderHasCanonicalNames(t *testing.T) {
	got := wire.Header([]wire.Field{{Name: "content-type", Value: "a"}, {Name: "Content-Type", Value: "b"}})
	want := map[string][]string{"Content-Type": {"a", "b"}}
	if !reflect.DeepEqual(map[string][]string(got), want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
