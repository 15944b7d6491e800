//go:build !unix

package safefile

import "io/fs"

// hasModes is false: a folder below the user's profile has an access list that keeps others out.
const hasModes = false

func isOwn(fs.FileInfo) bool { return true }
