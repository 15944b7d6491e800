package control_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/emulator/control"
)

func TestObjectsAreWrittenByNameOrID(t *testing.T) {
	digits := strings.Repeat("a1", 32)
	for written, want := range map[string]control.Object{
		"home":                     {Name: "home"},
		"a/b":                      {Name: "a/b"},
		"name:home":                {Name: "name:home"},
		"id:home":                  {Name: "id:home"},
		"id:":                      {Name: "id:"},
		digits:                     {ID: digits},
		strings.ToUpper(digits):    {ID: digits},
		"id:" + digits:             {ID: digits},
		"name:" + digits:           {Name: digits},
		"name:name:" + digits:      {Name: "name:" + digits},
		"name:id:" + digits:        {Name: "id:" + digits},
		"id:name:" + digits:        {Name: "id:name:" + digits},
		digits[1:]:                 {Name: digits[1:]},
		"name:" + digits + "0":     {Name: "name:" + digits + "0"},
		"name: " + digits:          {Name: "name: " + digits},
		"NAME:" + digits:           {Name: "NAME:" + digits},
		"name:" + digits[1:] + "g": {Name: "name:" + digits[1:] + "g"},
	} {
		want.Class = "C"
		if got := control.Written("C", written); got != want {
			t.Errorf("%s: got %+v, want %+v", written, got, want)
		}
	}
}

// Whatever an object's name is, what is written leads back to it.
func TestEveryNameCanBeWritten(t *testing.T) {
	digits := strings.Repeat("0f", 32)
	part := rapid.SampledFrom([]string{"name:", "id:", digits, strings.ToUpper(digits), "x", "/", " "})
	rapid.Check(t, func(t *rapid.T) {
		name := strings.Join(rapid.SliceOfN(part, 0, 4).Draw(t, "parts"), "")
		if got := control.Written("C", control.WriteName(name)); got != (control.Object{Class: "C", Name: name}) {
			t.Errorf("%q is written %q, which is %+v", name, control.WriteName(name), got)
		}
	})
}
