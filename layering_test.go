// Package main_test checks the shape of the source: the plan of imports that docs/architecture.md
// draws, the width of lines and the length of files.
package main_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file holds the plan of imports: which folder may import which, and which file alone may
// import a library. It reads the source for every platform, not only for the one that runs the
// test. It leaves tests out, which may look at anything.

const module = "devtool.internal"

// A room is a folder and what its files may import.
type room struct {
	folder string   // slash-separated; "*" stands for any one name
	may    []string // folders of this module
	why    string
}

// rooms lists every folder that holds Go files. A new folder needs a line here, with a reason.
var rooms = []room{
	{".", []string{"cli"},
		"main hands over to the command line and decides nothing"},
	{"benchmark", nil,
		"it measures the binary from outside, as it is used"},
	{"cli", []string{
		"config", "durable/vet", "emulator", "emulator/certificate", "emulator/control", "emulator/control/client",
		"emulator/plugin", "emulator/state", "emulator/world", "internal/leftover", "internal/printable",
		"internal/safefile", "internal/spelling", "internal/worlds", "templates",
	},
		"commands parse and print; the layers below decide, so a command needs no clock, SDK or protocol"},
	{"clock", nil,
		"the clock knows nothing of objects, so it can be understood, and its laws proved, alone"},
	{"clock/cron", nil,
		"it says when an expression is due; its callers have a clock to wait with"},
	{"config", []string{"clock/cron", "internal/printable", "internal/safefile"},
		"the configuration is plain data that any part may read; only cron expressions are defined elsewhere"},
	{"conformance", nil,
		"it compares two programs from outside: sharing code with one of them would hide its faults"},
	{"conformance/cmd", []string{"conformance"},
		"it reads flags; package conformance decides what to compare, and how"},
	{"durable", []string{
		"durable/objectid", "durable/stored", "durable/wire", "internal/inherited", "internal/inside",
	},
		"user code links the SDK with every save, and carries it to the platform, where no emulator is"},
	{"durable/objectid", nil,
		"ids are the same here and on the platform: SDK and emulator derive them with the same few lines"},
	{"durable/stored", nil,
		"what an object's values look like on disk is known to the SDK and to the emulator, and depends on neither"},
	{"durable/vet", nil,
		"it reads the source of handlers and knows the SDK only by its names, so any driver can run it"},
	{"durable/wire", nil,
		"both ends of the protocol stand on it, and every handler program links it"},
	{"durabletest", []string{"durable", "internal/inside", "internal/worlds"},
		"it is part of the SDK's copy in projects, where the emulator is a command and not a package"},
	{"emulator", []string{
		"clock", "config", "durable/wire", "emulator/control", "emulator/control/client", "emulator/door",
		"emulator/plugin", "emulator/program", "emulator/state", "emulator/world", "internal/leftover",
		"internal/printable", "internal/safefile",
	},
		"handlers run in another process: the engine knows the protocol, and neither the SDK nor its callers"},
	{"emulator/certificate", []string{"internal/safefile"},
		"it makes and keeps one file; its callers decide whether a server speaks HTTPS with it"},
	{"emulator/control", nil,
		"commands and engine share the control API, so it must know neither"},
	{"emulator/control/client", []string{"durable/wire", "emulator/control", "internal/safefile"},
		"it calls the control API over HTTP, which the types of the API must not depend on"},
	{"emulator/door", []string{
		"durable/wire", "emulator/control", "emulator/program", "emulator/world", "internal/printable",
	},
		"it makes requests events; the emulator says which requests are for the worker, and what origin that sees"},
	{"emulator/internal/scripted", []string{"durable/objectid", "durable/wire"},
		"it is a handler program for tests, which shows that a program needs the protocol and nothing else"},
	{"emulator/plugin", []string{"internal/leftover", "internal/printable", "internal/safefile"},
		"it carries bytes to and from a process; the engine knows what they mean"},
	{"emulator/program", []string{
		"clock", "durable/objectid", "durable/wire", "emulator/control", "emulator/plugin", "emulator/store",
		"emulator/world", "internal/printable", "internal/spelling",
	},
		"it runs handler programs for a world; the emulator reads the configuration and serves HTTP"},
	{"emulator/state", []string{
		"clock", "config", "durable/objectid", "emulator/control", "emulator/store", "internal/safefile",
	},
		"it keeps the state folder and applies migrations, and offline commands need that without an emulator"},
	{"emulator/store", []string{"internal/safefile"},
		"it keeps files; the engine decides when to commit and what an alarm is for"},
	{"emulator/world", []string{
		"clock", "clock/cron", "durable/objectid", "durable/stored", "durable/wire", "emulator/control",
		"emulator/store", "internal/safefile",
	},
		"a world is objects and their clock: tests and offline commands use one without process or configuration"},
	{"internal/inherited", nil,
		"Go initializes it before all packages that start processes, because it imports syscall alone"},
	{"internal/inside", nil,
		"durable and durabletest share it, and handlers can't import it"},
	{"internal/printable", nil,
		"whatever prints applies the same rule, so it stands below all of them"},
	{"internal/leftover", nil,
		"whatever makes temporary folders lets it remove those of killed processes"},
	{"internal/safefile", nil,
		"whatever reads files that somebody else may have made opens them with it"},
	{"internal/spelling", nil,
		"commands and emulator suggest names in the same way, and both are to be understood without it"},
	{"internal/worlds", nil,
		"test harness and command share it, and both are to be understood from it alone"},
	{"templates", nil,
		"it hands out files, which are not part of the program"},
	{"templates/*", []string{"durable"},
		"a template has to build in a project of its own, where only the SDK is"},
}

