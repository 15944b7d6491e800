package program

import (
	"errors"
	"strings"
	"testing"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/internal/scripted"
)

func TestAProgramVisitsAnObject(t *testing.T) {
	s := scripted.New(handlers{
		"/get": func(c *call) (string, error) { return c.Load("k"), nil },
		"visited": func(c *call) (string, error) {
			if c.Object == "bad" {
				return "", errors.New("not here")
			}
			return "", c.Store("k", "from a visit")
		},
	})
	w := newWorld(t, s)
	visit := func(class, object string) error {
		visit := &wire.Visit{Class: class, Object: object, Visit: 7}
		return s.Conn.Call(t.Context(), wire.MethodVisit, visit, &wire.Empty{})
	}
	for _, class := range []string{"Lab", "LAB"} {
		if err := visit(class, "a"); err != nil {
			t.Error(err)
		}
	}
	w.want("a", "/get", "from a visit")
	for object, want := range map[string]string{"bad": "not here"} {
		if err := visit("Lab", object); err == nil || err.Error() != want {
			t.Errorf("visit %s: got %v, want %s", object, err, want)
		}
	}
	if err := visit("Nobody", "a"); err == nil || !strings.Contains(err.Error(), `there is no class "Nobody"`) {
		t.Errorf("got %v, want that there is no such class", err)
	}
	wrong := &wire.Visit{Class: "Lab", Object: "abc", HasID: true}
	err := s.Conn.Call(t.Context(), wire.MethodVisit, wrong, &wire.Empty{})
	if err == nil {
		t.Error("a wrong id: got no error, want one")
	}
	// The event is over, so another event gets the turn.
	w.want("bad", "/get", "")
}
