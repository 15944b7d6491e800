package cli_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
)

func TestObjectsListIsATable(t *testing.T) {
	soon := noon.Add(9200 * time.Millisecond)
	late := noon.Add(-time.Second)
	id := strings.Repeat("0a", 32)
	e := emulator{objects: control.Objects{Now: noon, Objects: []control.ObjectInfo{
		{Object: object("Batcher", "a"), Size: 12288, Alarm: &soon, InMemory: true},
		{Object: object("Batcher", "b\n"), Size: 1234567, Alarm: &late, InMemory: true, Running: true},
		{Object: object("Session", ""), Size: 999},
		{Object: object("Session", "bad"), Problem: "no database"},
	}}}
	c := e.start(t)
	row := func(object, rest string) string { return fmt.Sprintf("%-72s  %s\n", object, rest) }
	check(t, c.run(t.Context(), "objects", "list"), result{
		out: row("OBJECT", "SIZE     ALARM       STATE                    ID") +
			row("Batcher/a", "12.3 KB  in 9.2s     in memory                "+id) +
			row(`Batcher/b\n`, "1.2 MB   overdue 1s  running                  "+id) +
			row("Session/"+id, "999 B                on disk                  "+id) +
			row("Session/bad", "0 B                  unreadable: no database  "+id),
	})
	got := c.run(t.Context(), "objects", "list", "--json")
	if diff := cmp.Diff(e.objects, any(decode[control.Objects](t, got.out))); diff != "" {
		t.Errorf("with --json (-want +got):\n%s", diff)
	}
	e.objects = control.Objects{Now: noon}
	check(t, c.run(t.Context(), "objects", "list"), result{out: "there are no objects\n"})
	check(t, c.run(t.Context(), "objects", "list", "--json"), result{
		out: "{\n  \"now\": \"2026-10-01T12:00:00Z\",\n  \"objects\": []\n}\n",
	})
}

func TestObjectsShow(t *testing.T) {
	details := control.ObjectDetails{
		ObjectInfo: control.ObjectInfo{Object: object("Batcher", "a"), Size: 4096},
		Keys:       3, File: "/state/x.sqlite",
	}
	e := emulator{objects: details}
	c := e.start(t)
	check(t, c.run(t.Context(), "objects", "show", "Batcher/a"), result{out: `
object  Batcher/a
id      0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
state   on disk
alarm   none
keys    3
size    4.1 KB
file    /state/x.sqlite
`[1:]})
	details.Alarm = &noon
	e.objects = details
	got := c.run(t.Context(), "objects", "show", "Batcher/a")
	if !strings.Contains(got.out, "alarm   2026-10-01T12:00:00.000Z\n") {
		t.Errorf("with an alarm: got %s", got.out)
	}
	got = c.run(t.Context(), "objects", "show", "Batcher/a", "--json")
	if diff := cmp.Diff(details, decode[control.ObjectDetails](t, got.out)); diff != "" {
		t.Errorf("with --json (-want +got):\n%s", diff)
	}
}

