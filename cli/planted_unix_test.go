//go:build unix

package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"devtool.internal/cli"
	"devtool.internal/durable/objectid"
)

// Somebody else may have made a project with its .devtool: it was downloaded, copied or sent. These
// tests have such projects, run every command there, and check that nothing outside has changed and
// that no command waits.

const hostileConfig = `{
	"name": "w", "main": ".", "compatibility_date": "2026-10-01",
	"durable_objects": {"bindings": [{"name": "LAB", "class_name": "Lab"}]},
	"migrations": [{"tag": "v1", "new_sqlite_classes": ["Lab"]}%s]
}`

// hostileCommands are all commands that read or write anything below .devtool, and end by
// themselves.
var hostileCommands = []string{
	"objects list", "objects show Lab/a", "objects show Lab/a --storage", "objects get Lab/a", "objects get Lab/a k",
	"objects put Lab/a k 1", "objects rm Lab/a k", "objects sql Lab/a SELECT", "objects evict Lab/a",
	"objects abort Lab/a", "objects delete Lab/a --force",
	"alarms list", "alarms get Lab/a", "alarms set Lab/a 1h", "alarms snooze Lab/a 1h", "alarms delete Lab/a",
	"alarms trigger", "cron list", "time now", "time advance 1s",
	"migrations status", "migrations plan", "migrations apply", "migrations adopt",
	"status", "logs", "stop", "config check", "config show", "types", "init --into", "__complete zsh objects show ",
}

// A planted is something that the maker of a project may put there. state is the folder v3, and
// canary a folder outside of the project.
type planted func(p hostilePaths) error

type hostilePaths struct{ project, devtool, state, canary string }

// hostileRecord plants a record of migrations. CANARY is the way to the canary from v3.
func hostileRecord(content string) planted {
	return func(p hostilePaths) error {
		way, err := filepath.Rel(p.state, p.canary)
		if err != nil {
			return err
		}
		content = strings.NewReplacer("CANARY", filepath.ToSlash(way), "ABSOLUTE", p.canary).Replace(content)
		return os.WriteFile(filepath.Join(p.state, "do", "migrations.json"), []byte(content), 0o600)
	}
}

// hostileMoves is hostileRecord for folders to move.
func hostileMoves(moves string) planted {
	return hostileRecord(`{"version":1,"moving":[` + moves + `]}`)
}

// linked puts a link at a path below the project, in place of what is there.
func linked(name, to string) planted {
	return func(p hostilePaths) error {
		path, err := p.cleared(name)
		if err != nil {
			return err
		}
		return os.Symlink(filepath.Join(p.canary, to), path)
	}
}

// piped puts a named pipe at a path below the project, in place of what is there.
func piped(name string) planted {
	return func(p hostilePaths) error {
		path, err := p.cleared(name)
		if err != nil {
			return err
		}
		return syscall.Mkfifo(path, 0o600)
	}
}

// cleared returns a path below the project, and removes what is there.
func (p hostilePaths) cleared(name string) (path string, err error) {
	path = filepath.Join(p.project, filepath.FromSlash(name))
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	return path, os.MkdirAll(filepath.Dir(path), 0o700)
}

