package client

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/internal/safefile"
)

// How a command finds the emulator of a project.
//
// An emulator announces itself with two files in <project>/.devtool/run whose
// name, <pid>-<random>, is used only once:
//
//	NAME.lock  empty; the emulator holds an exclusive lock on it while it runs
//	NAME.json  the Announcement
//
// The system releases the lock when its owner ends, even if it is killed. So a process id is never
// trusted. The order of steps makes this safe without any waiting:
//
//   - An owner locks NAME.lock first, and only then renames the finished NAME.json into place. So
//     NAME.json is always complete, and NAME.lock is locked while the owner runs. A release removes
//     the json first.
//   - A finder starts from NAME.json and tries a shared lock on NAME.lock. If the lock is refused,
//     the owner runs. If it is granted, or the file is gone, the owner has ended. No other process
//     ever uses that name, so the finder can remove both files. Shared locks do not exclude one
//     another, so finders do not mistake each other for owners.
//
// The lock is not on the json itself, because on Windows a locked file cannot be read. An owner
// that is killed between its two steps leaves an empty lock file, which is harmless.

// Announcement says where an emulator can be reached.
type Announcement struct {
	URL string `json:"url"` // for people, such as http://localhost:8787
	// Control is the URL of the control API for commands on this machine. It has an address in
	// place of a name.
	Control  string    `json:"control"`
	Identity string    `json:"identity"` // tells the emulator from every other one
	PID      int       `json:"pid"`      // set by Announce
	Started  time.Time `json:"started"`  // real time
	// Project is the folder that the emulator serves, and FolderID tells it from its copies (see
	// wire.FolderID). Announce sets both.
	Project  string `json:"project"`
	FolderID string `json:"folderID,omitempty"`
	Config   string `json:"config"` // absolute path of the config file
	State    string `json:"state"`  // folder that holds the objects' files
	// Certificate is the Fingerprint of the emulator's certificate, or empty without HTTPS.
	Certificate string `json:"certificate,omitempty"`
	Token       string `json:"token,omitempty"` // of the control API
}

// Client returns a client of the emulator.
func (a Announcement) Client() *Client {
	return &Client{
		URL: cmp.Or(a.Control, a.URL), Identity: a.Identity, Certificate: a.Certificate, Token: a.Token,
	}
}

// configNames are the files that make a folder a project.
var configNames = []string{"wrangler.json", "wrangler.jsonc", "wrangler.toml"}

// runFolder is the folder of the announcements, in the project's .devtool.
const runFolder = "run"

func runDir(project string) string { return filepath.Join(project, ".devtool", runFolder) }

// Announce announces that the emulator of this process serves the folder project, until release is
// called or the process ends. A process may announce several. release may be called more than once.
//
// If the error is a *TokenFileError, the emulator is announced, but commands outside of the project
// do not find its token. Then release is not nil.
func Announce(project string, a Announcement) (release func() error, err error) {
	folder, err := safefile.DotFolder(project, runFolder)
	if err == nil {
		a.Project, err = filepath.Abs(project)
	}
	if err == nil {
		a.FolderID, err = wire.FolderID(project)
	}
	if err != nil {
		return nil, fmt.Errorf("announce emulator: %w", err)
	}
	a.PID = os.Getpid()
	base := filepath.Join(folder, fmt.Sprintf("%d-%s", a.PID, strings.ToLower(rand.Text()[:10])))

	lock := flock.New(base+".lock", flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("announce emulator: lock %s: %w", lock.Path(), err)
	}
	if !locked {
		return nil, fmt.Errorf("announce emulator: %s is locked by another process", lock.Path())
	}
	forget := func() error { return nil }
	release = sync.OnceValue(func() error {
		return errors.Join(forget(), remove(base+".json"), lock.Close(), remove(lock.Path()))
	})
	forgetToken, unlisted := publishToken(project, lock.Path(), a)
	if forgetToken == nil {
		return nil, errors.Join(fmt.Errorf("announce emulator: %w", unlisted), release())
	}
	forget = forgetToken
	if err := publish(base, a); err != nil {
		return nil, errors.Join(fmt.Errorf("announce emulator: %w", err), release())
	}
	return release, unlisted
}

// publish writes base.json in one atomic step.
func publish(base string, a Announcement) error {
	content, err := json.Marshal(a)
	if err != nil {
		return err
	}
	temporary := base + ".tmp"
	return safefile.Replace(base+".json", temporary, content)
}

