package cli_test

import (
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/state"
)

// The life of a class: it is created, renamed while its object has an alarm pending, and deleted.
func TestMigrationsAreAppliedToObjects(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--frozen")
	s.awaitLog("applied migration v1: create Basic")
	s.post("/again", "")
	before := p.alarms().Alarms
	if len(before) != 1 || before[0].String() != "Basic/one" {
		t.Fatalf("alarms: got %+v, want that of Basic/one", before)
	}

	// While objects are in use they stay where they are, and the old version serves.
	v1, v2 := `"new_sqlite_classes": ["Basic"] }`, `, { "tag": "v2", "renamed_classes": [{ "from": "Basic", "to": "Basil" }] }`
	p.edit("wrangler.jsonc", v1, v1+v2, `"class_name": "Basic"`, `"class_name": "Basil"`)
	s.awaitLog("pending migrations affect existing objects (v2: rename Basic to Basil)")
	s.awaitLog("the version before is still being served")
	s.post("/", "")
	var status state.Migrations
	p.succeed(&status, "migrations", "status", "--json")
	if pending := status.Pending(); len(pending) != 1 || pending[0].String() != "v2: rename Basic to Basil" || status.State != s.State {
		t.Errorf("status: got %+v, want v2 pending in %s", status, s.State)
	}
	if got := p.devtool("migrations", "apply"); got.code != 1 || !strings.Contains(got.err, "is in use by another devtool") {
		t.Errorf("apply: got exit code %d, %s", got.code, got.err)
	}
	s.kill()

	// The next start applies them. The name leads to the object that it has always led to, and its alarm
	// runs in the class as it is called now.
	p.edit("main.go", `"Basic": durable.NewClass`, `"Basil": durable.NewClass`)
	s = p.dev("--frozen")
	s.awaitLog("applied migration v2: rename Basic to Basil")
	after := p.alarms().Alarms
	if len(after) != 1 || after[0].String() != "Basil/one" || after[0].ID != before[0].ID {
		t.Errorf("alarms: got %+v, want that of Basil/one with the id %s", after, before[0].ID)
	}
	moved := p.advance("1h")
	if len(moved.Fired) != 1 || moved.Fired[0].Outcome != "ok" || moved.Fired[0].String() != "Basil/one" {
		t.Errorf("fired: got %+v, want Basil/one", moved.Fired)
	}
	if pending := p.alarms().Alarms; len(pending) != 1 || !pending[0].Due.Equal(before[0].Due.Add(time.Hour)) {
		t.Errorf("alarms: got %+v, want the one that was set again because of what was stored", pending)
	}

	// An edit of what was applied is refused, with its place, and the version before serves on.
	p.edit("wrangler.jsonc", `"to": "Basil"`, `"to": "Basis"`, `"class_name": "Basil"`, `"class_name": "Basis"`)
	s.awaitLog(`the migration "v2" was applied as "rename Basic to Basil", and now says "rename Basic to Basis" [migration-edited]`)
	s.post("/", "")
	s.interrupt()
	if got := p.devtool("dev", "--port", "0"); got.code != 1 || !strings.Contains(got.err, "wrangler.jsonc:6:") || !strings.Contains(got.err, "devtool migrations adopt") {
		t.Errorf("dev: got exit code %d, %s", got.code, got.err)
	}

	// A class that is deleted goes with its alarm. Its name can be used anew.
	p.edit("wrangler.jsonc", `"to": "Basis"`, `"to": "Basil"`, `"class_name": "Basis"`, `"class_name": "Basil"`)
	p.edit("wrangler.jsonc", `"to": "Basil" }] }`, `"to": "Basil" }] }, { "tag": "v3", "deleted_classes": ["Basil"] }, { "tag": "v4", "new_sqlite_classes": ["Basil"] }`)
	s = p.dev("--frozen")
	s.awaitLog("applied migration v3: delete Basil (1 object; kept in ")
	s.awaitLog("applied migration v4: create Basil")
	if pending := p.alarms().Alarms; len(pending) != 0 {
		t.Errorf("alarms: got %+v, want none", pending)
	}
	s.post("/", "")
}
