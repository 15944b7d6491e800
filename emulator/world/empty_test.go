package world

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"devtool.internal/emulator/store"
)

// An object exists as long as it stores something or is in memory.

// emptyScript is alarmScript with objects that also store keys and tables.
func emptyScript() *script {
	s := alarmScript(nil)
	s.handlers["/put"] = func(c *call) (string, error) { return "", c.store("k", "v") }
	s.handlers["/delete key"] = func(c *call) (string, error) {
		return "", c.ask(func(ev *Event) error { _, err := ev.Delete("k"); return err })
	}
	for path, query := range map[string]string{
		"/create": "CREATE TABLE IF NOT EXISTS t (a)", "/drop": "DROP TABLE IF EXISTS t",
	} {
		s.handlers[path] = func(c *call) (string, error) { _, err := c.exec(query); return "", err }
	}
	return s
}

// listed returns the names of the objects that are listed, and which of them are in memory.
func (w *world) listed() (names []string, inMemory map[string]bool) {
	w.t.Helper()
	list, err := w.client().ListObjects(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	inMemory = map[string]bool{}
	for _, o := range list.Objects {
		if o.Problem != "" {
			w.t.Errorf("%s: %s", o.Object, o.Problem)
		}
		names = append(names, o.Name)
		inMemory[o.Name] = o.InMemory
	}
	return names, inMemory
}

// files returns the names of the objects of class Lab that have a file.
func (w *world) files() (names []string) {
	w.t.Helper()
	ids, err := store.Objects(w.layout().Classes[0].Dir)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if slices.Contains(ids, labID(name)) {
			names = append(names, name)
		}
	}
	return names
}

func TestAnObjectThatStoresNothingIsGoneWithItsInstance(t *testing.T) {
	for name, paths := range map[string][]string{
		"only read":             {"/k", "/get"},
		"deleted":               {"/put", "/create", "/set1h", "/wipe"},
		"its alarm has run":     {"/set1s"},
		"its alarm was deleted": {"/set1h", "/delete"},
	} {
		t.Run(name, func(t *testing.T) {
			s := emptyScript()
			w := newWorld(t, s)
			w.want("b", "/create", "") // a table without rows is something
			for _, path := range paths {
				w.want("a", path, map[string]string{"/get": "none"}[path])
			}
			w.moveOn(time.Second) // it is still in memory
			names, inMemory := w.listed()
			if !slices.Equal(names, []string{"a", "b"}) || !inMemory["a"] {
				t.Errorf("while it is in memory: got %q %v, want a and b", names, inMemory)
			}
			if _, err := w.client().EvictObject(t.Context(), lab("a")); err != nil {
				t.Fatal(err)
			}
			gone := func(when string) {
				t.Helper()
				names, _ := w.listed()
				wantList(t, "listed "+when, names, []string{"b"})
				wantList(t, "files "+when, w.files(), []string{"b"})
				_, err := w.client().ShowObject(t.Context(), lab("a"))
				wantRefusal(t, err, 404, "there is no object Lab/a")
			}
			gone("after its eviction")
			w.restart(s)
			gone("after a restart")
			o := w.offline()
			defer o.Close() //nolint:errcheck // it has only read
			list, err := o.ListObjects(t.Context())
			if err != nil || len(list.Objects) != 1 || list.Objects[0].Name != "b" {
				t.Errorf("offline: got %+v, %v, want b", list.Objects, err)
			}
		})
	}
}

func TestTheEndOfTheWorldRemovesWhatStoresNothing(t *testing.T) {
	s := emptyScript()
	w := newWorld(t, s)
	w.want("a", "/k", "")
	w.want("b", "/put", "")
	w.restart(s)
	wantList(t, "files", w.files(), []string{"b"})
	if all, _, err := w.CountObjects(); all != 1 || err != nil {
		t.Errorf("got %d objects, %v, want 1", all, err)
	}
}

