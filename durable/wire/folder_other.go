//go:build !unix

package wire

// FolderID is empty: this system has no inodes.
func FolderID(string) (string, error) { return "", nil }
