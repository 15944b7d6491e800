package world

import "testing"

func TestTheLineOfARequestNamesAFewObjects(t *testing.T) {
	class := "Lab"
	ns := new(Namespace)
	ns.name.Store(&class)
	named := func(name string) *object { return &object{ns: ns, name: name, named: true} }
	a, b, c := named("a"), named("b"), named("c")
	for _, test := range []struct {
		asked        []*object
		object, text string
	}{
		{nil, "", ""},
		{[]*object{a, a}, "Lab/a", "Lab/a"},
		{[]*object{a, b, a}, "", "Lab/a and Lab/b"},
		{[]*object{a, b, c}, "", "Lab/a, Lab/b and others"},
	} {
		var s Served
		for _, o := range test.asked {
			s.add(o)
		}
		if object, text := s.Describe(); object != test.object || text != test.text {
			t.Errorf("got %q, %q, want %q, %q", object, text, test.object, test.text)
		}
	}
}
