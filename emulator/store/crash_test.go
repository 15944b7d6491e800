package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"devtool.internal/emulator/store"
)

// The tests in this file kill a real process. It is this test binary again: it runs the part named
// by the variable childPart on the path in childPath, and acknowledges each step with a line on its
// standard output.
const (
	childPart = "STORE_TEST_PART"
	childPath = "STORE_TEST_PATH"
)

// waitToBeKilled blocks while the parent, which holds the other end of standard input, runs. (The
// runtime would take a bare select for a deadlock in a program without cgo.)
func waitToBeKilled() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

var parts = map[string]func(path string, acknowledge func(int)) error{
	// object commits once and then writes more.
	"object": func(path string, acknowledge func(int)) error {
		o, err := store.OpenObject(path, "crashed", true)
		if err != nil {
			return err
		}
		if err := errors.Join(
			o.Put("k", []byte("v")), o.SetAlarm(epoch), o.Commit(),
			o.Put("k", []byte("uncommitted")), o.DeleteAlarm(),
		); err != nil {
			return err
		}
		acknowledge(1)
		return waitToBeKilled()
	},
	// index sets one alarm.
	"index": func(dir string, acknowledge func(int)) error {
		x, err := store.OpenIndex(dir)
		if err != nil {
			return err
		}
		if err := x.Set(objectID("a"), epoch, 7, "crashed", true); err != nil {
			return err
		}
		acknowledge(1)
		return waitToBeKilled()
	},
	// counter counts on from the number in the object, in three places at once.
	"counter": func(path string, acknowledge func(int)) error {
		o, err := store.OpenObject(path, "", false)
		if err != nil {
			return err
		}
		start, err := count(o)
		if err != nil {
			return err
		}
		for n := start + 1; ; n++ {
			number := []byte(strconv.Itoa(n))
			padded := append(number, make([]byte, 5000)...) // so that a commit spans pages
			err := errors.Join(o.Put("a", padded), o.SetAlarm(time.UnixMilli(int64(n))), o.Put("b", padded), o.Commit())
			if err != nil {
				return err
			}
			acknowledge(n)
		}
	},
	// remover stores a number and deletes everything, again and again. It acknowledges the commit
	// of n as 2n-1, and that of the deletion as 2n.
	"remover": func(path string, acknowledge func(int)) error {
		for n := 1; ; n++ {
			o, err := store.OpenObject(path, "removed", true)
			if err != nil {
				return err
			}
			number := []byte(strconv.Itoa(n))
			err = errors.Join(o.Put("a", number), o.Put("b", number), o.SetAlarm(time.UnixMilli(int64(n))), o.Commit())
			if err != nil {
				return err
			}
			acknowledge(2*n - 1)
			if err := errors.Join(o.DeleteAll(false), o.Commit()); err != nil {
				return err
			}
			acknowledge(2 * n)
			if err := o.CloseOrRemove(); err != nil {
				return err
			}
			if _, err := os.Stat(path); err == nil {
				return errors.New("the file is still there")
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	},
	// maker creates objects, each with an alarm and its entry in the index.
	"maker": func(dir string, acknowledge func(int)) error {
		x, err := store.OpenIndex(dir)
		if err != nil {
			return err
		}
		for n := 1; ; n++ {
			id, at := fmt.Sprintf("%064x", n), time.UnixMilli(int64(n))
			o, err := store.OpenObject(store.ObjectPath(dir, id), id, true)
			if err != nil {
				return err
			}
			err = errors.Join(o.SetAlarm(at), o.Commit(), x.Set(id, at, int64(n), id, true), o.Close())
			if err != nil {
				return err
			}
			acknowledge(n)
		}
	},
}

func TestMain(m *testing.M) {
	part, ok := parts[os.Getenv(childPart)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := part(os.Getenv(childPath), func(n int) { fmt.Println(n) }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a running part.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr strings.Builder
	last   int
}

func start(t *testing.T, part, path string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childPart+"="+part, childPath+"="+path)
	c.cmd.Stderr = &c.stderr
	_, err := c.cmd.StdinPipe() // see waitToBeKilled
	must(t, err)
	stdout, err := c.cmd.StdoutPipe()
	must(t, err)
	c.stdout = bufio.NewReader(stdout)
	must(t, c.cmd.Start())
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	})
	return c
}

// next waits for an acknowledgement. It returns false if the child is dead and all its output has
// been read.
func (c *child) next() bool {
	line, err := c.stdout.ReadString('\n')
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		c.t.Fatalf("the child printed %q, want a number", line)
	}
	c.last = n
	return true
}

