package client_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

func TestTheTokenIsRequired(t *testing.T) {
	t.Parallel()
	token := client.NewToken()
	if other := client.NewToken(); other == token || len(token) != 64 {
		t.Errorf("got tokens %s and %s, want two of 256 bits", token, other)
	}
	for _, test := range []struct {
		token  string // of the emulator
		header []string
		want   int
	}{
		{token, []string{"Bearer " + token}, 200},
		{token, []string{"bearer  " + token + " "}, 200},
		{token, nil, 401},
		{token, []string{""}, 401},
		{token, []string{token}, 401},
		{token, []string{"Bearer"}, 401},
		{token, []string{"Bearer " + token[:63]}, 401},
		{token, []string{"Bearer " + token + "0"}, 401},
		{token, []string{"Bearer " + strings.ToUpper(token)}, 401},
		{token, []string{"Bearer " + client.NewToken()}, 401},
		{token, []string{"Basic " + token}, 401},
		{token, []string{"Bearer " + client.NewToken(), "Bearer " + token}, 401},
		{"", []string{"Bearer "}, 401},
		{"", nil, 401},
	} {
		handler := client.RequireToken(test.token, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := request()
		r.Header["Authorization"] = test.header
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("Authorization %q: got %d, want %d", test.header, w.Code, test.want)
		}
		if w.Code == 401 && (!strings.Contains(w.Body.String(), client.TokenFile) ||
			test.token != "" && strings.Contains(w.Body.String(), test.token)) {
			t.Errorf("Authorization %q: got %s, want where the token is, and not the token", test.header, w.Body)
		}
	}
}

// announced announces an emulator with a token for a new project.
func announced(t *testing.T, url string) (project, token string, release func() error) {
	t.Helper()
	project, token = t.TempDir(), client.NewToken()
	release, err := client.Announce(project, client.Announcement{URL: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { release() }) //nolint:errcheck // for the second time
	return project, token, release
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

func TestOnlyFilesOfTheUserHaveTheToken(t *testing.T) {
	tokens := useFolder(t)
	project, token, release := announced(t, "http://localhost:8787")
	files := 0
	for _, folder := range []string{project, tokens} {
		err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if !strings.Contains(read(t, path), token) {
				return nil
			}
			files++
			info, err := entry.Info()
			if mode := info.Mode().Perm(); err == nil && runtime.GOOS != "windows" && mode != 0o600 {
				t.Errorf("%s has mode %o, want 600", path, mode)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files != 3 {
		t.Errorf("%d files have the token, want 3", files)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	for _, folder := range []string{filepath.Join(project, ".devtool", "run"), tokens} {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("%s after the end: got %v, %v, want nothing", folder, left, err)
		}
	}
}

// useFolder gives the test a folder for the tokens of its user. It returns the path.
func useFolder(t *testing.T) string {
	t.Helper()
	session := t.TempDir()
	if err := os.Chmod(session, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", session)
	return filepath.Join(session, "devtool")
}

func TestAFileOfTheTokenReplacesALinkAndLeavesItsTarget(t *testing.T) {
	useFolder(t)
	project, target := t.TempDir(), filepath.Join(t.TempDir(), "theirs")
	if err := os.WriteFile(target, []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(project, filepath.FromSlash(client.TokenFile))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, file); err != nil {
		t.Fatal(err)
	}
	token := client.NewToken()
	release, err := client.Announce(project, client.Announcement{URL: "http://localhost:8787", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, file); got != token {
		t.Errorf("the file has %q, want the token", got)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if got := read(t, target); got != "theirs" {
		t.Errorf("the target of the link has %q, want it unchanged", got)
	}
}

func TestAnEndingEmulatorLeavesTheTokenOfAnother(t *testing.T) {
	useFolder(t)
	project, _, release := announced(t, "http://localhost:8787")
	second := client.NewToken()
	endSecond, err := client.Announce(project, client.Announcement{URL: "http://localhost:8787", Token: second})
	if err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	got := read(t, filepath.Join(project, filepath.FromSlash(client.TokenFile)))
	known, err := client.TokenFor("http://localhost:8787", unset)
	if got != second || known != second || err != nil {
		t.Errorf("got %q and %q, %v, want the second emulator's token", got, known, err)
	}
	if err := endSecond(); err != nil {
		t.Error(err)
	}
}

// unset is os.Getenv of an empty environment.
func unset(string) string { return "" }

func TestACommandFindsTheTokenForAURL(t *testing.T) {
	useFolder(t)
	_, token, _ := announced(t, "http://localhost:8787")
	for _, test := range []struct {
		name, address string
		env           map[string]string
		want          string
	}{
		{"by its port", "http://localhost:8787", nil, token},
		{"by its port, as an address", "http://127.0.0.1:8787/", nil, token},
		{"by its port, IPv6", "http://[::1]:8787", nil, token},
		{"another port", "http://localhost:8788", nil, ""},
		{"another machine", "http://example.com:8787", nil, ""},
		{"no port", "http://localhost:../../x", nil, ""},
		{"the environment", "http://localhost:1", map[string]string{client.EnvToken: "t"}, "t"},
		{"the environment, for the same URL", "http://localhost:1", map[string]string{
			client.EnvToken: "t", "DEVTOOL_URL": "localhost:1",
		}, "t"},
		{"the environment, for another URL", "http://localhost:8787", map[string]string{
			client.EnvToken: "t", "DEVTOOL_URL": "http://localhost:1",
		}, token},
		{"the environment, for another URL without a file", "http://example.com", map[string]string{
			client.EnvToken: "t", "DEVTOOL_URL": "http://localhost:1",
		}, ""},
	} {
		got, err := client.TokenFor(test.address, func(name string) string { return test.env[name] })
		if got != test.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", test.name, got, err, test.want)
		}
	}
}

func TestTheNextEmulatorRemovesTheTokensOfKilledOnes(t *testing.T) {
	folder := useFolder(t)
	project, _, _ := announced(t, "http://localhost:8787") // it goes on
	for port, lock := range map[string]string{
		"1": filepath.Join(project, ".devtool", "run", "1-gone.lock"), // its emulator was killed
		"2": "",                                                       // nobody knows
	} {
		content := client.NewToken() + "\n" + lock + "\n"
		if err := os.WriteFile(filepath.Join(folder, port+".token"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	announced(t, "http://localhost:8788")
	var left []string
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if got := strings.Join(left, " "); err != nil || got != "2.token 8787.token 8788.token" {
		t.Errorf("got %s, %v, want the files of the ones that run", got, err)
	}
}

func TestTheTokenDoesNotFollowARedirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the other server was asked, with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	var given string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given = r.Header.Get("Authorization")
		http.Redirect(w, r, elsewhere.URL+control.Prefix+"time", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	if _, err := (&client.Client{URL: server.URL, Token: "t"}).Time(t.Context()); err == nil {
		t.Error("got no error")
	}
	if given != "Bearer t" {
		t.Errorf("got Authorization %q, want the token", given)
	}
}