func hostiles() map[string]planted {
	const v3 = ".devtool/state/v3/"
	object := v3 + "do/w-Lab/" + objectid.FromName("w-Lab", "", "a").String() + ".sqlite"
	tests := map[string]planted{
		"a move from outside":         hostileMoves(`{"from":"CANARY/w-A","to":"backups/x"}`),
		"a move from an absolute one": hostileMoves(`{"from":"ABSOLUTE/w-A","to":"backups/x"}`),
		"a move to outside":           hostileMoves(`{"from":"do/w-Lab","to":"CANARY/x"}`),
		"a move through do":           hostileMoves(`{"from":"do/../CANARY/w-A","to":"backups/x"}`),
		"a key outside": hostileRecord(
			`{"version":1,"workers":{"w":{"applied":[],"classes":{"Lab":"../CANARY/w-A"}}}}`),
		"an absolute key": hostileRecord(
			`{"version":1,"workers":{"w":{"applied":[],"classes":{"Lab":"ABSOLUTE/w-A"}}}}`),
		"the key of a deleted class": func(p hostilePaths) error {
			err := hostileRecord(`{"version":1,"workers":{"w":{"applied":[{"tag":"v1","does":["create Lab"]}],
				"classes":{"Lab":"w-Lab","Old":"../CANARY/w-A"}}}}`)(p)
			config := fmt.Sprintf(hostileConfig, `, {"tag": "v2", "deleted_classes": ["Old"]}`)
			return errors.Join(err, os.WriteFile(filepath.Join(p.project, "wrangler.jsonc"), []byte(config), 0o600))
		},
		"a backup outside": hostileRecord(`{"version":1,"workers":{"w":{"applied":[{"tag":"v0","does":["delete Lab"],
			"moved":[{"from":"do/w-Lab","to":"CANARY/w-A"}]}],"classes":{"Lab":"w-Lab"}}}}`),
		"a worker to take a class from": func(p hostilePaths) error {
			way, err := filepath.Rel(filepath.Join(p.state, "do"), filepath.Join(p.canary, "w"))
			config := fmt.Sprintf(hostileConfig, `, {"tag": "v2", "transferred_classes":
				[{"from": "A", "from_script": "`+filepath.ToSlash(way)+`", "to": "B"}]}`)
			return errors.Join(err, os.WriteFile(filepath.Join(p.project, "wrangler.jsonc"), []byte(config), 0o600))
		},
		"a socket to clean up": func(p hostilePaths) error {
			content := filepath.Join(p.canary, "dt1", "s") + "\n" + p.project + "\n"
			return os.WriteFile(filepath.Join(p.devtool, "attach"), []byte(content), 0o600)
		},
		"an announcement": func(p hostilePaths) error {
			content := `{"url":"http://127.0.0.1:1","state":"` + p.canary + `","config":"` + p.canary + `/config"}`
			err := os.MkdirAll(filepath.Join(p.devtool, "run"), 0o700)
			return errors.Join(err, os.WriteFile(filepath.Join(p.devtool, "run", "x.json"), []byte(content), 0o600))
		},
		"a pipe as the lock of an emulator": func(p hostilePaths) error {
			err := os.MkdirAll(filepath.Join(p.devtool, "run", "x.json"), 0o700)
			return errors.Join(err, piped(".devtool/run/x.lock")(p))
		},
		"the SDK":             linked(".devtool/sdk", "sdk"),
		"a folder of the SDK": linked(".devtool/sdk/durable", "sdk"),
		"a file of the SDK":   linked(".devtool/sdk/durable/a.go", "important"),
		"a pipe in the SDK":   piped(".devtool/sdk/durable/a.go"),
	}
	for _, name := range []string{
		".devtool", ".devtool/state", v3, v3 + "do", v3 + "backups", v3 + "do/w-Lab", ".devtool/run", ".devtool/build",
	} {
		tests["a link as "+name] = linked(name, "folder")
	}
	for _, name := range []string{
		v3 + "lock", v3 + "owner.json", v3 + "owner.json.new", v3 + "clock.json", v3 + "clock.json.new",
		v3 + "do/migrations.json", v3 + "do/migrations.json.new",
		v3 + "do/w-Lab/metadata.sqlite", v3 + "do/w-Lab/metadata.sqlite.new",
		v3 + "do/w-Lab/metadata.sqlite-wal", object, object + ".new", object + "-wal", object + "-journal",
		".devtool/attach", ".devtool/run/x.json", ".devtool/run/x.lock", ".devtool/run/token",
	} {
		tests["a link as "+name] = linked(name, "important")
		tests["a dangling link as "+name] = linked(name, "missing")
		tests["a pipe as "+name] = piped(name)
	}
	return tests
}

