//go:build unix

package wire

import (
	"fmt"
	"os"
	"syscall"
)

// FolderID tells a folder from its copies: device and inode, such as "66309:1835031". A folder
// keeps it when it is renamed. It is empty on systems that have no inodes.
func FolderID(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", nil
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino), nil
}
