//go:build unix

package safefile

import (
	"io/fs"
	"os"
	"syscall"
)

// hasModes says that the mode of a file tells who can change it.
const hasModes = true

// isOwn reports whether the file belongs to this user.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
