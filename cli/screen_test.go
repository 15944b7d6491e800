package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
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
		Others: []config.Binding{{Name: "CACHE", Kind: "KV Namespace"}},
		Vars: []config.Var{
			{Name: "GREETING", Value: "hello"},
			{Name: "LIMITS", Value: `{"max":3}`, JSON: true},
			{Name: "TOKEN", Value: "secret", From: ".dev.vars"},
			{Name: "FLAG", Value: "secret", From: "--var"},
			{Name: "LONG", Value: strings.Repeat("x", 100)},
		},
	}
	want := [][]string{
		{"Binding", "Resource"},
		{"env.ORDERS (Order)", "Durable Object"},
		{"env.SAME_ORDERS (Order)", "Durable Object"},
		{"env.USERS (User, defined in accounts (not emulated))", "Durable Object"},
		{"no binding (Cart)", "Durable Object"},
		{"env.CACHE (not emulated)", "KV Namespace"},
		{`env.GREETING ("hello")`, "Variable"},
		{`env.LIMITS ({"max":3})`, "Variable"},
		{"env.TOKEN (hidden)", "Variable from .dev.vars"},
		{"env.FLAG (hidden)", "Variable from --var"},
		{`env.LONG ("` + strings.Repeat("x", 38) + "…)", "Variable"},
	}
	if diff := cmp.Diff(want, resources(c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheStartScreenFitsItsWidth(t *testing.T) {
	c := &config.Config{
		Name:           "shop",
		DurableObjects: []config.DurableObject{{Name: "ORDERS", ClassName: "Order"}},
		Vars:           []config.Var{{Name: "LONG", Value: strings.Repeat("x", 30)}},
	}
	noon := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	facts := screenFacts{
		status: control.Status{
			Version: "1.0",
			Worker:  "shop",
			URL:     "http://localhost:1",
			State:   "/shop/.devtool/state",
		},
		time:   control.Time{Now: noon, Mode: control.Frozen, Offset: "0s"},
		ending: "Ctrl-C ends",
	}
	rest := `
state  .devtool/state
clock  frozen at 2026-10-01T12:00:00.000Z, in step with real time
       ` + "`devtool time resume` lets it run\n" + `next   no alarm is set

Ready on http://localhost:1 (Ctrl-C ends)
`
	for width, want := range map[int]string{
		80: `devtool 1.0, worker shop
────────────────────────

Binding                                      Resource
env.ORDERS (Order)                           Durable Object
env.LONG ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")  Variable
`,
		20: `devtool 1.0, worker shop
───────────────────

Binding     Resource
env.ORDERS  Durable Object
  Order
env.LONG    Variable
  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
`,
	} {
		var b strings.Builder
		startScreen(&b, c, facts, "/shop", width)
		if diff := cmp.Diff(want+rest, b.String()); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", width, diff)
		}
	}

	facts.unserved = &control.Failure{Message: "it does not build"}
	var b strings.Builder
	startScreen(&b, c, facts, "/shop", 80)
	const want = "\nListening on http://localhost:1, with nothing to serve yet (Ctrl-C ends)\n"
	if got := b.String(); !strings.HasSuffix(got, want) {
		t.Errorf("without a program: got %s, want at its end %s", got, want)
	}
}

func TestTheStartScreenAsksAboutHeldAlarms(t *testing.T) {
	noon := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	var held []control.Alarm
	for i := range 12 {
		held = append(held, control.Alarm{
			Object: control.Object{Class: "Batcher", Name: fmt.Sprint("b", i)},
			Due:    noon.Add(time.Duration(i-120) * time.Minute),
			Held:   true,
		})
	}
	var b strings.Builder
	heldAlarms(&b, held[:2], noon)
	want := `
Held alarms, which came due while no emulator ran:
  Batcher/b0  2026-10-01T10:00:00.000Z  overdue 2h
  Batcher/b1  2026-10-01T10:01:00.000Z  overdue 1h59m
They run when a command moves the clock. Or decide now about them, or some of them:
  devtool alarms trigger --due-before now    run them now
  devtool alarms snooze --due-before now 1h  run them later
  devtool alarms delete --due-before now     drop them
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	b.Reset()
	heldAlarms(&b, held, noon)
	lastTwo := "\n  Batcher/b9  2026-10-01T10:09:00.000Z  overdue 1h51m\n" +
		"  and 2 more: `devtool alarms list --due-before now`\n"
	if got := b.String(); !strings.Contains(got, lastTwo) {
		t.Errorf("got\n%s\nwant ten alarms, and then the number of the others", got)
	}
	b.Reset()
	if heldAlarms(&b, nil, noon); b.String() != "" {
		t.Errorf("without any: got %q", b.String())
	}
}

func TestTheStartScreenSaysWhenACronTriggerRunsNext(t *testing.T) {
	noon := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		next []time.Time
		want string
	}{
		{[]time.Time{noon.Add(5 * time.Minute), noon.Add(time.Hour)}, "*/5 * * * * in 5m, at 2026-10-01T12:05:00.000Z"},
		{nil, "*/5 * * * * never"},
	} {
		if got := cronText(control.Cron{Cron: "*/5 * * * *", Next: test.next}, noon); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
