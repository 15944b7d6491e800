package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A fakeSide is a side whose server is this test's own binary.
type fakeSide struct{ role string }

func (p fakeSide) name() string    { return "fake" }
func (p fakeSide) version() string { return "fake 1" }

func (p fakeSide) source(string) string { return "" }

func (p fakeSide) command(ctx context.Context, _, _ string, ready *os.File) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), fakeServerRole+"="+p.role)
	cmd.ExtraFiles = []*os.File{ready}
	if _, err := cmd.StdinPipe(); err != nil { // it ends with its standard input
		panic(err)
	}
	return cmd
}

func (p fakeSide) address(line []byte) (string, error) {
	address, _, found := strings.Cut(string(line), " ")
	if !found {
		return "", errors.New("no address")
	}
	return address, nil
}

func TestAServerIsStartedWithAnEmptyFolderAndStopped(t *testing.T) {
	state := filepath.Join(t.TempDir(), "a", "state")
	s, err := start(t.Context(), fakeSide{"ready"}, bench, state)
	if err != nil {
		t.Fatal(err)
	}
	if want := "127.0.0.1:1234"; s.address != want {
		t.Errorf("got address %q, want %q", s.address, want)
	}
	if entries, err := os.ReadDir(state); err != nil || len(entries) > 0 {
		t.Errorf("the folder has %v, %v, want nothing", entries, err)
	}
	if mb, err := s.memory(); err != nil || mb < 1 || mb > 1000 {
		t.Errorf("got %v MB, %v, want the memory of a small program", mb, err)
	}
	s.stop()
	if _, err := s.memory(); err == nil {
		t.Error("got memory of a server that was stopped, want an error")
	}
}

func TestAServerThatDoesNotStartSaysWhy(t *testing.T) {
	for role, want := range map[string]string{
		"broken":  "start fake with bench: it ended before it was ready; its output:\nno such handler",
		"garbled": "start fake with bench: no address",
	} {
		_, err := start(t.Context(), fakeSide{role}, bench, t.TempDir())
		if err == nil || err.Error() != want {
			t.Errorf("%s: got error %v, want %s", role, err, want)
		}
	}
}

func TestMemoryIncludesAllDescendants(t *testing.T) {
	proc := t.TempDir()
	for _, p := range []struct{ pid, parent, kilobytes int }{
		{1, 0, 5000},
		{10, 1, 2048},  // the server
		{11, 10, 1024}, // its child
		{12, 11, 1024}, // and grandchild
		{13, 10, 0},    // a child that has ended
		{20, 1, 9000},  // an unrelated process
	} {
		dir := filepath.Join(proc, strconv.Itoa(p.pid))
		status := "Name:\tx\nPPid:\t" + strconv.Itoa(p.parent) + "\n"
		if p.kilobytes > 0 {
			status += "VmRSS:\t    " + strconv.Itoa(p.kilobytes) + " kB\n"
		}
		if err := errors.Join(os.Mkdir(dir, 0o700),
			os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for pid, want := range map[int]float64{10: 4, 11: 2, 12: 1} {
		if got, err := residentTree(proc, pid); got != want || err != nil {
			t.Errorf("process %d: got %v MB, %v, want %v", pid, got, err, want)
		}
	}
	for _, pid := range []int{13, 99} {
		if got, err := residentTree(proc, pid); err == nil {
			t.Errorf("process %d: got %v MB, want an error", pid, got)
		}
	}
}

func TestTheAddressIsReadFromAServersOutput(t *testing.T) {
	for _, test := range []struct {
		side side
		line string
		want string // or part of the error, if it begins with "!"
	}{
		{&devtool{}, `{"url":"http://127.0.0.1:8787","worker":"bench"}`, "127.0.0.1:8787"},
		{&devtool{}, `{"worker":"bench"}`, "!it has no address"},
		{&devtool{}, `Ready on`, "!read its status"},
		{&workerd{}, `{"event":"listen","socket":"http","port":33239}`, "127.0.0.1:33239"},
		{&workerd{}, `{"event":"reload"}`, "!has no address"},
		{&wrangler{}, "⎔ Starting local server...", ""},
		{&wrangler{}, "[wrangler:info] Ready on http://127.0.0.1:37321", "127.0.0.1:37321"},
		{&wrangler{}, "Ready on the spot", "!read its address"},
		{&workerd{}, `error:`, "!read its control message"},
	} {
		got, err := test.side.address([]byte(test.line))
		if want, bad := strings.CutPrefix(test.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s says %s: got error %v, want one with %q", test.side.name(), test.line, err, want)
			}
		} else if got != want || err != nil {
			t.Errorf("%s says %s: got %q, %v, want %q", test.side.name(), test.line, got, err, want)
		}
	}
}
