package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// git changes files one after the other, and half a branch is not worth building. While it is at work it keeps a lock
// beside its index.

// leftLock is the age from which a lock was left behind by a git that died.
const leftLock = 10 * time.Second

// gitLock returns where git keeps the lock of the work tree that folder is in, or "" if it is in none.
func gitLock(folder string) string {
	for {
		git := filepath.Join(folder, ".git")
		if info, err := os.Stat(git); err == nil {
			if info.IsDir() {
				return filepath.Join(git, "index.lock")
			}
			text, _ := os.ReadFile(git) // of a work tree beside the repository, or of a submodule
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

// gitAtWork reports whether git is changing a work tree that one of the folders is in.
func gitAtWork(folders []string) bool {
	for _, folder := range folders {
		info, err := os.Stat(gitLock(folder))
		if err == nil && time.Since(info.ModTime()) < leftLock {
			return true
		}
	}
	return false
}
