package plugin

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// launches numbers the private links of this process.
var launches atomic.Int64

// maxLinkAttempts bounds the search for a free name. More than one attempt is needed only if a file
// left by an earlier run can't be removed.
const maxLinkAttempts = 100

// privateLink gives binary a second name for one launch, and returns it. A build may then replace
// or remove binary while the program runs.
//
// A name that is taken was left by an emulator that was killed. privateLink reuses it, so that such
// leftovers do not pile up.
func privateLink(binary string) (string, error) {
	base, ext := binary, ""
	if strings.EqualFold(filepath.Ext(binary), ".exe") {
		ext = filepath.Ext(binary)
		base = strings.TrimSuffix(binary, ext)
	}
	var err error
	for range maxLinkAttempts {
		name := base + "-" + strconv.FormatInt(launches.Add(1), 10) + ext
		_ = os.Remove(name)
		if err = os.Link(binary, name); err == nil {
			return name, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find program %s: %w; build it first", binary, fs.ErrNotExist)
		}
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err = copyProgram(binary, name); err == nil {
			return name, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return "", fmt.Errorf("copy program %s: %w", binary, err)
}

// copyProgram copies an executable file to a new one.
//
// While the copy is open for writing, no other goroutine may start a process. The child would hold
// the descriptor until it executes its own program, and until then the system refuses to execute
// the copy (ETXTBSY).
func copyProgram(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()

	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	if _, err = io.Copy(dst, src); err != nil {
		_ = dst.Close()
		_ = os.Remove(to)
		return err
	}
	return dst.Close()
}
