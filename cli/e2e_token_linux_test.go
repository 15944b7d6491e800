package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"devtool.internal/emulator/control"
)

func TestTheTokenIsInNothingThatOthersSee(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	s := p.dev("--log-level", "debug", "--frozen")
	token := s.token()
	seen := map[string]string{"stdout of dev": s.stdout.String()}
	s.post("/", "")
	s.get("/headers")
	for _, authorization := range []string{"", "Bearer x", "Bearer " + token} {
		for _, path := range []string{"status", "time", "nothing", "logs?lines=-1&follow=false"} {
			r := s.request(http.MethodGet, control.Prefix+path, nil)
			r.Header.Set("Authorization", authorization)
			status, body, err := s.send(r)
			if err != nil || (status == http.StatusUnauthorized) != (authorization != "Bearer "+token) {
				t.Errorf("%s with %q: got %d, %v", path, authorization, status, err)
			}
			seen["the answer to "+path+" with "+authorization] = body
		}
	}
	for _, line := range []string{
		"status --json", "logs -n -1 --json", "logs -n -1", "time now --json", "config show --json",
		"time now --url " + s.URL, "objects show Basic/two --json", "dev --json",
	} {
		got := p.devtool(strings.Fields(line)...)
		seen["devtool "+line] = got.out + got.err
	}
	var report control.Report
	p.succeed(&report, "status", "--json")
	for _, pid := range []int{report.PID, report.Program.PID} {
		for _, file := range []string{"cmdline", "environ"} {
			content, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), file))
			if err != nil {
				t.Error(err)
			}
			seen[fmt.Sprintf("%s of process %d", file, pid)] = string(content)
		}
	}
	seen["the log"] = s.stderr.String()
	for what, text := range seen {
		if strings.Contains(text, token) {
			t.Errorf("%s has the token: %s", what, text)
		}
	}

	got := p.devtool("exec", "--verbose", "--", "sh", "-c",
		`cat /proc/$PPID/cmdline /proc/$$/cmdline; cat /proc/$PPID/environ; echo; echo "=""= $DEVTOOL_TOKEN"`)
	before, own, ok := strings.Cut(got.out, "\n== ")
	if own = strings.TrimSpace(own); !ok || len(own) != len(token) || strings.Contains(before+got.err, own) {
		t.Errorf("exec: got %q, %q, want the token in the command's environment alone", got.out, got.err)
	}
}

func TestFilesWithTheTokenArePrivateWhateverTheUmask(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	devtool, session := command(t, p.dir), t.TempDir()
	cmd := exec.Command("/bin/sh", "-c", "umask 000; exec \"$0\" dev --port 0 --json", devtool.Path)
	cmd.Dir, cmd.Env = p.dir, append(devtool.Env, "XDG_RUNTIME_DIR="+session)
	s := p.startCommand(cmd, io.Discard)
	s.awaitReady()
	token, found := s.token(), 0
	for _, folder := range []string{p.path(".devtool/run"), filepath.Join(session, "devtool")} {
		err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s has mode %s, want it private", path, info.Mode())
				}
				return nil
			}
			content, err := os.ReadFile(path)
			if strings.Contains(string(content), token) {
				found++
				if info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) {
					t.Errorf("%s has mode %s, want -rw------- of this user", path, info.Mode())
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if found != 3 {
		t.Errorf("%d files have the token, want 3", found)
	}
}

// Without a folder of its user, dev says that commands elsewhere do not find its token, and so do
// they. Commands in the project find it all the same.
func TestWithoutAHomeTheProjectHasTheToken(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	const nowhere = "neither $XDG_CACHE_HOME nor $HOME are defined"
	const advice = "set XDG_RUNTIME_DIR or HOME to a folder that only you can change, or give commands the token by " +
		"DEVTOOL_TOKEN"
	homeless := append(settingsIn(t, t.TempDir()), "HOME=", "XDG_CACHE_HOME=", "XDG_RUNTIME_DIR=")
	s := p.startAs(homeless, "--port", "0", "--frozen")
	s.awaitReady()
	s.awaitLog("commands with --url do not find the token of this emulator: cannot use the file with the token of ")
	s.awaitLog(nowhere + "; " + advice)
	token, err := os.ReadFile(p.path(".devtool/run/token"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dir  string
		env  []string
		want string
	}{
		{p.dir, nil, ""},
		{t.TempDir(), []string{"DEVTOOL_URL=" + s.URL}, nowhere + " S" + advice[1:]},
		{t.TempDir(), []string{"DEVTOOL_URL=" + s.URL, "DEVTOOL_TOKEN=" + strings.TrimSpace(string(token))}, ""},
	} {
		cmd := command(t, test.dir, "time", "now")
		cmd.Env = append(append(cmd.Env, homeless...), test.env...)
		out, err := cmd.CombinedOutput()
		text := strings.Join(strings.Fields(string(out)), " ")
		if (err == nil) != (test.want == "") || !strings.HasSuffix(text, test.want) {
			t.Errorf("in %s: got %s, %v, want %q", test.dir, text, err, test.want)
		}
	}
}
