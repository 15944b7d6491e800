package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/internal/scripted"
)

// labScript returns a program whose objects store, load and set alarms. It notes "constructed" for
// each instance.
func labScript() *script {
	return scripted.New(handlers{
		"construct": func(c *call) (string, error) { c.Program.Note("construct:%s", c.Object); return "", nil },
		"/get":      func(c *call) (string, error) { return c.Load("k"), nil },
		"/put":      func(c *call) (string, error) { return "", c.Store("k", `J"stored"`) },
		"/alarm":    func(c *call) (string, error) { return "", c.SetAlarm(time.Minute) },
		"/memory":   func(*call) (string, error) { return "", nil },
		"alarm":     func(c *call) (string, error) { c.Program.Note("alarm:%s", c.Object); return "", nil },
	})
}

// client returns a client of the emulator's control API, as commands use it.
func (w *testWorld) client() *client.Client { return &client.Client{URL: w.server.URL, Token: w.token} }

func lab(name string) control.Object { return control.Object{Class: "Lab", Name: name} }

// entryText returns an entry as "type value".
func entryText(e control.Entry) string {
	if e.Problem != "" {
		return e.Type + " " + e.Problem
	}
	return e.Type + " " + string(e.Value)
}

// wantRefusal checks the status and the text of a refusal.
func wantRefusal(t *testing.T, err error, status int, text string) {
	t.Helper()
	refused := (*control.Error)(nil)
	if !errors.As(err, &refused) || refused.Code.Status() != status || !strings.Contains(refused.Error(), text) {
		t.Errorf("got %v, want status %d and %q", err, status, text)
	}
}

func TestAdministrationDoesNotWakeTheObject(t *testing.T) {
	s := labScript()
	w := newWorld(t, s)
	c, ctx := w.client(), t.Context()
	for _, ask := range []func() error{
		func() error { _, err := c.PutEntry(ctx, lab("a"), "k", put(`{"n":1}`)); return err },
		func() error { _, err := c.PutEntry(ctx, lab("a"), "stays", put("1")); return err },
		func() error { _, err := c.GetEntry(ctx, lab("a"), "k"); return err },
		func() error { _, err := c.ListEntries(ctx, lab("a"), control.EntriesRequest{}); return err },
		func() error { _, err := c.ShowObject(ctx, lab("a")); return err },
		func() error { _, err := c.ListObjects(ctx); return err },
		func() error { _, err := c.DeleteEntry(ctx, lab("a"), "k"); return err },
		func() error { _, err := c.EvictObject(ctx, lab("a")); return err },
		func() error { _, err := c.DeleteObject(ctx, lab("a"), false); return err },
	} {
		if err := ask(); err != nil {
			t.Error(err)
		}
	}
	if got := s.Notes(); got != "" {
		t.Errorf("the program was asked to %s, want nothing", got)
	}
}

func TestAnObjectIsIdleWhenItsResponseHasArrived(t *testing.T) {
	w := newWorld(t, labScript())
	for range 100 {
		w.want("a", "/put", "")
		if got, err := w.client().ShowObject(t.Context(), lab("a")); err != nil || got.Running {
			t.Fatalf("got %+v, %v, want that it no longer runs", got, err)
		}
	}
}

func put(value string) control.PutRequest { return control.PutRequest{Value: json.RawMessage(value)} }

