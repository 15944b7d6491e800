package durabletest_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// envHelper says what TestHelper does in the process that another test starts.
const envHelper = "DURABLETEST_HELPER"

func TestHelper(t *testing.T) {
	switch os.Getenv(envHelper) {
	case "":
		return
	case "wait":
		srv := start(t)
		want(t, srv, "/a/count", "1")
		os.Stdout.WriteString("served\n")
		select {}
	case "panic":
		srv := start(t)
		want(t, srv, "/a/count", "1")
		panic("oh")
	case "lose":
		loseHost(t)
	default:
		start(t)
	}
}

// helper returns a command that runs TestHelper in its own process, and the folder for its
// temporary files.
func helper(t *testing.T, what string, env ...string) (cmd *exec.Cmd, temporary string) {
	t.Helper()
	temporary = t.TempDir()
	cmd = exec.Command(os.Args[0], "-test.run=^TestHelper$", "-test.v")
	cmd.Env = append(append(os.Environ(), envHelper+"="+what, "TMPDIR="+temporary), env...)
	return cmd, temporary
}

// hostFolders returns the folders of the processes with emulators that use temporary.
func hostFolders(t *testing.T, temporary string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(temporary, "devtool-worlds-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// awaitNothing waits until the emulators that use temporary have ended, and nothing of them is
// left.
func awaitNothing(t *testing.T, temporary string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		found := hostFolders(t, temporary)
		if len(found) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("emulators still run: %v", found)
		}
	}
}

func TestTheEmulatorEndsWithTheTestsProcess(t *testing.T) {
	t.Parallel()
	cmd, temporary := helper(t, "wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "served" {
	}
	if found := hostFolders(t, temporary); len(found) != 1 {
		t.Errorf("got folders %v, want one", found)
	}
	cmd.Process.Kill() //nolint:errcheck // it runs until then
	cmd.Wait()         //nolint:errcheck // it was killed
	awaitNothing(t, temporary)
}

func TestTheEmulatorEndsWithATestThatPanics(t *testing.T) {
	t.Parallel()
	cmd, temporary := helper(t, "panic")
	if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("panic: oh")) {
		t.Errorf("got %v, want the panic\n%s", err, out)
	}
	awaitNothing(t, temporary)
}

func TestWhereDevtoolComesFrom(t *testing.T) {
	t.Parallel()
	_, goFolder := lookUp(t, "go")
	empty := t.TempDir()
	for name, test := range map[string]struct {
		env  []string
		dir  string
		want string
	}{
		"a wrong name": {
			[]string{"DEVTOOL=no-such-devtool"}, "",
			"durabletest: find the devtool command that DEVTOOL names: ",
		},
		"another command": {
			[]string{"DEVTOOL=go"}, "",
			"durabletest: go and this package are from different versions of devtool: " +
				"it printed \"go worlds: unknown command",
		},
		"none, and no module": {
			[]string{"DEVTOOL=", "PATH=" + goFolder}, empty,
			"durabletest: found no devtool command to run the emulator: put devtool on PATH, or name it in " +
				"the variable DEVTOOL\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, _ := helper(t, "start", test.env...)
			cmd.Dir = test.dir
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), test.want) {
				t.Errorf("got %v, want %q\n%s", err, test.want, out)
			}
		})
	}
}

// lookUp returns the path of a command, and its folder.
func lookUp(t *testing.T, name string) (path, folder string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path, filepath.Dir(path)
}