// await waits for the given number of acknowledgements.
func (c *child) await(acknowledgements int) {
	c.t.Helper()
	for range acknowledgements {
		if !c.next() {
			c.cmd.Wait()
			c.t.Fatalf("the child ended before it was killed: %s", c.stderr.String())
		}
	}
}

// kill ends the child as kill -9 does and returns the last number it acknowledged.
func (c *child) kill() int {
	c.t.Helper()
	must(c.t, c.cmd.Process.Kill())
	for c.next() {
	}
	c.cmd.Wait()
	return c.last
}

// crash kills a process after its first acknowledgement, so that its files stay behind.
func crash(t *testing.T, part, path string) {
	t.Helper()
	c := start(t, part, path)
	c.await(1)
	c.kill()
}

// count returns the number that the counter part left. It returns an error if the three places
// differ.
func count(o *store.Object) (int, error) {
	numbers := [3]int{}
	for i, key := range []string{"a", "b"} {
		value, found, err := o.Get(key)
		if err != nil {
			return 0, err
		}
		if found {
			if numbers[i], err = strconv.Atoi(strings.TrimRight(string(value), "\x00")); err != nil {
				return 0, err
			}
		}
	}
	if at, set := o.Committed(); set {
		numbers[2] = int(at.UnixMilli())
	}
	if numbers[0] != numbers[1] || numbers[0] != numbers[2] {
		return 0, fmt.Errorf("torn transaction: a, b and the alarm are %v", numbers)
	}
	return numbers[0], nil
}

func TestKillLosesNoAcknowledgedCommitAndTearsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	// A commit is about five pages, and a checkpoint comes every 1,000 pages. So the longer runs
	// have several checkpoints.
	for _, acknowledgements := range []int{1, 2, 50, 199, 450, 700, 1} {
		c := start(t, "counter", path)
		c.await(acknowledgements)
		acknowledged := c.kill()

		o := openObject(t, path)
		got, err := count(o)
		must(t, err)
		if got != acknowledged && got != acknowledged+1 {
			t.Errorf("object counts %d, want %d or one more that was not acknowledged", got, acknowledged)
		}
		if verdict, err := o.Pragma("integrity_check"); verdict != "ok" || err != nil {
			t.Errorf("integrity_check: %q, %v", verdict, err)
		}
		must(t, o.Close())
		wantFiles(t, filepath.Dir(path), "object.sqlite")
	}
}

func TestKillWhileFilesAreRemovedLosesNothing(t *testing.T) {
	for _, acknowledgements := range []int{1, 2, 3, 40, 41, 42, 99, 100, 201, 202} {
		path := filepath.Join(t.TempDir(), "object.sqlite")
		c := start(t, "remover", path)
		c.await(acknowledgements)
		acknowledged := c.kill()

		o := openObject(t, path) // which creates the file if it is gone
		got, err := count(o)
		must(t, err)
		stored := (acknowledged + 1) / 2
		switch {
		case acknowledged%2 == 1 && (got == stored || got == 0): // the deletion may have been next
		case acknowledged%2 == 0 && (got == 0 || got == stored+1):
		default:
			t.Errorf("after %d acknowledgements the object has %d", acknowledged, got)
		}
		must(t, o.CloseOrRemove())
		if got == 0 {
			wantFiles(t, filepath.Dir(path))
		} else {
			wantFiles(t, filepath.Dir(path), "object.sqlite")
		}
	}
}

func TestKillOverTheLogOfAKilledProcessLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	acknowledged := 0
	for range 5 { // nothing is closed in between
		c := start(t, "counter", path)
		c.await(20)
		acknowledged = c.kill()
	}
	got, err := count(openObject(t, path))
	must(t, err)
	if got != acknowledged && got != acknowledged+1 {
		t.Errorf("object counts %d, want %d or one more that was not acknowledged", got, acknowledged)
	}
}