func TestTheHandlerSeesWhatWasPut(t *testing.T) {
	w := newWorld(t, labScript())
	if _, err := w.client().PutEntry(t.Context(), lab("a"), "k", put(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	w.want("a", "/get", `J{"n":1}`)
	w.want("a", "/put", "")
	got, err := w.client().GetEntry(t.Context(), lab("a"), "k")
	if err != nil || entryText(got) != `json "stored"` {
		t.Errorf("got %s, %v, want what the handler stored", entryText(got), err)
	}
}

func TestEntriesKeepTheirTypes(t *testing.T) {
	w := newWorld(t, labScript())
	c := w.client()
	for i, test := range []struct {
		kind, value string
		want        string
	}{
		{"", `{"a": [1, 2]}`, `json {"a":[1,2]}`},
		{"json", `[1000000000000000000, 1.2345678901234567890]`, `json [1000000000000000000,1.2345678901234567890]`},
		{"json", `null`, `json null`},
		{"json", `{"$bytes": "aGk="}`, `json {"$bytes":"aGk="}`},
		{"bytes", `"aGk="`, `bytes "aGk="`},
		{"bytes", `""`, `bytes ""`},
		{"time", `"2026-11-21T17:00:00.5+01:00"`, `time "2026-11-21T16:00:00.5Z"`},
	} {
		key := fmt.Sprint(i)
		put := control.PutRequest{Type: test.kind, Value: json.RawMessage(test.value)}
		stored, err := c.PutEntry(t.Context(), lab("a"), key, put)
		if err != nil || entryText(stored) != test.want {
			t.Errorf("put %s %s: got %s, %v, want %s", test.kind, test.value, entryText(stored), err, test.want)
		}
		got, err := c.GetEntry(t.Context(), lab("a"), key)
		if diff := cmp.Diff(stored, got); diff != "" || err != nil {
			t.Errorf("get after put %s: %v\n%s", test.value, err, diff)
		}
		again, err := c.PutEntry(t.Context(), lab("a"), key, control.PutRequest{Type: got.Type, Value: got.Value})
		if diff := cmp.Diff(stored, again); diff != "" || err != nil {
			t.Errorf("put again what was got: %v\n%s", err, diff)
		}
	}
	for _, test := range []struct{ kind, value, want string }{
		{"", "", "the value is not JSON"},
		{"json", `{"n": 12345678901234567890}`, "the integer 12345678901234567890 at n is beyond ±2^53"},
		{"bytes", `"not base64!"`, "the value is not of type bytes"},
		{"time", `"yesterday"`, "the value is not of type time"},
		{"blob", `1`, `"blob" is not a type of values`},
		{"", `"` + strings.Repeat("x", 2<<20) + `"`, "the limit is"},
	} {
		put := control.PutRequest{Type: test.kind, Value: json.RawMessage(test.value)}
		_, err := w.world.Admin().PutEntry(t.Context(), lab("a"), "k", put)
		wantRefusal(t, err, 400, test.want)
	}
}

func TestListEntriesSelectsByPrefixAndLimit(t *testing.T) {
	w := newWorld(t, labScript())
	c := w.client()
	for i := range 150 {
		if _, err := c.PutEntry(t.Context(), lab("a"), fmt.Sprintf("n/%03d", i), put("1")); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"", "a&b=c#d", "ü", "z"} {
		if _, err := c.PutEntry(t.Context(), lab("a"), key, put("2")); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		q     control.EntriesRequest
		first string
		n     int
		more  bool
	}{
		{control.EntriesRequest{}, "", control.DefaultEntries, true},
		{control.EntriesRequest{Limit: 1000}, "", 154, false},
		{control.EntriesRequest{Limit: 154}, "", 154, false},
		{control.EntriesRequest{Limit: 153}, "", 153, true},
		{control.EntriesRequest{Prefix: "n/01"}, "n/010", 10, false},
		{control.EntriesRequest{Prefix: "a&b=c#"}, "a&b=c#d", 1, false},
		{control.EntriesRequest{Prefix: "none"}, "", 0, false},
	} {
		got, err := c.ListEntries(t.Context(), lab("a"), test.q)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Entries) != test.n || got.More != test.more || (test.n > 0 && got.Entries[0].Key != test.first) {
			t.Errorf("%+v: got %d entries, more: %t; want %d from %q, more: %t",
				test.q, len(got.Entries), got.More, test.n, test.first, test.more)
		}
		if got.ID != labID("a") {
			t.Errorf("got entries of %+v", got.Object)
		}
	}
	_, err := c.ListEntries(t.Context(), lab("a"), control.EntriesRequest{Limit: -1})
	wantRefusal(t, err, 400, "must be positive")
}

func TestObjectsAreNamedByClassBindingAndID(t *testing.T) {
	w := newWorld(t, labScript())
	c := w.client()
	for _, name := range []string{"a", "a/b", "..", ".", "ü?#%2F", "x y", "/", "//", "-"} {
		if _, err := c.PutEntry(t.Context(), lab(name), "k", put("1")); err != nil {
			t.Fatal(err)
		}
		want := control.Object{Class: "Lab", Name: name, ID: labID(name)}
		for _, which := range []control.Object{
			{Class: "Lab", Name: name},
			{Class: "LAB", Name: name},
			{Class: "Lab", ID: want.ID},
			{Class: "LAB", ID: strings.ToUpper(want.ID)},
		} {
			got, err := c.ShowObject(t.Context(), which)
			if err != nil || got.Object != want || got.Keys != 1 {
				t.Errorf("show %+v: got %+v, %v, want %+v", which, got, err, want)
			}
		}
	}
	for _, test := range []struct {
		which  control.Object
		status int
		want   string
	}{
		{lab("none"), 404, "there is no object Lab/none"},
		{control.Object{Class: "Lba", Name: "a"}, 404, `there is no class "Lba": the classes are Lab, Mute`},
		{control.Object{Class: "Mute", ID: labID("a")}, 400, "not valid for this namespace"},
	} {
		_, err := c.ShowObject(t.Context(), test.which)
		wantRefusal(t, err, test.status, test.want)
		_, err = c.GetEntry(t.Context(), test.which, "k")
		wantRefusal(t, err, test.status, test.want)
		_, err = c.EvictObject(t.Context(), test.which)
		wantRefusal(t, err, test.status, test.want)
		_, err = c.DeleteObject(t.Context(), test.which, true)
		wantRefusal(t, err, test.status, test.want)
	}
	_, err := c.DeleteEntry(t.Context(), lab("a"), "other")
	wantRefusal(t, err, 404, `Lab/a has no key "other"`)
	if files, _ := filepath.Glob(filepath.Join(w.dir, "state", "v3", "do", "w-Lab", labID("none")+"*")); files != nil {
		t.Errorf("asking for an object created the files %q", files)
	}
}

// listed returns the list of objects as texts, each "object state".
func listed(t *testing.T, list func() (control.Objects, error)) []string {
	t.Helper()
	objects, err := list()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, o := range objects.Objects {
		line := o.String()
		for text, holds := range map[string]bool{
			"memory":  o.InMemory,
			"alarm":   o.Alarm != nil,
			"file":    o.Size > 0,
			"damaged": o.Problem != "",
		} {
			if holds {
				line += " " + text
			}
		}
		words := strings.Fields(line)
		slices.Sort(words[1:])
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

func TestListShowsFilesAndMemoryWithNames(t *testing.T) {
	w := newWorld(t, labScript())
	list := func() (control.Objects, error) { return w.client().ListObjects(t.Context()) }
	if got := listed(t, list); got != nil {
		t.Errorf("at first: got %q, want none", got)
	}
	w.want("stored", "/put", "")
	w.want("alarmed", "/alarm", "")
	w.want("fresh", "/memory", "")
	want := []string{"Lab/alarmed alarm file memory", "Lab/fresh memory", "Lab/stored file memory"}
	if diff := cmp.Diff(want, listed(t, list)); diff != "" {
		t.Errorf("in memory (-want +got):\n%s", diff)
	}
	w.moveOn(20 * time.Second)
	want = []string{"Lab/alarmed alarm file", "Lab/stored file"}
	if diff := cmp.Diff(want, listed(t, list)); diff != "" {
		t.Errorf("after eviction (-want +got):\n%s", diff)
	}

	w.restart(labScript())
	file := filepath.Join(w.dir, "state", "v3", "do", "w-Lab", labID("bad")+".sqlite")
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	want = []string{"Lab/" + labID("bad") + " damaged file", "Lab/alarmed alarm file", "Lab/stored file"}
	if diff := cmp.Diff(want, listed(t, list)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	damaged := control.Object{Class: "Lab", ID: labID("bad")}
	if _, err := w.client().DeleteObject(t.Context(), damaged, false); err != nil {
		t.Errorf("delete a damaged object: %v", err)
	}
	if diff := cmp.Diff(want[1:], listed(t, list)); diff != "" {
		t.Errorf("after its deletion (-want +got):\n%s", diff)
	}
}

func TestAskingForAnObjectDoesNotKeepItInMemory(t *testing.T) {
	s := labScript()
	w := newWorld(t, s)
	w.want("a", "/put", "")
	w.moveOn(6 * time.Second)
	if _, err := w.client().GetEntry(t.Context(), lab("a"), "k"); err != nil {
		t.Fatal(err)
	}
	w.moveOn(6 * time.Second)
	got, err := w.client().ShowObject(t.Context(), lab("a"))
	if err != nil || got.InMemory {
		t.Errorf("after 12 idle seconds: got %+v, %v, want it evicted", got, err)
	}
}

func TestEvictDropsTheInstance(t *testing.T) {
	s := labScript()
	w := newWorld(t, s)
	w.want("a", "/put", "")
	for _, want := range []bool{true, false} {
		got, err := w.client().EvictObject(t.Context(), lab("a"))
		if err != nil || got.Evicted != want || got.Name != "a" {
			t.Errorf("evict: got %+v, %v, want evicted: %t", got, err, want)
		}
	}
	w.want("a", "/get", `J"stored"`)
	if got, want := s.Notes(), "construct:a construct:a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestARunningObjectIsNeitherEvictedNorDeleted(t *testing.T) {
	t.Parallel()
	s := labScript()
	entered, finish := make(chan bool), make(chan bool)
	s.Handlers["/hold"] = func(c *call) (string, error) {
		must(c.Store("k", `J1`))
		entered <- true
		<-finish
		return "done", nil
	}
	w := newWorld(t, s)
	ended := make(chan bool)
	go func() { w.want("a", "/hold", "done"); close(ended) }()
	<-entered
	c := w.client()
	_, err := c.EvictObject(t.Context(), lab("a"))
	wantRefusal(t, err, 409, "Lab/a is running")
	for _, force := range []bool{false, true} {
		_, err = c.DeleteObject(t.Context(), lab("a"), force)
		wantRefusal(t, err, 409, "Lab/a is running")
	}
	objects, err := c.ListObjects(t.Context()) // without waiting for the turn
	if err != nil || len(objects.Objects) != 1 || !objects.Objects[0].Running {
		t.Errorf("list: got %+v, %v, want it running", objects, err)
	}

	// Reading an entry waits until the running event has committed.
	seen := make(chan string)
	go func() {
		e, err := c.GetEntry(t.Context(), lab("a"), "k")
		seen <- fmt.Sprint(entryText(e), err)
	}()
	w.awaitBehind("a")
	close(finish)
	if got, want := <-seen, "json 1<nil>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	<-ended
}

func TestDeleteRemovesDataAlarmAndFile(t *testing.T) {
	s := labScript()
	w := newWorld(t, s)
	w.want("a", "/put", "")
	w.want("a", "/alarm", "")
	c := w.client()
	_, err := c.DeleteObject(t.Context(), lab("a"), false)
	wantRefusal(t, err, 409, "Lab/a is in memory: delete it with --force")
	details, err := c.ShowObject(t.Context(), lab("a"))
	if err != nil || details.Keys != 1 || details.Alarm == nil {
		t.Fatalf("after the refusal: got %+v, %v, want everything still there", details, err)
	}

	got, err := c.DeleteObject(t.Context(), lab("a"), true)
	if want := (control.Object{Class: "Lab", Name: "a", ID: labID("a")}); err != nil || got != want {
		t.Errorf("delete: got %+v, %v, want %+v", got, err, want)
	}
	if left, _ := filepath.Glob(details.File + "*"); left != nil {
		t.Errorf("left behind: %q", left)
	}
	if fired := w.moveOn(time.Hour); fired != nil {
		t.Errorf("after deletion: fired %q, want nothing", fired)
	}
	w.restart(s)
	if fired := w.moveOn(time.Hour); fired != nil {
		t.Errorf("after a restart: fired %q, want nothing", fired)
	}
	w.want("a", "/get", "")
}

func TestTheObjectsAPIRefusesInvalidRequests(t *testing.T) {
	w := newWorld(t, labScript())
	for path, want := range map[string]string{
		"objects/Lab/a/entry":           "400 needs a key",
		"objects/Lab/a/entries?limit=x": `400 limit can't be \"x\"`,
		"objects/Lab":                   "404 the control API has no GET",
	} {
		response, err := w.server.Client().Get(w.server.URL + control.Prefix + path)
		if err != nil {
			t.Fatal(err)
		}
		var refused json.RawMessage
		err = json.NewDecoder(response.Body).Decode(&refused)
		response.Body.Close()
		got := fmt.Sprint(response.StatusCode, " ", string(refused))
		if err != nil || !strings.HasPrefix(got, want[:4]) || !strings.Contains(got, want[4:]) {
			t.Errorf("GET %s: got %s, want %s", path, got, want)
		}
	}
}