// remove removes a file that may already be gone.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Emulators lists the emulators that serve project, oldest first. It removes the files of emulators
// that were killed. It ignores announcements of other folders: a copy of a project has the files of
// the original, and its lock if they are hard links.
func Emulators(project string) ([]Announcement, error) {
	if err := safefile.InDotFolder(runDir(project)); err != nil {
		return nil, fmt.Errorf("list emulators: %w", err)
	}
	entries, err := os.ReadDir(runDir(project))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list emulators: %w", err)
	}
	var running []Announcement
	for _, entry := range entries {
		name, isAnnouncement := strings.CutSuffix(entry.Name(), ".json")
		if !isAnnouncement {
			continue
		}
		base := filepath.Join(runDir(project), name)
		alive, err := held(base + ".lock")
		if err != nil {
			return nil, fmt.Errorf("list emulators: lock %s.lock: %w", base, err)
		}
		if !alive {
			// Files that cannot be removed now are left to the next finder.
			_ = os.Remove(base + ".json")
			_ = os.Remove(base + ".lock")
			continue
		}
		a, err := readAnnouncement(base + ".json")
		if errors.Is(err, fs.ErrNotExist) {
			continue // released after the folder was read
		}
		if err != nil {
			return nil, fmt.Errorf("list emulators: %w", err)
		}
		if wire.SameFolder(project, a.Project, a.FolderID) {
			running = append(running, a)
		}
	}
	slices.SortFunc(running, func(a, b Announcement) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.URL, b.URL))
	})
	return running, nil
}

// held reports whether some process holds the lock file at path. It never creates the file. No
// emulator has made what is no regular file, and a pipe would block its reader.
func held(path string) (bool, error) {
	if _, err := safefile.Regular(path); errors.As(err, new(*safefile.Irregular)) {
		return false, nil
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	granted, err := lock.TryRLock()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !granted {
		return true, nil
	}
	return false, lock.Close()
}

// maxAnnouncement bounds an announcement in bytes.
const maxAnnouncement = 64 << 10

func readAnnouncement(path string) (Announcement, error) {
	var a Announcement
	content, err := safefile.Read(path, maxAnnouncement)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(content, &a); err != nil {
		return a, fmt.Errorf("read %s: %w", path, err)
	}
	return a, nil
}

// Find returns the emulator that serves the project of dir. The project is the nearest folder, from
// dir upwards, with a wrangler config file. Find returns an *Error if dir is in no project, or if
// not exactly one emulator runs there.
func Find(dir string) (Announcement, error) {
	project, found, err := projectOf(dir)
	if err != nil {
		return Announcement{}, err
	}
	if !found {
		return Announcement{}, &control.Error{
			Code: control.CodeNoProject,
			Message: fmt.Sprintf("%s is not in a project: neither it nor a folder above has a %s",
				dir, strings.Join(configNames, ", ")),
			Hint: "go into the project, or name it with --cwd DIR, or its emulator with --url URL",
		}
	}
	running, err := Emulators(project)
	if err != nil {
		return Announcement{}, err
	}
	switch len(running) {
	case 0:
		return Announcement{}, &control.Error{
			Code:    control.CodeNoEmulator,
			Message: "no emulator runs for " + project,
			Hint:    "start it with `devtool dev`",
		}
	case 1:
		return running[0], nil
	}
	urls := make([]string, len(running))
	for i, a := range running {
		urls[i] = cmp.Or(a.Control, a.URL)
	}
	return Announcement{}, &control.Error{
		Code:    control.CodeSeveralEmulators,
		Message: fmt.Sprintf("%d emulators run for %s: %s", len(running), project, strings.Join(urls, ", ")),
		Hint:    "choose one with --url URL",
	}
}

// projectOf returns the nearest folder from dir upwards with a config file.
func projectOf(dir string) (project string, found bool, err error) {
	folder, err := filepath.Abs(dir)
	if err != nil {
		return "", false, fmt.Errorf("find project: %w", err)
	}
	for {
		for _, name := range configNames {
			info, err := os.Stat(filepath.Join(folder, name))
			if err == nil && !info.IsDir() {
				return folder, true, nil
			}
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", false, nil
		}
		folder = parent
	}
}
