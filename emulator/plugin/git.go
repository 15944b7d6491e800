package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"devtool.internal/internal/safefile"
)

// Git changes files one after the other, and half a branch is not worth building. While it works,
// it keeps a lock file beside its index.

// staleLock is the age from which a lock counts as left behind by a git that died.
const staleLock = 10 * time.Second

// maxGitFile bounds a file that stands in the place of a .git folder, in bytes.
const maxGitFile = 64 << 10

// gitLock returns the path of git's lock for the work tree that contains folder, or "" if there is
// no work tree.
func gitLock(folder string) string {
	for {
		git := filepath.Join(folder, ".git")
		if info, err := os.Stat(git); err == nil {
			if info.IsDir() {
				return filepath.Join(git, "index.lock")
			}
			text, _ := safefile.ReadSource(git, maxGitFile) // a file in a linked work tree or a submodule
			if target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: "); ok {
				if !filepath.IsAbs(target) {
					target = filepath.Join(folder, target)
				}
				return filepath.Join(target, "index.lock")
			}
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return ""
		}
		folder = parent
	}
}

// gitAtWork reports whether git is changing a work tree that contains one of the folders.
func gitAtWork(folders []string) bool {
	for _, folder := range folders {
		info, err := os.Stat(gitLock(folder))
		if err == nil && time.Since(info.ModTime()) < staleLock {
			return true
		}
	}
	return false
}