// A process that is killed may leave the file of an object that stores nothing.
func TestAFileThatStoresNothingDoesNotCount(t *testing.T) {
	s := emptyScript()
	w := newWorld(t, s)
	w.stop()
	leave := func() {
		o, err := store.OpenObject(store.ObjectPath(w.layout().Classes[0].Dir, labID("a")), "a", true)
		if err != nil {
			t.Fatal(err)
		}
		o.Close() //nolint:errcheck // it has written nothing
	}
	leave()
	w.start(s)
	_, err := w.client().ShowObject(t.Context(), lab("a"))
	wantRefusal(t, err, 404, "there is no object Lab/a")
	names, _ := w.listed()
	wantList(t, "listed", names, nil)
	wantList(t, "files", w.files(), nil)
	w.stop()
	leave()
	o := w.offline()
	if list, err := o.ListObjects(t.Context()); err != nil || len(list.Objects) != 0 {
		t.Errorf("offline: got %+v, %v, want none", list.Objects, err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	wantList(t, "files", w.files(), nil)
}

// The index may show an alarm that the file no longer has, if a process was killed in between. The
// run finds none, and what is left is removed.
func TestAnAlarmThatOnlyTheIndexShowsLeavesNoObject(t *testing.T) {
	s := emptyScript()
	w := newWorld(t, s)
	w.want("a", "/set1s", "")
	ns := w.currentNamespaces()["Lab"]
	w.want("a", "/delete", "")
	if err := ns.index.Set(labID("a"), w.clock.Now().Add(time.Second), 1, "a", true); err != nil {
		t.Fatal(err)
	}
	w.restart(s)
	wantList(t, "fired", w.moveOn(time.Second), []string{"Lab/a dropped"})
	w.moveOn(time.Minute)
	wantList(t, "files", w.files(), nil)
	if got := w.PendingAlarms(); len(got) != 0 {
		t.Errorf("got alarms %v, want none", got)
	}
}

// content is what an object of the model stores.
type content struct{ key, table, alarm bool }

func TestLawAnObjectIsListedIfItStoresSomethingOrIsInMemory(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c"}
	rapid.Check(t, func(rt *rapid.T) {
		s := emptyScript()
		w := &world{t: t, dir: t.TempDir(), date: "2026-10-01"}
		w.start(s)
		defer w.stop()
		w.stores.max = rapid.IntRange(1, 4).Draw(rt, "files")
		model := map[string]*content{}
		for _, name := range names {
			model[name] = &content{}
		}
		alarmsRun := func() {
			for _, o := range model {
				o.alarm = false
			}
		}
		stores := func() (list []string) {
			for _, name := range names {
				if *model[name] != (content{}) {
					list = append(list, name)
				}
			}
			return list
		}
		change := func(path string, change func(*content)) func(*rapid.T) {
			return func(rt *rapid.T) {
				name := rapid.SampledFrom(names).Draw(rt, "object")
				w.want(name, path, "")
				change(model[name])
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put":          change("/put", func(o *content) { o.key = true }),
			"delete key":   change("/delete key", func(o *content) { o.key = false }),
			"create table": change("/create", func(o *content) { o.table = true }),
			"drop table":   change("/drop", func(o *content) { o.table = false }),
			"set alarm":    change("/set1s", func(o *content) { o.alarm = true }),
			"delete alarm": change("/delete", func(o *content) { o.alarm = false }),
			"delete all":   change("/wipe", func(o *content) { *o = content{} }),
			"read": func(rt *rapid.T) {
				name := rapid.SampledFrom(names).Draw(rt, "object")
				w.want(name, "/k", map[bool]string{true: "v"}[model[name].key])
			},
			"evict": func(rt *rapid.T) {
				name := rapid.SampledFrom(names).Draw(rt, "object")
				w.client().EvictObject(t.Context(), lab(name)) //nolint:errcheck // it may not exist
			},
			"crash":   func(*rapid.T) { w.crash(s) },
			"restart": func(*rapid.T) { w.restart(s) },
			"alarms":  func(*rapid.T) { w.moveOn(time.Second); alarmsRun() },
			"idle": func(rt *rapid.T) {
				w.moveOn(time.Minute)
				alarmsRun()
				if got := w.files(); !slices.Equal(got, stores()) {
					rt.Fatalf("files of %q, want those of %q", got, stores())
				}
			},
			"": func(rt *rapid.T) {
				got, inMemory := w.listed()
				var want []string
				for _, name := range names {
					if inMemory[name] || *model[name] != (content{}) {
						want = append(want, name)
					}
				}
				if !slices.Equal(got, want) {
					rt.Fatalf("listed %q, want %q of %v", got, want, slices.Collect(maps.Values(model)))
				}
				var alarms []string
				for _, a := range w.PendingAlarms() {
					if !model[a.Name].alarm {
						rt.Fatalf("%s has an alarm", a.Name)
					}
					alarms = append(alarms, a.Name)
				}
				for _, name := range names {
					if model[name].alarm != slices.Contains(alarms, name) {
						rt.Fatalf("pending alarms of %q, want %s: %t", alarms, name, model[name].alarm)
					}
				}
			},
		})
	})
}

// Events begin while the files of their objects are removed, by eviction and because too many are
// open.
func TestEventsMayBeginWhileFilesAreRemoved(t *testing.T) {
	w := newWorld(t, emptyScript())
	w.stores.max = 2
	names := []string{"a", "b", "c", "d"}
	done := make(chan struct{})
	var admin, events sync.WaitGroup
	admin.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, name := range names {
				w.client().EvictObject(t.Context(), lab(name)) //nolint:errcheck // it may run, or not exist
			}
			w.listed()
		}
	})
	for seed, name := range names {
		random := rand.New(rand.NewPCG(uint64(seed), 0))
		events.Go(func() {
			value, alarm := "", "none"
			for range 60 {
				switch path := []string{"/put", "/wipe", "/k", "/get", "/set1h"}[random.IntN(5)]; path {
				case "/put":
					w.want(name, path, "")
					value = "v"
				case "/wipe":
					w.want(name, path, "")
					value, alarm = "", "none"
				case "/set1h":
					w.want(name, path, "")
					alarm = "1h0m0s"
				case "/k":
					w.want(name, path, value)
				case "/get":
					w.want(name, path, alarm)
				}
			}
			w.want(name, "/wipe", "")
		})
	}
	events.Wait()
	close(done)
	admin.Wait()
	w.moveOn(time.Minute)
	wantList(t, "files", w.files(), nil)
	if all, inMemory, err := w.CountObjects(); all != 0 || err != nil {
		t.Errorf("got %d objects, %d in memory, %v, want none", all, inMemory, err)
	}
}
