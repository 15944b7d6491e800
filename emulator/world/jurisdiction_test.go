package world

import (
	"context"
	"slices"
	"testing"
	"time"

	"devtool.internal/durable/objectid"
	"devtool.internal/emulator/control"
)

func TestOneNameIsAnotherObjectInEachJurisdiction(t *testing.T) {
	s := labScript()
	var id objectid.ID
	var path string
	s.handlers["/ask"] = func(c *call) (text string, err error) {
		err = c.ask(func(ev *Event) (err error) {
			ns := c.run.w.currentNamespaces()["Lab"]
			text, err = c.run.fetchAt(context.Background(), ev, ns.At(Identity{id, "a", true}), path)
			return err
		})
		return text, err
	}
	s.handlers["/store"] = func(c *call) (string, error) { return "", c.store("k", id.String()) }
	w := newWorld(t, s)
	ids := map[string]objectid.ID{}
	for _, jurisdiction := range append(objectid.Jurisdictions(), "") {
		ids[jurisdiction] = objectid.FromName("w-Lab", jurisdiction, "a")
	}
	for _, path = range []string{"/store", "/get"} {
		for _, id = range ids {
			want := ""
			if path == "/get" {
				want = id.String()
			}
			w.want("caller", "/ask", want)
		}
	}
}

// Files and indexes name objects by the digits of their ids, which contain the jurisdiction.
func TestObjectsOfAJurisdictionOutliveTheEmulator(t *testing.T) {
	w := newWorld(t, labScript())
	eu := objectid.FromName("w-Lab", "eu", "a")
	for _, path := range []string{"/put", "/alarm"} {
		if err := w.deliverTo(eu, "a", path); err != nil {
			t.Fatal(err)
		}
	}
	s := labScript()
	w.restart(s)
	objects, err := w.client().ListObjects(t.Context())
	if err != nil || len(objects.Objects) != 1 ||
		objects.Objects[0].ID != eu.String() || objects.Objects[0].Name != "a" {
		t.Errorf("got %+v, %v; want the object of the EU", objects, err)
	}
	if _, err := w.client().GetEntry(t.Context(), control.Object{Class: "Lab", ID: eu.String()}, "k"); err != nil {
		t.Errorf("by its id: %v", err)
	}
	if got, want := w.moveOn(time.Minute), []string{"Lab/a ok"}; !slices.Equal(got, want) {
		t.Errorf("fired %q, want %q", got, want)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if want := []string{"eu"}; !slices.Equal(s.jurisdictions, want) {
		t.Errorf("instances were constructed in %q, want %q", s.jurisdictions, want)
	}
}
