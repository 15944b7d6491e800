package durable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/durable/objectid"
	"devtool.internal/durable/wire"
)

// panics returns the value that f panics with.
func panics(f func()) (with any) {
	defer func() { with = recover() }()
	f()
	return nil
}

func TestAJurisdictionHasIDsOfItsOwn(t *testing.T) {
	all := env.Namespace("OBJECTS")
	eu, us := all.Jurisdiction("eu"), all.Jurisdiction("us")
	ids := map[string]ID{"": all.IDFromName("one"), "eu": eu.IDFromName("one"), "us": us.IDFromName("one")}
	for jurisdiction, id := range ids {
		got, ok := id.Jurisdiction()
		if got != jurisdiction || ok != (jurisdiction != "") {
			t.Errorf("id in %q: got %q, %t", jurisdiction, got, ok)
		}
		if name, ok := id.Name(); name != "one" || !ok {
			t.Errorf("id in %q: name %q, %t; want one", jurisdiction, name, ok)
		}
		for other, otherID := range ids {
			if id.Equal(otherID) != (other == jurisdiction) {
				t.Errorf("ids of one name in %q and %q: %s and %s", jurisdiction, other, id, otherID)
			}
		}
	}
	// A restriction leaves the namespace that it was made from alone.
	if got, want := ids[""].String(), "d392f33da786fba4f0a7a81327a3c8bee44a5bd22383c74494256114d9dba14a"; got != want {
		t.Errorf("without jurisdiction: got %s, want %s", got, want)
	}
	if j, _ := us.NewUniqueID().Jurisdiction(); j != "us" {
		t.Errorf("unique id: got %q, want us", j)
	}
	if j, _ := us.GetByName("one").ID().Jurisdiction(); j != "us" {
		t.Errorf("stub by name: got %q, want us", j)
	}
}

func TestANamespaceCanOnlyBeRestrictedToOneKnownJurisdiction(t *testing.T) {
	ns := env.Namespace("OBJECTS")
	eu := ns.Jurisdiction("eu")
	if with := panics(func() { eu.Jurisdiction("eu") }); with != nil {
		t.Errorf("the same again: got panic %q, want none", with)
	}
	tests := []struct {
		ns           *Namespace
		jurisdiction string
		want         string
	}{
		{ns, "mars", `durable: there is no jurisdiction "mars" (there are: eu, us, fedramp, fedramp-high)`},
		{ns, "EU", `durable: there is no jurisdiction "EU" (there are: eu, us, fedramp, fedramp-high)`},
		{ns, "", `durable: there is no jurisdiction "" (there are: eu, us, fedramp, fedramp-high)`},
		{eu, "us", `durable: the namespace is restricted to the jurisdiction "eu" already, not to "us"`},
	}
	for _, tt := range tests {
		if with := fmt.Sprint(panics(func() { tt.ns.Jurisdiction(tt.jurisdiction) })); with != tt.want {
			t.Errorf("got panic %q\nwant      %q", with, tt.want)
		}
	}
}

func TestARestrictedNamespaceTakesOnlyItsOwnIDs(t *testing.T) {
	const refusal = "get called on jurisdictional subnamespace with an ID from a different jurisdiction"
	inHandler(t, func(h handling) {
		h.answerWith(wire.Response{Status: 200})
		all := h.env.Namespace("OBJECTS")
		namespaces := map[string]*Namespace{"": all, "eu": all.Jurisdiction("eu"), "us": all.Jurisdiction("us")}
		for of, maker := range namespaces {
			for in, ns := range namespaces {
				want := fmt.Sprint(error(nil))
				if in != "" && in != of {
					want = refusal
				}
				id := maker.IDFromName("two")
				parsed, err := ns.IDFromString(id.String())
				expectError(t, err, want)
				if err == nil && (!parsed.Equal(id) || parsed.jurisdiction != of) {
					t.Errorf("IDFromString(%s) = %s of %q, want it of %q", id, parsed, parsed.jurisdiction, of)
				}
				stub := ns.Get(id)
				for range 2 {
					_, err = stub.Fetch(h.r)
					expectError(t, err, want)
				}
				if err == nil {
					h.expectSent("subrequest GET http://localhost:8787/ +0", "subrequest GET http://localhost:8787/ +0")
				} else {
					h.expectSent()
				}
			}
		}
	})
}

