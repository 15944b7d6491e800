package plugin

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestGitIsAtWorkWhileItHoldsALock(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("repo/.git/HEAD", "ref: refs/heads/main\n")
	write("repo/sub/main.go", "package main\n")
	write("beside/.git", "gitdir: ../repo/.git/worktrees/beside\n")
	write("apart/.git", "gitdir: "+filepath.Join(root, "repo/.git/worktrees/apart")+"\n")
	write("none/main.go", "package main\n")
	write("repo/odd/.git", "what is this\n")

	for _, tt := range []struct {
		folder, lock string
	}{
		{"repo", "repo/.git/index.lock"},
		{"repo/sub", "repo/.git/index.lock"},
		{"repo/odd", "repo/.git/index.lock"},
		{"beside", "repo/.git/worktrees/beside/index.lock"},
		{"apart", "repo/.git/worktrees/apart/index.lock"},
	} {
		folders := []string{filepath.Join(root, "none"), filepath.Join(root, tt.folder)}
		if gitAtWork(folders) {
			t.Errorf("%s: git is at work without a lock", tt.folder)
		}
		lock := write(tt.lock, "")
		if !gitAtWork(folders) {
			t.Errorf("%s: git is not at work with a lock at %s", tt.folder, tt.lock)
		}
		old := time.Now().Add(-staleLock)
		if err := os.Chtimes(lock, old, old); err != nil {
			t.Fatal(err)
		}
		if gitAtWork(folders) {
			t.Errorf("%s: git is at work with a stale lock", tt.folder)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
	}
}
