package plugin

import (
	"os"
	"path/filepath"
	"time"
)

// modulesFile is the list of the copies in a vendor folder. `go mod vendor` removes the folder,
// copies the packages, and writes the list last.
const modulesFile = "modules.txt"

// vendorAtWork reports whether go is filling a vendor folder, whose list is one of files. Half the
// dependencies are not worth building. An empty list has been created and is not yet written. A
// folder that has had no list for a while was made by somebody else.
func vendorAtWork(files map[string]bool) bool {
	for file := range files {
		if filepath.Base(file) != modulesFile {
			continue
		}
		if list, err := os.Stat(file); err == nil && list.Size() > 0 {
			continue
		}
		info, err := os.Stat(filepath.Dir(file))
		if err == nil && time.Since(info.ModTime()) < staleLock {
			return true
		}
	}
	return false
}

// Vendoring reports whether go fills a vendor folder that the program may be built from, or has
// done so since that time.
func (in *Inputs) Vendoring(since time.Time) bool {
	if vendorAtWork(in.files) {
		return true
	}
	for file := range in.files {
		if filepath.Base(file) != modulesFile {
			continue
		}
		for _, path := range []string{file, filepath.Dir(file), filepath.Dir(filepath.Dir(file))} {
			if info, err := os.Stat(path); err == nil && info.ModTime().After(since) {
				return true
			}
		}
	}
	return false
}