// A guest is a library and the only files that import it, so that it can be replaced there.
type guest struct {
	path  string // what import paths begin with
	files []string
	why   string
}

// engineFiles are the files that may import SQLite.
var engineFiles = []string{
	"emulator/store/engine.go", "emulator/store/sqlite.go", "emulator/store/statement.go",
}

// guests lists every library. A new dependency needs a line here that names the thin file it lives
// behind.
var guests = []guest{
	{"github.com/fsnotify/fsnotify", []string{"emulator/plugin/notify.go"},
		"watching falls back to polling, so only one file knows the system's file notifications"},
	{"github.com/gofrs/flock", []string{
		"emulator/control/client/locate.go", "emulator/state/lock.go", "internal/leftover/leftover.go",
	},
		"locks only say who owns a folder and which emulators are alive"},
	{"github.com/lmittmann/tint", []string{"cli/log.go"},
		"the command decides how a log line looks; everything else uses log/slog"},
	{"github.com/pelletier/go-toml/v2", []string{"config/toml.go"},
		"from the parsers on, TOML and JSONC are the same tree"},
	{"github.com/tailscale/hujson", []string{"config/jsonc.go", "templates/templates.go"},
		"one file reads JSONC, and one edits it and keeps its comments"},
	{"github.com/urfave/cli/v2", []string{"cli/app.go"},
		"it takes flags only before arguments, so one file sorts the line for it, and the library can be replaced"},
	{"golang.org/x/mod/modfile", []string{"cli/module.go", "cli/upgrade.go", "cli/workspace.go"},
		"only the files that look after the SDK of a project read go.mod and go.work"},
	{"golang.org/x/net", []string{"emulator/door/hostname.go"},
		"Unicode in host names has tables of its own; everything else gets hosts in ASCII"},
	{"golang.org/x/tools", []string{"durable/vet/fix.go", "durable/vet/handlertime.go", "durable/vet/vet.go"},
		"only the checks of source need to load and type-check it"},
	{"golang.org/x/term", []string{"cli/cli.go"},
		"streams are injected; only the file that binds them asks whether one is a terminal"},
	{"modernc.org/libc", engineFiles,
		"some calls of the SQLite engine are not in the library above it, and need the engine's C run time"},
	{"modernc.org/sqlite/lib", engineFiles,
		"it is the SQLite engine itself, which only the files that hide it may call"},
	{"zombiezen.com/go/sqlite", engineFiles,
		"the rest of the store speaks in statements, values and rows, so the engine can be replaced"},
}

// A ban is a package of the standard library that a room does without.
type ban struct {
	folder string
	path   string
	why    string
}

// bans lists what would undo the purpose of a room, although every Go program may import it.
var bans = []ban{
	{"emulator/world", "net/http",
		"requests reach a world as events, so that it needs no server, and everything it waits for is its own"},
	{"emulator/world", "os/exec",
		"a world sees a program by its interface, so it never knows whether there is a process"},
}

func TestEveryImportFollowsThePlan(t *testing.T) {
	for file, imports := range sources(t) {
		for _, imported := range imports {
			if wrong := objection(file, imported); wrong != "" {
				t.Error(wrong)
			}
		}
	}
}

func TestThePlanNamesWhatExists(t *testing.T) {
	files := sources(t)
	for _, r := range rooms {
		used := false
		for file := range files {
			used = used || r.holds(path.Dir(file))
		}
		if !used {
			t.Errorf("%s holds no Go file: remove it from rooms", r.folder)
		}
	}
	for _, b := range bans {
		if !slices.ContainsFunc(rooms, func(r room) bool { return r.folder == b.folder }) {
			t.Errorf("%s has no line in rooms: remove it from bans", b.folder)
		}
	}
	for _, g := range guests {
		for _, file := range g.files {
			if !slices.ContainsFunc(files[file], g.is) {
				t.Errorf("%s does not import %s: remove it from guests", file, g.path)
			}
		}
	}
}

