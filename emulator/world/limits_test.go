package world

import (
	"fmt"
	"strings"
	"testing"

	"devtool.internal/durable/wire"
)

// newKeyValueWorld is newWorld with a class Lab that has no SQL.
func newKeyValueWorld(t *testing.T, s *script) *world {
	w := newWorld(t, s)
	w.keyValue = true
	if err := w.Apply(w.layout()); err != nil {
		t.Fatal(err)
	}
	return w
}

func limitScript() *script {
	try := func(key, value string) func(*call) (string, error) {
		return func(c *call) (string, error) { return fmt.Sprint(c.store(key, value)), nil }
	}
	key := strings.Repeat("k", 2049)
	return newScript(map[string]func(*call) (string, error){
		"/largest": try(key[1:], strings.Repeat("v", 128<<10)),
		"/value":   try("k", strings.Repeat("v", 128<<10+1)),
		"/key":     try(key, ""),
		"/get":     func(c *call) (string, error) { return c.load(key), nil },
		"/exec":    func(c *call) (string, error) { _, err := c.exec("SELECT 1"); return fmt.Sprint(err), nil },
		"/size":    func(c *call) (string, error) { return fmt.Sprint(c.plain(wire.MethodDatabaseSize)), nil },
		"/delete": func(c *call) (string, error) {
			err := c.ask(func(ev *Event) error { _, err := ev.Delete(key); return err })
			return fmt.Sprint(err), nil
		},
		"/getmany": func(c *call) (string, error) {
			err := c.ask(func(ev *Event) error { _, err := ev.GetMany([]string{"", key}); return err })
			return fmt.Sprint(err), nil
		},
		"/deletemy": func(c *call) (string, error) {
			err := c.ask(func(ev *Event) error { _, err := ev.DeleteMany([]string{"", key}); return err })
			return fmt.Sprint(err), nil
		},
	})
}

func TestObjectsWithoutSQLHaveNarrowerLimits(t *testing.T) {
	const tooLong = "a key of 2049 bytes, the limit is 2048"
	const noSQL = "SQL is not enabled for this Durable Object class. To enable it, change " +
		"`new_classes` to `new_sqlite_classes` in the migration that creates the class"
	w := newKeyValueWorld(t, limitScript())
	for path, want := range map[string]string{
		"/largest":  "<nil>",
		"/value":    "a value of 131073 bytes, the limit is 131072",
		"/key":      tooLong,
		"/get":      "error: " + tooLong,
		"/delete":   tooLong,
		"/getmany":  tooLong,
		"/deletemy": tooLong,
		"/exec":     noSQL,
		"/size":     noSQL,
	} {
		w.want("a", path, want)
	}
}

func TestTheLocalProfileHasNoLimitsForKeysAlone(t *testing.T) {
	w := newKeyValueWorld(t, limitScript())
	w.limits = LocalLimits
	w.want("a", "/value", "<nil>")
	w.want("a", "/key", "<nil>")
}