// newHostile returns a project with a state, and a canary.
func newHostile(t *testing.T) hostilePaths {
	t.Helper()
	dir := t.TempDir()
	p := hostilePaths{project: filepath.Join(dir, "project"), canary: filepath.Join(dir, "canary")}
	p.devtool = filepath.Join(p.project, ".devtool")
	p.state = filepath.Join(p.devtool, "state", "v3")
	for name, content := range map[string]string{
		"project/wrangler.jsonc": fmt.Sprintf(hostileConfig, ""),
		"project/go.mod": "module m\n\ngo 1.26\n\nrequire devtool.internal v0.0.0\n\n" +
			"replace devtool.internal => ./.devtool/sdk\n",
		"project/main.go": "package main\n\nfunc main() {}\n",
		"project/.devtool/state/v3/do/w-Lab/README":         "",
		"canary/important":                                  "{}",
		"canary/folder/x.json":                              "{}",
		"canary/folder/lock":                                "",
		"canary/dt1/s":                                      "no socket",
		"canary/w-A/" + strings.Repeat("0", 64) + ".sqlite": "data",
		"canary/sdk/old.go":                                 "package old\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// contentOf describes everything below dir.
func contentOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s", strings.TrimPrefix(path, dir), info.Mode())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", content)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// smallSDK is an SDK with little in it.
func smallSDK() fs.FS {
	files := fstest.MapFS{}
	for _, folder := range []string{
		"durable", "durable/objectid", "durable/stored", "durable/wire", "durabletest",
		"internal/inherited", "internal/inside", "internal/worlds",
	} {
		files[folder+"/a.go"] = &fstest.MapFile{Data: []byte("package " + filepath.Base(folder) + "\n")}
	}
	return files
}

// inHostileProjects runs test in a project of each kind. before is what stands outside of it.
func inHostileProjects(t *testing.T, test func(t *testing.T, p hostilePaths, before string)) {
	t.Helper()
	for name, place := range hostiles() {
		t.Run(strings.ReplaceAll(name, "/", " "), func(t *testing.T) {
			t.Parallel()
			p := newHostile(t)
			if err := place(p); err != nil {
				t.Fatal(err)
			}
			test(t, p, contentOf(t, p.canary))
		})
	}
}

func TestNoCommandChangesAnythingOutsideAHostileProject(t *testing.T) {
	inHostileProjects(t, func(t *testing.T, p hostilePaths, before string) {
		for _, line := range hostileCommands {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			c := call{dir: p.project, sdk: smallSDK(), env: map[string]string{"PATH": os.Getenv("PATH")}}
			c.run(ctx, strings.Split(line, " ")...)
			if ctx.Err() != nil {
				t.Fatalf("devtool %s did not end", line)
			}
			cancel()
			if after := contentOf(t, p.canary); after != before {
				t.Fatalf("devtool %s has changed what is outside:\n%s\nwas\n%s", line, after, before)
			}
		}
		if left, err := os.ReadDir(filepath.Dir(p.canary)); len(left) != 2 || err != nil {
			t.Errorf("beside the project is %v, %v, want only the canary", left, err)
		}
	})
}

// TestNoEmulatorChangesAnythingOutsideAHostileProject starts dev where the commands were tested.
func TestNoEmulatorChangesAnythingOutsideAHostileProject(t *testing.T) {
	inHostileProjects(t, func(t *testing.T, p hostilePaths, before string) {
		limited, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		ctx, stop := context.WithCancel(limited)
		defer stop()
		var errs strings.Builder
		code := cli.Run(ctx, []string{"dev", "--attach", "--json", "--port", "0"}, cli.Streams{
			In: strings.NewReader(""), Out: readyStops(stop), Err: &errs,
			Env: func(string) string { return "" }, Environ: func() []string { return nil },
			Dir: p.project, SDK: smallSDK(),
			IsTerminal: func(any) bool { return false }, Width: func(any) int { return 80 },
		})
		switch {
		case limited.Err() != nil:
			t.Error("devtool dev did not end")
		case code == 0 && ctx.Err() == nil, code > 1:
			t.Errorf("devtool dev ended with %d before it was ready: %s", code, errs.String())
		case code == 1 && !strings.Contains(errs.String(), p.project):
			t.Errorf("devtool dev names no path: %s", errs.String())
		}
		if after := contentOf(t, p.canary); after != before {
			t.Errorf("devtool dev has changed what is outside:\n%s\nwas\n%s", after, before)
		}
	})
}

// readyStops is the standard output of a dev that is to end as soon as it is ready.
type readyStops func()

func (stop readyStops) Write(p []byte) (int, error) {
	stop()
	return len(p), nil
}
