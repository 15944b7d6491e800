package plugin_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"devtool.internal/emulator/plugin"
)

func TestProgramsDialASocketThatOnlyItsUserReaches(t *testing.T) {
	s, err := plugin.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if runtime.GOOS != "windows" {
		for path, want := range map[string]fs.FileMode{s.Path: 0o600, filepath.Dir(s.Path): 0o700} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: got %v, %v, want %v", path, info, err, want)
			}
		}
	}
	for range 2 {
		dialed := make(chan error, 1)
		go func() {
			conn, err := net.Dial("unix", s.Path)
			if err == nil {
				_, err = conn.Write([]byte("x"))
				conn.Close()
			}
			dialed <- err
		}()
		conn, err := s.Accept()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		if _, err := conn.Read(b); err != nil || string(b) != "x" {
			t.Errorf("got %q, %v, want \"x\"", b, err)
		}
		conn.Close()
		if err := <-dialed; err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
	if _, err := os.Stat(filepath.Dir(s.Path)); err == nil {
		t.Errorf("%s was left behind", filepath.Dir(s.Path))
	}
}

func TestASocketHasAShortPathEvenIfTheTemporaryFolderHasNot(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	s, err := plugin.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if left, err := os.ReadDir(long); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOnlyAStaleSocketIsRemoved(t *testing.T) {
	live, err := plugin.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	parent, err := os.MkdirTemp("", "st") // t.TempDir may be too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(parent)
	abandoned := func(folder, name string) string {
		path := filepath.Join(parent, folder, name)
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
		return path
	}
	stale, foreign, other := abandoned("dt123", "s"), abandoned("docker", "s"), abandoned("dt124", "sock")
	for path, gone := range map[string]bool{stale: true, foreign: false, other: false, live.Path: false} {
		plugin.RemoveStale(path)
		if _, err := os.Stat(path); (err != nil) != gone {
			t.Errorf("%s: got %v, want it removed: %t", path, err, gone)
		}
	}
	plugin.RemoveStale("")

	file := filepath.Join(parent, "dt125", "s") // no socket, so none of ours
	beside := filepath.Join(filepath.Dir(abandoned("dt126", "s")), "notes")
	for _, path := range []string{file, beside} {
		_ = os.Mkdir(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		plugin.RemoveStale(filepath.Join(filepath.Dir(path), "s"))
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s is gone", path)
		}
	}
}
