package emulator

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"devtool.internal/emulator/control/client"
)

// readOnly is a folder in which nobody can make a folder, not even the superuser.
const readOnly = "/sys"

func TestAReadOnlyProjectIsBuiltInTheCache(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	e, folder := buildWorld(t, readOnly)
	defer e.leaveBuild(t)
	if want := filepath.Join(cache, "devtool", "build", "sys-"); !strings.HasPrefix(folder, want) {
		t.Errorf("got %s, want %s and a number", folder, want)
	}
	if err := os.WriteFile(filepath.Join(folder, "handler"), nil, 0o600); err != nil {
		t.Error(err)
	}
}

// A project that has been served before, and can't be written now.
func TestABuildFolderThatHasBecomeReadOnlyIsNotClaimed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "build")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	e := &Emulator{}
	if _, err := e.claimBuild(folder); err != nil {
		t.Fatal(err)
	}
	e.leaveBuild(t)
	for at, mode := range map[string]os.FileMode{
		filepath.Join(folder, "in-use.lock"): 0o444, folder: 0o555, filepath.Dir(filepath.Dir(folder)): 0o755,
	} {
		if err := os.Chmod(at, mode); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(folder, 0o755) //nolint:errcheck // so that it can be removed
	if os.Geteuid() == 0 {        // whom no mode stops: let this thread be somebody else
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const nobody = 65534
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setfsuid(0) //nolint:errcheck // the thread ends if it fails
	}
	e = &Emulator{}
	if got, err := e.claimBuild(folder); !isReadOnly(err) || len(e.release) > 0 {
		t.Errorf("got %q, %v, want an error that says so", got, err)
	}
}

func TestWithoutACacheTheErrorNamesTheProject(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", readOnly)
	e := &Emulator{project: readOnly}
	if _, err := e.openBuild(); err == nil || !strings.Contains(err.Error(), readOnly) {
		t.Errorf("got %v, want an error that names %s", err, readOnly)
	}
}

// The emulator of a read-only project starts: commands get its URL.
func TestAReadOnlyProjectIsAnnouncedByItsPort(t *testing.T) {
	_, err := client.Announce(readOnly, client.Announcement{URL: "http://localhost:1"})
	if !isReadOnly(err) {
		t.Fatalf("got %v, want an error that says so", err)
	}
	cache := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("XDG_CACHE_HOME", cache)
	token := client.NewToken()
	release, err := client.AnnounceByPort(client.Announcement{URL: "http://localhost:1", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cache, "devtool", "run", "1.token")
	if content, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(content)) != token {
		t.Errorf("got %q, %v", content, err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the token is still there")
	}
}
