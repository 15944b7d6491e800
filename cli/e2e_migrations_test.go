package cli_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/state"
)

// TestMigrationsAreAppliedToObjects creates a class, renames it while its object has a pending
// alarm, and deletes it.
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

	// The program that is saved still has the class under its old name. So the step waits, and the
	// old version goes on.
	const v1 = `"new_sqlite_classes": ["Basic"] }`
	const v2 = `, { "tag": "v2", "renamed_classes": [{ "from": "Basic", "to": "Basil" }] }`
	p.edit("wrangler.jsonc", v1, v1+v2, `"class_name": "Basic"`, `"class_name": "Basil"`)
	s.awaitLog("the program has no class Basil (bound as BASIC)")
	s.awaitLog("the version before is still being served")
	s.post("/", "")
	var status state.Migrations
	p.succeed(&status, "migrations", "status", "--json")
	pending := status.Pending()
	if len(pending) != 1 || pending[0].String() != "v2: rename Basic to Basil" || status.State != s.State {
		t.Errorf("status: got %+v, want v2 pending in %s", status, s.State)
	}
	applied := p.devtool("migrations", "apply")
	if applied.code != 1 || !strings.Contains(applied.err, "is in use by another devtool") {
		t.Errorf("apply: got exit code %d, %s, want a refusal", applied.code, applied.err)
	}

	// The program that fits applies the migration, between the versions. The name leads to the same
	// object, and its alarm runs in the class under the new name.
	p.edit("main.go", `"Basic": durable.NewClass`, `"Basil": durable.NewClass`)
	s.awaitLog("applied migration v2: rename Basic to Basil")
	s.awaitLog("reloaded in ")
	after := p.alarms().Alarms
	if len(after) != 1 || after[0].String() != "Basil/one" || after[0].ID != before[0].ID {
		t.Errorf("alarms: got %+v, want that of Basil/one with the id %s", after, before[0].ID)
	}
	moved := p.advance("1h")
	if len(moved.Fired) != 1 || moved.Fired[0].Outcome != "ok" || moved.Fired[0].String() != "Basil/one" {
		t.Errorf("fired: got %+v, want Basil/one", moved.Fired)
	}
	if pending := p.alarms().Alarms; len(pending) != 1 || !pending[0].Due.Equal(before[0].Due.Add(time.Hour)) {
		t.Errorf("alarms: got %+v, want the one that the handler set again because of its storage", pending)
	}

	// An edit of an applied migration is refused with its position, and the version before serves.
	p.edit("wrangler.jsonc", `"to": "Basil"`, `"to": "Basis"`, `"class_name": "Basil"`, `"class_name": "Basis"`)
	s.awaitLog(`the migration "v2" was applied as "rename Basic to Basil", ` +
		`and now says "rename Basic to Basis" [migration-edited]`)
	s.post("/", "")
	s.interrupt()
	refused := p.devtool("dev", "--port", "0")
	for _, want := range []string{"wrangler.jsonc:6:", "devtool migrations adopt"} {
		if refused.code != 1 || !strings.Contains(refused.err, want) {
			t.Errorf("dev: got exit code %d, %s, want 1 and %q", refused.code, refused.err, want)
		}
	}

	// Deleting a class deletes its alarms. A new class can then have the same name.
	p.edit("wrangler.jsonc", `"to": "Basis"`, `"to": "Basil"`, `"class_name": "Basis"`, `"class_name": "Basil"`)
	const v3 = `, { "tag": "v3", "deleted_classes": ["Basil"] }`
	const v4 = `, { "tag": "v4", "new_sqlite_classes": ["Basil"] }`
	s = p.dev("--frozen")
	s.post("/", "")
	p.edit("wrangler.jsonc", `"to": "Basil" }] }`, `"to": "Basil" }] }`+v3+v4)
	s.awaitLog("applied migration v3: delete Basil (1 object; kept in ")
	s.awaitLog("applied migration v4: create Basil")
	if pending := p.alarms().Alarms; len(pending) != 0 {
		t.Errorf("alarms: got %+v, want none", pending)
	}
	s.post("/", "")
}

// TestAClassIsRenamedUnderLoad renames a class there and back while requests use its objects. None
// is lost, and each sees what was stored before.
func TestAClassIsRenamedUnderLoad(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev()
	s.post("/again", "")
	id := p.alarms().Alarms[0].ID
	load := startLoad(s, "/")
	names := []string{"Basic", "Basil"}
	migrations := `"new_sqlite_classes": ["Basic"] }`
	steps := 4
	if !*long {
		steps = 2
	}
	for i := range steps {
		from, to := names[i%2], names[(i+1)%2]
		const step = `, { "tag": "r%d", "renamed_classes": [{ "from": %q, "to": %q }] }`
		more := migrations + fmt.Sprintf(step, i, from, to)
		p.edit("main.go", `"`+from+`": durable.NewClass`, `"`+to+`": durable.NewClass`)
		p.edit("wrangler.jsonc", migrations, more, `"class_name": "`+from+`"`, `"class_name": "`+to+`"`)
		migrations = more
		s.awaitLog(fmt.Sprintf("applied migration r%d: rename %s to %s", i, from, to))
		s.post("/", "")
		if got := p.alarms().Alarms; len(got) != 1 || got[0].String() != to+"/one" || got[0].ID != id {
			t.Errorf("alarms: got %+v, want that of %s/one with the id %s", got, to, id)
		}
	}
	load.stop()
	kill := s.handlerPID("/pid")
	killProcess(t, kill) // the program is started again with the new name
	s.awaitLog("restarted the handler program")
	s.post("/", "")
	s.kill()
	s = p.dev()
	s.post("/", "")
}
