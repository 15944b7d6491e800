//go:build unix

package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devtool.internal/emulator/control/client"
)

// The file with the token is in the folder of the login session, or else in the user's cache: never
// where somebody else could put another one, or lead it elsewhere. Where neither will do, the
// emulator and the commands say why, and the project has the token all the same.
func TestTheTokenIsOnlyWhereNobodyElseWrites(t *testing.T) {
	const session, cached = "session/devtool/8787.token", "home/cache/devtool/run/8787.token"
	t.Setenv("XDG_CACHE_HOME", "")
	for name, test := range map[string]struct {
		prepare func(at func(string) string) error
		session string // "session" is a folder of this test
		home    string // likewise
		want    string // the file, or what the error says
	}{
		"a session":       {nil, "session", "home", session},
		"no session":      {nil, "", "home", cached},
		"a relative path": {nil, "./session", "home", cached},
		"no such session": {nil, "missing", "home", cached},
		"no home":         {nil, "", "", "HOME"},
		"a home that is no folder": {
			func(at func(string) string) error { return os.WriteFile(at("file"), nil, 0o600) },
			"", "file", "not a directory",
		},
		"a session that others can change": {
			func(at func(string) string) error { return os.Chmod(at("session"), 0o777) }, "session", "home", cached,
		},
		"a session that is no folder": {
			func(at func(string) string) error { return os.WriteFile(at("file"), nil, 0o600) },
			"file", "home", cached,
		},
		"a folder in the session that others can change": {
			func(at func(string) string) error {
				return errors.Join(os.Mkdir(at("session/devtool"), 0o700), os.Chmod(at("session/devtool"), 0o770))
			},
			"session", "home", "session/devtool can be changed by other users: its mode is 0770",
		},
		"a link in the session": {
			func(at func(string) string) error { return os.Symlink(at("theirs"), at("session/devtool")) },
			"session", "home", "session/devtool is a symbolic link, not a folder",
		},
		"a link in the cache": {
			func(at func(string) string) error {
				return errors.Join(os.MkdirAll(at("home/cache/devtool"), 0o700),
					os.Symlink(at("theirs"), at("home/cache/devtool/run")))
			},
			"", "home", "home/cache/devtool/run is a symbolic link, not a folder",
		},
		"a folder in the cache that others can change": {
			func(at func(string) string) error {
				return errors.Join(os.MkdirAll(at("home/cache/devtool/run"), 0o700),
					os.Chmod(at("home/cache/devtool/run"), 0o707))
			},
			"", "home", "home/cache/devtool/run can be changed by other users: its mode is 0707",
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			at := func(name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
			for _, folder := range []string{"session", "home", "theirs", "project"} {
				if err := os.Mkdir(at(folder), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if test.prepare != nil {
				if err := test.prepare(at); err != nil {
					t.Fatal(err)
				}
			}
			set := func(name, folder string) {
				if folder != "" && !strings.HasPrefix(folder, ".") {
					folder = at(folder)
				}
				t.Setenv(name, folder)
			}
			set("XDG_RUNTIME_DIR", test.session)
			set("HOME", test.home)
			if test.home != "" {
				set("XDG_CACHE_HOME", test.home+"/cache")
			}
			token := client.NewToken()
			announcement := client.Announcement{URL: "http://localhost:8787", Token: token}
			release, err := client.Announce(at("project"), announcement)
			if release == nil {
				t.Fatal(err)
			}
			if got := read(t, at("project/"+client.TokenFile)); got != token {
				t.Errorf("the project has the token %q, want %q", got, token)
			}
			known, readErr := client.TokenFor(announcement.URL, unset)
			if strings.HasSuffix(test.want, ".token") {
				if err != nil || readErr != nil || known != token || !strings.HasPrefix(read(t, at(test.want)), token) {
					t.Errorf("got %q, %v and %v, want the token in %s", known, err, readErr, test.want)
				}
			} else {
				for _, err := range []error{err, readErr} {
					bad := (*client.TokenFileError)(nil)
					if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.want) {
						t.Errorf("got %v, want an error with %q", err, test.want)
					}
				}
				if known != "" {
					t.Errorf("got the token %q of an untrusted file", known)
				}
			}
			if left, err := os.ReadDir(at("theirs")); len(left) > 0 || err != nil {
				t.Errorf("where the link leads: got %v, %v, want nothing", left, err)
			}
			if err := release(); err != nil {
				t.Error(err)
			}
			if known, _ := client.TokenFor(announcement.URL, unset); known != "" {
				t.Errorf("after the end: got %q, want no token", known)
			}
		})
	}
}

// A file that somebody has put into the folder before it was private is not believed.
func TestAFileThatOthersCanChangeIsNotBelieved(t *testing.T) {
	tokens := useFolder(t)
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	target, token := filepath.Join(t.TempDir(), "theirs"), client.NewToken()
	for name, plant := range map[string]func(file string) error{
		"by its mode": func(file string) error {
			return errors.Join(os.WriteFile(file, []byte(token+"\n"), 0o600), os.Chmod(file, 0o666))
		},
		"by a link": func(file string) error {
			return errors.Join(os.WriteFile(target, []byte(token+"\n"), 0o600), os.Symlink(target, file))
		},
	} {
		file := filepath.Join(tokens, "1.token")
		if err := plant(file); err != nil {
			t.Fatal(err)
		}
		got, err := client.TokenFor("http://localhost:1", unset)
		if bad := (*client.TokenFileError)(nil); got != "" || !errors.As(err, &bad) {
			t.Errorf("%s: got %q, %v, want an error", name, got, err)
		}
		_, _, release := announced(t, "http://localhost:1")
		if got, err := client.TokenFor("http://localhost:1", unset); got == token || got == "" || err != nil {
			t.Errorf("%s: got %q, %v, want the token of the emulator", name, got, err)
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	}
	if got := read(t, target); got != token {
		t.Errorf("the target of the link has %q, want it unchanged", got)
	}
}

// An emulator that ends must not wait for whatever took the place of its file.
func TestNobodyWaitsForAPipeInPlaceOfATokenFile(t *testing.T) {
	useFolder(t)
	project, _, release := announced(t, "http://localhost:8787")
	file := filepath.Join(project, filepath.FromSlash(client.TokenFile))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(file); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("got %v, %v, want that the pipe stays", info, err)
	}
	if got, err := client.TokenFor("http://localhost:8787", unset); got != "" || err != nil {
		t.Errorf("got %q, %v, want the file that is named after the port to be gone", got, err)
	}
}
