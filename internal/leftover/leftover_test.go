package leftover_test

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/internal/leftover"
)

// held in the environment makes this test program use a folder until it is killed.
const held = "LEFTOVER_TEST_PARENT"

func TestMain(m *testing.M) {
	if parent := os.Getenv(held); parent != "" {
		f, err := leftover.Make(parent, "x-")
		if err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString(f.Path + "\n")
		os.Stdin.Read(make([]byte, 1)) //nolint:errcheck // it ends when the test does
		return
	}
	os.Exit(m.Run())
}

// hold starts a process that uses a folder in parent. kill ends it without a chance to clean up.
func hold(t *testing.T, parent string) (path string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), held+"="+parent)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	kill = func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		stdin.Close()
		cmd.Wait() //nolint:errcheck // it was killed
	}
	t.Cleanup(kill)
	return strings.TrimSpace(line), kill
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func TestOnlyFoldersOfKilledProcessesAreRemoved(t *testing.T) {
	parent := t.TempDir()
	killed, kill := hold(t, parent)
	living, _ := hold(t, parent)
	others := []string{filepath.Join(parent, "x-being-made"), filepath.Join(parent, "other")}
	for _, folder := range others {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	kill()
	f, err := leftover.Make(parent, "x-")
	if err != nil {
		t.Fatal(err)
	}
	if exists(killed) {
		t.Error("the folder of the killed process is still there")
	}
	for _, path := range append(others, living, f.Path) {
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
	if err := errors.Join(f.Remove(), f.Remove()); err != nil {
		t.Error(err)
	}
	if exists(f.Path) {
		t.Error("the folder is still there after Remove")
	}
}

func TestAFolderHasOneUser(t *testing.T) {
	folder := t.TempDir()
	first, err := leftover.Claim(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leftover.Claim(folder); !errors.Is(err, leftover.ErrInUse) {
		t.Errorf("got %v, want %v", err, leftover.ErrInUse)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	second, err := leftover.Claim(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Release(); err != nil {
		t.Error(err)
	}
}