func TestKillDuringCreationLeavesNoIncompleteObject(t *testing.T) {
	for _, acknowledgements := range []int{1, 7, 40} {
		dir := t.TempDir()
		c := start(t, "maker", dir)
		c.await(acknowledgements)
		made := c.kill()

		ids, err := store.Objects(dir)
		must(t, err)
		if len(ids) != made && len(ids) != made+1 {
			t.Fatalf("%d objects exist, want %d or one more", len(ids), made)
		}
		for _, id := range ids[:made] {
			info, err := store.ReadObject(store.ObjectPath(dir, id))
			must(t, err)
			if info.Name != id || !info.HasAlarm {
				t.Errorf("object %s has %+v, want its name and alarm", id, info)
			}
		}
		for _, id := range ids {
			openObject(t, store.ObjectPath(dir, id)).Close()
		}
		x := openIndex(t, dir)
		alarms, err := x.All()
		must(t, err)
		if x.Rebuilt() || len(alarms) < made {
			t.Errorf("index holds %d alarms, rebuilt %t, want %d without a rebuild", len(alarms), x.Rebuilt(), made)
		}
		must(t, x.Close())
	}
}

func TestFileOfAKilledProcessCanBeReadWithoutBeingOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.sqlite")
	crash(t, "object", path)
	info, err := store.ReadObject(path)
	must(t, err)
	want := store.Info{Name: "crashed", HasName: true, Alarm: epoch, HasAlarm: true}
	if info != want {
		t.Errorf("ReadObject = %+v, want %+v", info, want)
	}
	wantFiles(t, filepath.Dir(path), "object.sqlite")
	wantValue(t, openObject(t, path), "k", "v")
}

func TestIndexOfAKilledProcessIsComplete(t *testing.T) {
	dir := t.TempDir()
	crash(t, "index", dir)
	x := openIndex(t, dir)
	wantAlarms(t, x, store.Alarm{ID: objectID("a"), At: epoch, Order: 7, Name: "crashed", HasName: true})
	if x.Rebuilt() {
		t.Error("the index was rebuilt")
	}
	must(t, x.Close())
	wantFiles(t, dir, "metadata.sqlite")
}

func TestIndexCountsAlarmsOfObjectsOfAKilledProcess(t *testing.T) {
	dir := t.TempDir()
	crash(t, "object", store.ObjectPath(dir, objectID("a")))
	wantAlarms(t, openIndex(t, dir), store.Alarm{ID: objectID("a"), At: epoch, Name: "crashed", HasName: true})
	wantFiles(t, dir, objectID("a")+".sqlite", "metadata.sqlite", "metadata.sqlite-wal")
}

func TestFileOfAnotherProcessIsLocked(t *testing.T) {
	dir := t.TempDir()
	path := store.ObjectPath(dir, objectID("a"))
	c := start(t, "object", path)
	c.await(1)
	_, openErr := store.OpenObject(path, "", false)
	_, readErr := store.ReadObject(path)
	_, indexErr := store.OpenIndex(dir) // it has to read the object
	for _, err := range []error{openErr, readErr, indexErr} {
		if !errors.Is(err, store.ErrLocked) {
			t.Errorf("error is %v, want ErrLocked", err)
		}
		wantOneLine(t, err, path, "in use by another program", "stop the other devtool")
	}
	c.kill()
	wantFiles(t, dir, objectID("a")+".sqlite", objectID("a")+".sqlite-wal")
	wantValue(t, openObject(t, path), "k", "v")
}

func TestIndexOfAnotherProcessIsLockedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "index", dir)
	c.await(1)
	_, err := store.OpenIndex(dir)
	if !errors.Is(err, store.ErrLocked) {
		t.Fatalf("error is %v, want ErrLocked", err)
	}
	wantOneLine(t, err, "metadata.sqlite", "stop the other devtool")
	c.kill()
	wantFiles(t, dir, "metadata.sqlite", "metadata.sqlite-wal")
}