func TestObjectsCommandsSendRequests(t *testing.T) {
	id := strings.Repeat("0A", 32)
	for _, test := range []struct {
		line string // separated by blanks
		want string
	}{
		{"list", "GET objects"},
		{"show Batcher/a", "GET objects/Batcher/a"},
		{"show Batcher/a/b", "GET objects/Batcher/a%2Fb"},
		{"show BATCHER/" + id, "GET objects/BATCHER/" + strings.ToLower(id)},
		{"evict Batcher/a", "POST objects/Batcher/a/evict"},
		{"delete Batcher/a", "DELETE objects/Batcher/a?force=false"},
		{"delete Batcher/a --force", "DELETE objects/Batcher/a?force=true"},
		{"get Batcher/a", "GET objects/Batcher/a/entries?limit=100"},
		{"get Batcher/a --prefix n: --limit 5", "GET objects/Batcher/a/entries?limit=5&prefix=n%3A"},
		{"get Batcher/a k", "GET objects/Batcher/a/entry?key=k"},
		{"rm Batcher/a k", "DELETE objects/Batcher/a/entry?key=k"},
		{"put Batcher/a k -5", `PUT objects/Batcher/a/entry?key=k {"type":"json","value":-5}`},
		{`put Batcher/a k {"n":[1]}`, `PUT objects/Batcher/a/entry?key=k {"type":"json","value":{"n":[1]}}`},
		{"put Batcher/a k aGk= --type bytes", `PUT objects/Batcher/a/entry?key=k {"type":"bytes","value":"aGk="}`},
		{
			"put Batcher/a k 2026-11-21T17:00:00Z --type=time",
			`PUT objects/Batcher/a/entry?key=k {"type":"time","value":"2026-11-21T17:00:00Z"}`,
		},
	} {
		e := emulator{objects: struct{}{}}
		got := e.start(t).run(t.Context(), append([]string{"objects"}, strings.Fields(test.line)...)...)
		if got.code != 0 {
			t.Errorf("%s: got %+v", test.line, got)
		}
		if diff := cmp.Diff([]string{test.want}, e.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestObjectsGetShowsValues(t *testing.T) {
	entry := func(key, kind, value string) control.Entry {
		return control.Entry{Key: key, Type: kind, Value: json.RawMessage(value), Size: 5}
	}
	unknown := control.Entry{Key: "js", Type: control.TypeUnknown, Size: 5, Problem: "only workerd can read it"}
	e := emulator{objects: control.Entries{Object: object("Batcher", "a"), More: true, Entries: []control.Entry{
		entry("bytes", control.TypeBytes, `"aGk="`),
		entry("json", control.TypeJSON, `{"n":1}`),
		unknown,
		entry("long\x1b", control.TypeJSON, `"`+strings.Repeat("ü", 200)+`"`),
		entry("time", control.TypeTime, `"2026-11-21T17:00:00Z"`),
	}}}
	c := e.start(t)
	check(t, c.run(t.Context(), "objects", "get", "Batcher/a"), result{out: `
KEY         VALUE
bytes       bytes aGk=
json        {"n":1}
js          unreadable, 5 B: only workerd can read it
long\u001b  "`[1:] + strings.Repeat("ü", 98) + `…
time        time 2026-11-21T17:00:00Z
… and more: see them with --limit N or --prefix TEXT
`})

	for _, test := range []struct {
		entry control.Entry
		want  string
	}{
		{entry("k", control.TypeJSON, `"bytes aGk="`), `"bytes aGk="` + "\n"},
		{entry("k", control.TypeBytes, `"aGk="`), "bytes aGk=\n"},
		{entry("k", control.TypeTime, `"2026-11-21T17:00:00Z"`), "time 2026-11-21T17:00:00Z\n"},
	} {
		e.objects = test.entry
		check(t, c.run(t.Context(), "objects", "get", "Batcher/a", "k"), result{out: test.want})
	}
	e.objects = unknown
	check(t, c.run(t.Context(), "objects", "get", "Batcher/a", "js"), result{
		code: 1, err: "devtool: the value of \"js\" can't be shown: only workerd can read it\n",
	})

	e.objects = control.Entries{Object: object("Batcher", "a")}
	check(t, c.run(t.Context(), "objects", "get", "Batcher/a"), result{out: "Batcher/a has no keys\n"})
	check(t, c.run(t.Context(), "objects", "get", "Batcher/a", "--prefix", "n:"), result{
		out: "Batcher/a has no keys that begin with \"n:\"\n",
	})
}

func TestObjectsCommandsSayWhatTheyDid(t *testing.T) {
	for _, test := range []struct {
		line   string
		answer any
		want   string
	}{
		{"evict Batcher/a", control.Evicted{Object: object("Batcher", "a"), Evicted: true}, "evicted Batcher/a\n"},
		{"evict Batcher/a", control.Evicted{Object: object("Batcher", "a")}, "Batcher/a was not in memory\n"},
		{"delete Batcher/a", object("Batcher", "a"), "deleted Batcher/a\n"},
		{"put Batcher/a k 1", control.Entry{Key: "k"}, "stored \"k\" in Batcher/a\n"},
		{"rm Batcher/a k", control.Entry{Key: "k"}, "deleted \"k\" of Batcher/a\n"},
	} {
		e := emulator{objects: test.answer}
		args := append([]string{"objects"}, strings.Fields(test.line)...)
		check(t, e.start(t).run(t.Context(), args...), result{out: test.want})
	}
}

// TestTextThatIsNotUTF8IsRefused has a reason: in a JSON request, each byte that is not UTF-8 would
// silently become another character.
func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	var e emulator
	for _, kind := range []string{"json", "bytes", "time"} {
		put := []string{"objects", "put", "Batcher/a", "k", "\"\xff\"", "--type", kind}
		check(t, e.start(t).run(t.Context(), put...), result{
			code: 2,
			err:  "devtool: \"\\\"\\xff\\\"\" is not UTF-8 text\n  Write other bytes in base64, with --type bytes\n",
		})
	}
	check(t, e.start(t).run(t.Context(), "objects", "put", "Batcher/a", "k\xff", "1"), result{
		code: 2, err: "devtool: the key \"k\\xff\" is not UTF-8 text\n  Handlers could not read it\n",
	})
	for _, line := range []string{"objects put Batcher/\xff k 1", "alarms trigger Batcher/\xff"} {
		check(t, e.start(t).run(t.Context(), strings.Fields(line)...), result{
			code: 2,
			err: "devtool: \"Batcher/\\xff\" is not UTF-8 text\n" +
				"  Name such an object by its ID: `devtool objects list` shows it\n",
		})
	}
	if e.asked != nil {
		t.Errorf("got requests %q, want none", e.asked)
	}
}

func TestObjectsShowsARefusalOfTheEmulator(t *testing.T) {
	e := emulator{err: &control.Error{Code: control.CodeRunning, Message: "Batcher/a is running", Hint: "wait"}}
	c := e.start(t)
	for _, line := range []string{"evict Batcher/a", "delete Batcher/a", "show Batcher/a", "rm Batcher/a k"} {
		args := append([]string{"objects"}, strings.Fields(line)...)
		check(t, c.run(t.Context(), args...), result{code: 1, err: "devtool: Batcher/a is running\n  Wait\n"})
	}
}
