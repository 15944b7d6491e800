package cli_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The tests in this file look at processes through /proc.

// memoryLimit bounds the peak memory of a process that passes a huge body on: it must do so piece
// by piece.
const memoryLimit = 128 << 20

func TestHugeBodiesPassThroughInLittleMemory(t *testing.T) {
	leaveToLong(t)
	t.Parallel()
	const hugeBody = int64(1 << 30)
	s := handlerProject(t, "stream").dev()

	t.Run("upload", func(t *testing.T) {
		hash := sha256.New()
		body := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), hugeBody), hash)
		status, got, err := s.send(s.request(http.MethodPost, "/a/upload", body))
		if want := fmt.Sprintf("%d %x", hugeBody, hash.Sum(nil)); err != nil || status != http.StatusOK || got != want {
			t.Errorf("got %d %q, %v, want 200 %q", status, got, err, want)
		}
	})
	t.Run("download", func(t *testing.T) {
		response, err := s.client.Do(s.request(http.MethodGet, fmt.Sprintf("/a/download?bytes=%d", hugeBody), nil))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		got, want := sha256.New(), sha256.New()
		n, err := io.Copy(got, response.Body)
		if err != nil || n != hugeBody {
			t.Errorf("got %d bytes, %v, want %d", n, err, hugeBody)
		}
		if _, err := io.CopyN(want, rand.NewChaCha8([32]byte{}), hugeBody); err != nil {
			t.Fatal(err)
		}
		if got, want := got.Sum(nil), want.Sum(nil); string(got) != string(want) {
			t.Errorf("hash of the download: got %x, want %x", got, want)
		}
	})
	for name, pid := range map[string]int{"emulator": s.PID, "handler": onlyChild(t, s.PID)} {
		if got := peakMemory(t, pid); got > memoryLimit {
			t.Errorf("peak memory of the %s: got %d MiB, want at most %d", name, got>>20, memoryLimit>>20)
		}
	}
}

func TestNoProcessOutlivesTheEmulator(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*server){
		"interrupted": func(s *server) { s.interrupt() },
		"killed":      func(s *server) { s.kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "basic")
			s := p.dev()
			// The processes that look for uses of the real clock end by themselves.
			eventually(t, "only emulator and handler run in the project", func() bool {
				return len(processesIn(t, p.dir)) == 2
			})
			end(s)
			eventually(t, "no process is left in the project", func() bool { return len(processesIn(t, p.dir)) == 0 })
		})
	}
}

// processes calls f with the id of every process.
func processes(t *testing.T, f func(pid int)) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			f(pid)
		}
	}
}

// processesIn returns the processes whose working folder is dir. A zombie has no working folder.
func processesIn(t *testing.T, dir string) (pids []int) {
	t.Helper()
	processes(t, func(pid int) {
		if cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd")); err == nil && cwd == dir {
			pids = append(pids, pid)
		}
	})
	return pids
}

// onlyChild returns the one child of parent.
func onlyChild(t *testing.T, parent int) int {
	t.Helper()
	var children []int
	processes(t, func(pid int) {
		if statusOf(pid, "PPid") == strconv.Itoa(parent) {
			children = append(children, pid)
		}
	})
	if len(children) != 1 {
		t.Fatalf("children of process %d: got %v, want one", parent, children)
	}
	return children[0]
}

// peakMemory returns the peak memory of the process, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	text := statusOf(pid, "VmHWM")
	kilobytes, err := strconv.Atoi(strings.TrimSuffix(text, " kB"))
	if err != nil {
		t.Fatalf("peak memory of process %d: got %q, want a number of kB", pid, text)
	}
	t.Logf("process %d had at most %d MiB", pid, kilobytes>>10)
	return kilobytes << 10
}

// statusOf returns a field of a process's status, or "" if there is no such field or process.
func statusOf(pid int, field string) string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
