package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool/config"
)

func TestTheStartScreenShowsBindingsAndUnboundClasses(t *testing.T) {
	c := &config.Config{
		Name: "shop",
		DurableObjects: []config.DurableObject{
			{Name: "ORDERS", ClassName: "Order"},
			{Name: "SAME_ORDERS", ClassName: "Order", ScriptName: "shop"},
			{Name: "USERS", ClassName: "User", ScriptName: "accounts"},
		},
		Migrations: []config.Migration{
			{Tag: "v1", NewSQLiteClasses: []string{"Order", "Basket", "Old"}},
			{Tag: "v2", RenamedClasses: []config.Rename{{From: "Basket", To: "Cart"}}, DeletedClasses: []string{"Old"}},
		},
		Vars: []config.Var{
			{Name: "GREETING", Value: "hello"},
			{Name: "LIMITS", Value: `{"max":3}`, JSON: true},
			{Name: "TOKEN", Value: "secret"},
			{Name: "LONG", Value: strings.Repeat("x", 100)},
		},
	}
	want := [][]string{
		{"Binding", "Resource"},
		{"env.ORDERS (Order)", "Durable Object"},
		{"env.SAME_ORDERS (Order)", "Durable Object"},
		{"env.USERS (User, defined in accounts (not emulated))", "Durable Object"},
		{"no binding (Cart)", "Durable Object"},
		{`env.GREETING ("hello")`, "Variable"},
		{`env.LIMITS ({"max":3})`, "Variable"},
		{"env.TOKEN ((hidden))", "Variable"},
		{`env.LONG ("` + strings.Repeat("x", 38) + "…)", "Variable"},
	}
	if diff := cmp.Diff(want, resources(c, []config.Var{{Name: "TOKEN"}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
