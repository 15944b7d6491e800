package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"devtool.internal/emulator/plugin"
	"devtool.internal/internal/leftover"
	"devtool.internal/internal/safefile"
)

// maxBuilds bounds the emulators that build the same project at the same time.
const maxBuilds = 100

// openBuild returns the folder for the program's binary, which belongs to this emulator alone until
// it ends. It removes what a killed emulator has left there.
func (e *Emulator) openBuild() (string, error) {
	if e.options.Build != "" {
		return e.options.Build, nil
	}
	usual := filepath.Join(e.project, ".devtool", "build")
	folder, err := e.claimBuild(usual)
	if isReadOnly(err) {
		var cached string
		if cached, err = e.cachedBuild(); err == nil {
			folder, err = e.claimBuild(cached)
		}
		if err == nil {
			e.log.Info(fmt.Sprintf("%s can't be written, so the program is built in %s", usual, folder))
		}
	}
	if err != nil {
		return "", fmt.Errorf("make the folder for the program: %w", err)
	}
	return folder, nil
}

// claimBuild returns folder, or one in it if another emulator of the project uses folder: its state
// is elsewhere, and it builds the same program at other times.
func (e *Emulator) claimBuild(folder string) (string, error) {
	for n := 1; ; n++ {
		at := folder
		if n > 1 {
			at = filepath.Join(folder, strconv.Itoa(n))
		}
		if err := safefile.InDotFolder(at); err != nil {
			return "", err
		}
		if err := os.MkdirAll(at, 0o700); err != nil {
			return "", err
		}
		claimed, err := leftover.Claim(at)
		if errors.Is(err, leftover.ErrInUse) && n < maxBuilds {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := tryToWrite(at); err != nil {
			return "", errors.Join(err, claimed.Release())
		}
		e.release = append(e.release, claimed.Release)
		sweepBuild(at)
		return at, nil
	}
}

// tryToWrite returns why no file can be made in folder, or nil. An earlier emulator may have left
// the lock in a folder that is read-only now.
func tryToWrite(folder string) error {
	f, err := os.CreateTemp(folder, ".try-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// launchedName matches the names of a program for one launch.
var launchedName = regexp.MustCompile(`^handler-[0-9]+(\.exe)?$`)

// sweepBuild removes the names of programs that a killed emulator had launched. A working folder of
// go is removed by the next build, unless its process still runs.
func sweepBuild(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if launchedName.MatchString(entry.Name()) {
			_ = os.Remove(filepath.Join(folder, entry.Name())) // the next launch tries again
		}
	}
}

// cachedBuild returns the project's folder for programs in the user's cache.
func (e *Emulator) cachedBuild() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	project, err := filepath.Abs(e.project)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(project))
	return filepath.Join(cache, "devtool", "build", filepath.Base(project)+"-"+hex.EncodeToString(sum[:8])), nil
}

// isReadOnly reports whether err says that this user can't write somewhere.
func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// borrowProgram gives a temporary emulator, which builds output in a folder of its own, the program
// that the last emulator of the project has built. go links no program that is there already. It
// decides by the sources whether this is the right one.
func (e *Emulator) borrowProgram(output string) {
	built := filepath.Join(e.project, ".devtool", "build", filepath.Base(output))
	if _, err := safefile.Regular(built); err != nil {
		return
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o700); err != nil {
		return // the build says why
	}
	if err := plugin.Keep(built, output); err != nil {
		e.log.Debug("the program is linked again", "err", err)
	}
}