func TestTheObjectSeesTheJurisdictionOfItsID(t *testing.T) {
	seen := make(chan ID, 1)
	w := Worker{Classes: Classes{"Object": NewClass(func(_ context.Context, state *State, _ *Env) (*probe, error) {
		seen <- state.ID
		return &probe{}, nil
	}), "Unbound": NewClass(func(_ context.Context, state *State, _ *Env) (*probe, error) {
		seen <- state.ID
		return &probe{}, nil
	})}}
	emulate(t, w, func(e *emulation) {
		for _, class := range []string{"Object", "Unbound"} {
			for _, want := range []string{"", "eu", "fedramp-high"} {
				id := objectid.FromName(objectid.UniqueKey("worker", class), want, "one")
				err := e.ask(wire.MethodConstruct, &wire.Construct{
					Event: e.newID(), Instance: e.newID(), Class: class, ID: id.String(), Jurisdiction: want,
				})
				if err != nil {
					t.Fatal(err)
				}
				got := <-seen
				if j, ok := got.Jurisdiction(); got.id != id || j != want || ok != (want != "") {
					t.Errorf("%s %s: got %s, %q, %t; want %q", class, id, got, j, ok, want)
				}
			}
		}
	})
}

func TestAMalformedIDConstructsNothing(t *testing.T) {
	emulate(t, withFetch(nil), func(e *emulation) {
		for _, id := range []string{"", "0a", strings.Repeat("g", 64), strings.Repeat("0", 65)} {
			err := e.ask(wire.MethodConstruct,
				&wire.Construct{Event: e.newID(), Instance: e.newID(), Class: "Object", ID: id})
			expectError(t, err, objectid.ErrMalformed.Error())
		}
	})
}

func TestLocationHintsAreCheckedAndHaveNoEffect(t *testing.T) {
	inHandler(t, func(h handling) {
		h.answerWith(wire.Response{Status: 200})
		ns := h.env.Namespace("OBJECTS")
		for _, hint := range append([]string{""}, locationHints...) {
			for _, stub := range []*Stub{
				ns.Get(ns.IDFromName("two"), LocationHint(hint)),
				ns.GetByName("two", LocationHint(hint)),
			} {
				if !stub.ID().Equal(ns.IDFromName("two")) {
					t.Errorf("hint %q: the stub is of %s", hint, stub.ID())
				}
				_, err := stub.Fetch(h.r)
				h.check(err)
			}
		}
		h.settle()
		h.tap.take()
		_, err := ns.GetByName("two", LocationHint("europe")).Fetch(h.r)
		expectError(t, err, `there is no location hint "europe" `+
			`(there are: wnam, enam, sam, weur, eeur, apac, apac-ne, apac-se, oc, afr, me)`)
		h.expectSent()
	})
}

func TestAStubThatRefusesClosesTheRequestsBody(t *testing.T) {
	inHandler(t, func(h handling) {
		body := &closer{Reader: strings.NewReader("body")}
		r := h.request(http.MethodPost, "http://a.test", body)
		if _, err := h.env.Namespace("OBJECTS").GetByName("two", LocationHint("europe")).Fetch(r); err == nil {
			t.Error("got no error")
		}
		if body.closed != 1 {
			t.Errorf("the body was closed %d times, want once", body.closed)
		}
	})
}

func TestIDsOfJurisdictions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := env.Namespace("OBJECTS").Jurisdiction(rapid.SampledFrom(objectid.Jurisdictions()).Draw(t, "jurisdiction"))
		for _, id := range []ID{ns.IDFromName(rapid.String().Draw(t, "name")), ns.NewUniqueID()} {
			for _, reader := range []*Namespace{ns, env.Namespace("OBJECTS")} {
				got, err := reader.IDFromString(id.String())
				if err != nil || !got.Equal(id) || got.jurisdiction != ns.jurisdiction {
					t.Fatalf("IDFromString(%s) = %s of %q, %v; want it of %q", id, got, got.jurisdiction, err,
						ns.jurisdiction)
				}
			}
			if _, err := env.Namespace("OTHERS").IDFromString(id.String()); !errors.Is(err, objectid.ErrForeign) {
				t.Fatalf("another class: got %v, want ErrForeignID", err)
			}
		}
	})
}
