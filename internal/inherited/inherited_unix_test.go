//go:build unix

package inherited_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	_ "devtool.internal/internal/inherited"
)

// early is set before the imports of this file's package could be: it starts a process when this
// package's variables are initialized.
var early = func() string {
	if os.Getenv("DEVTOOL_FD") == "" {
		return ""
	}
	out, err := exec.Command("sh", "-c", "test -e /dev/fd/3 && echo inherited || echo closed").Output()
	return fmt.Sprintf("%s%v", out, err)
}()

func TestMain(m *testing.M) {
	if os.Getenv("DEVTOOL_FD") != "" {
		fmt.Print(early)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A process that the program starts as early as possible does not inherit the connection.
func TestNoProcessInheritsTheConnection(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "connection"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DEVTOOL_FD=3")
	cmd.ExtraFiles = []*os.File{file}
	out, err := cmd.Output()
	if got, want := string(out), "closed\n<nil>"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
