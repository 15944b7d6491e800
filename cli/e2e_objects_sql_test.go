package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
)

// endless is SQL that never ends.
const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

// TestObjectsTakeSQLWithAndWithoutAnEmulator works on the database of one object, with an emulator
// and without. Both ways it also interrupts SQL that does not end.
func TestObjectsTakeSQLWithAndWithoutAnEmulator(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init", "--template", "counter", "--name", "counter")
	rows := func() string {
		var result control.SQLResult
		p.succeed(&result, "objects", "sql", "Counter/visits", "SELECT * FROM notes ORDER BY id", "--json")
		return fmt.Sprint(result.Rows)
	}
	s := p.dev("--frozen")
	early := p.devtool("objects", "sql", "Counter/visits", "SELECT 1")
	if early.code != 1 || !strings.Contains(early.err, "there is no object Counter/visits") {
		t.Errorf("before the object exists: got %+v", early)
	}
	s.get("/visits")
	const create = "CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO notes VALUES (?, ?)"
	p.succeed(nil, "objects", "sql", "Counter/visits", create, "1", "one")
	if got, want := rows(), "[[{1} {one}]]"; got != want {
		t.Errorf("while running: got %s, want %s", got, want)
	}
	if got, want := s.get("/visits"), "{\"count\":2}\n"; got != want {
		t.Errorf("the handler: got %s, want %s", got, want)
	}

	s.interrupt()
	p.succeed(nil, "objects", "sql", "COUNTER/visits", "INSERT INTO notes (note) VALUES ('two')")
	if got, want := rows(), "[[{1} {one}] [{2} {two}]]"; got != want {
		t.Errorf("without an emulator: got %s, want %s", got, want)
	}
	bad := p.devtool("objects", "sql", "COUNTER/visits", "DELETE FROM notes; SELECT * FORM notes")
	if bad.code != 1 || !strings.Contains(bad.err, "\n"+strings.Repeat(" ", 30)+"^\n") {
		t.Errorf("bad SQL: got %+v", bad)
	}
	p.interruptedSQL()
	if got, want := rows(), "[[{1} {one}] [{2} {two}]]"; got != want {
		t.Errorf("after an interrupt: got %s, want %s", got, want)
	}

	s = p.dev("--frozen")
	p.interruptedSQL()
	if got, want := s.get("/visits"), "{\"count\":3}\n"; got != want {
		t.Errorf("the handler, after an interrupt: got %s, want %s", got, want)
	}
	if got, want := rows(), "[[{1} {one}] [{2} {two}]]"; got != want {
		t.Errorf("while running, after an interrupt: got %s, want %s", got, want)
	}
}

// interruptedSQL runs endless SQL on Counter/visits, whose file must not be open, and
// interrupts it as Ctrl-C does.
func (p project) interruptedSQL() {
	p.t.Helper()
	cmd := command(p.t, p.dir, "objects", "sql", "Counter/visits", "DELETE FROM notes; "+endless)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	class := filepath.Join(p.dir, ".devtool", "state", "v3", "do", "counter-Counter")
	ofObject := strings.Repeat("?", 64) + ".sqlite-wal" // unlike the log of the class's index
	eventually(p.t, "the object's file is open", func() bool {
		logs, err := filepath.Glob(filepath.Join(class, ofObject))
		return err == nil && len(logs) == 1
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Error(err)
	}
	failed := (*exec.ExitError)(nil)
	if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 1 ||
		errs.String() != "devtool: interrupted\n" || out.Len() > 0 {
		p.t.Errorf("interrupted SQL: got %v, %s%s", err, out.String(), errs.String())
	}
}

// TestObjectsAreAborted resets an object by command. Without an object in memory, that is an error.
func TestObjectsAreAborted(t *testing.T) {
	t.Parallel()
	p := emptyProject(t)
	p.succeed(nil, "init", "--template", "counter", "--name", "counter")
	s := p.dev("--frozen")
	s.get("/visits")
	p.succeed(nil, "objects", "abort", "Counter/visits", "--reason", "out of luck")
	s.awaitLog("out of luck")
	var details control.ObjectDetails
	p.succeed(&details, "objects", "show", "Counter/visits", "--json")
	if details.InMemory || details.Keys != 1 {
		t.Errorf("after abort: got %+v, want it out of memory with its key", details)
	}
	for object, want := range map[string]string{
		"Counter/visits": "Counter/visits is not in memory\n  There is nothing to abort",
		"Counter/none":   "there is no object Counter/none",
	} {
		if got := p.devtool("objects", "abort", object); got.code != 1 || !strings.Contains(got.err, want) {
			t.Errorf("abort %s: got %+v, want %s", object, got, want)
		}
	}
	if got, want := s.get("/visits"), "{\"count\":2}\n"; got != want {
		t.Errorf("afterwards: got %s, want %s", got, want)
	}
}