func TestForbiddenImportsAreNoticed(t *testing.T) {
	for _, test := range []struct {
		file, imported string
		want           string // part of the objection, or empty for none
	}{
		{"cli/dev.go", "devtool.internal/emulator", ""},
		{"cli/dev.go", "devtool.internal/clock", "cli/dev.go imports clock: commands parse and print"},
		{"cli/dev.go", "devtool.internal/durable/wire", "SDK or protocol"},
		{"clock/clock.go", "time", ""},
		{"clock/clock.go", "go/token", ""},
		{"clock/clock.go", "devtool.internal/config", "knows nothing of objects"},
		{"emulator/reload.go", "devtool.internal/durable", "neither the SDK"},
		{"emulator/reload.go", "devtool.internal/durable/wire", ""},
		{"emulator/server.go", "net/http", ""},
		{"emulator/server.go", "devtool.internal/emulator/door", ""},
		{"emulator/door/door.go", "devtool.internal/emulator/world", ""},
		{"emulator/door/door.go", "devtool.internal/config", "which requests are for the worker"},
		{"emulator/program/runner.go", "devtool.internal/emulator/world", ""},
		{"emulator/program/runner.go", "devtool.internal/emulator", "the emulator reads the configuration"},
		{"emulator/program/runner.go", "devtool.internal/config", "the emulator reads the configuration"},
		{"emulator/program/fetch.go", "net/http", ""},
		// A world must run with any program, also with one that is no process, as in tests.
		{"emulator/world/turn.go", "devtool.internal/emulator/program", "without process or configuration"},
		// The runner in emulator/program builds and launches programs; a world only calls them.
		{"emulator/world/turn.go", "devtool.internal/emulator/plugin", "without process or configuration"},
		// Apply says which classes there are, so a world can be made without a file to read.
		{"emulator/world/turn.go", "devtool.internal/config", "without process or configuration"},
		// An event is a message of the protocol: no request has to be sent for it.
		{"emulator/world/turn.go", "net/http", "requests reach a world as events"},
		{"emulator/world/turn.go", "net/http/httptest", "requests reach a world as events"},
		{"emulator/world/turn.go", "net/url", ""},
		{"emulator/state/plan.go", "devtool.internal/emulator", "without an emulator"},
		{"emulator/store/object.go", "devtool.internal/clock", "it keeps files"},
		{"emulator/store/object.go", "zombiezen.com/go/sqlite", "only emulator/store/engine.go and "},
		{"emulator/store/sqlite.go", "zombiezen.com/go/sqlite/sqlitex", ""},
		{"durable/serve.go", "devtool.internal/emulator", "carries it to the platform"},
		{"durable/serve.go", "github.com/fsnotify/fsnotify", "only emulator/plugin/notify.go may"},
		{"templates/batcher/main.go", "devtool.internal/durable", ""},
		{"templates/batcher/main.go", "devtool.internal/durable/wire", "in a project of its own"},
		{"templates/templates.go", "devtool.internal/durable", "hands out files"},
		{"main.go", "devtool.internal/emulator", "decides nothing"},
		{"main.go", "devtool.internal", "decides nothing"},
		{"emulator/inspect/page.go", "fmt", ""},
		{"emulator/inspect/page.go", "devtool.internal/clock", "emulator/inspect has no line in rooms"},
		{"config/toml.go", "github.com/pelletier/go-toml/v2/unstable", ""},
		{"config/toml.go", "github.com/pelletier/go-toml/v20", "no line in guests"},
		{"config/toml.go", "example.org/yaml", "example.org/yaml has no line in guests"},
	} {
		got := objection(test.file, test.imported)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s imports %s: got objection %q, want %q", test.file, test.imported, got, test.want)
		}
	}
}

// objection returns why file must not import imported, or nothing if it may.
func objection(file, imported string) string {
	first, below, _ := strings.Cut(imported, "/")
	switch {
	case first == module:
		return objectionToOurs(file, path.Clean(below))
	case !strings.Contains(first, "."):
		return objectionToStandard(file, imported)
	}
	i := slices.IndexFunc(guests, func(g guest) bool { return g.is(imported) })
	if i < 0 {
		return fmt.Sprintf("%s imports a new library: %s has no line in guests; add it with the file it lives behind",
			file, imported)
	}
	if g := guests[i]; !slices.Contains(g.files, file) {
		return fmt.Sprintf("%s imports %s, which only %s may: %s",
			file, imported, strings.Join(g.files, " and "), g.why)
	}
	return ""
}

func objectionToOurs(file, folder string) string {
	i := slices.IndexFunc(rooms, func(r room) bool { return r.holds(path.Dir(file)) })
	if i < 0 {
		return fmt.Sprintf("%s imports %s, but %s has no line in rooms that allows it", file, folder, path.Dir(file))
	}
	if r := rooms[i]; !slices.Contains(r.may, folder) {
		return fmt.Sprintf("%s imports %s: %s", file, folder, r.why)
	}
	return ""
}

func objectionToStandard(file, imported string) string {
	for _, b := range bans {
		if b.folder == path.Dir(file) && (imported == b.path || strings.HasPrefix(imported, b.path+"/")) {
			return fmt.Sprintf("%s imports %s: %s", file, imported, b.why)
		}
	}
	return ""
}

func (r room) holds(folder string) bool {
	matched, err := path.Match(r.folder, folder)
	return matched && err == nil
}

func (g guest) is(imported string) bool {
	return imported == g.path || strings.HasPrefix(imported, g.path+"/")
}

// sources returns the imports of all Go files by slash-separated path, without tests and their
// data.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports := []string{}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imported)
		}
		found[filepath.ToSlash(name)] = imports
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
