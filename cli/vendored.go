package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"devtool.internal/internal/safefile"
)

// vendoredSDK is a copy of the SDK in a vendor folder, from which go builds a project instead of
// the one that go.mod or go.work names.
type vendoredSDK struct {
	folder  string // of the copy
	from    string // the folder that go.mod or go.work names
	command string // makes the copy again
	where   string // the folder to run it in
}

// oldVendoredSDK returns the project's vendored copy of the SDK if it differs from the SDK that it
// was copied from. It returns nil if it does not, or without one.
func oldVendoredSDK(s Streams, project string) *vendoredSDK {
	m, err := findModule(s, project)
	if err != nil || m == nil {
		return nil // the go command says what is wrong with go.mod
	}
	v := &vendoredSDK{where: m.dir, command: "go mod vendor", from: replacedSDK(m.dir, m.file.Replace)}
	if w := findWorkspace(s, project); w != nil && goUses(w.path, project) {
		v.where, v.command = w.dir(), "go work vendor"
		if shared := w.sharedSDK(); shared != "" {
			v.from = shared
		}
	}
	v.folder = filepath.Join(v.where, "vendor", filepath.FromSlash(sdkModule))
	if !isFile(filepath.Join(v.where, "vendor", "modules.txt")) || v.from == "" || ignoresVendor(s) || v.isCopy() {
		return nil
	}
	return v
}

// ignoresVendor reports whether the user makes go build from modules although there are copies.
func ignoresVendor(s Streams) bool {
	flags := s.Env("GOFLAGS")
	return strings.Contains(flags, "-mod=mod") || strings.Contains(flags, "-mod=readonly")
}

// isCopy reports whether each package in the copy is as in the SDK. Go copies only the packages
// that the project needs, and no tests.
func (v *vendoredSDK) isCopy() bool {
	for _, folder := range sdkFolders {
		copied := filepath.Join(v.folder, filepath.FromSlash(folder))
		ours := sourceNames(copied)
		if len(ours) == 0 {
			continue
		}
		original := filepath.Join(v.from, filepath.FromSlash(folder))
		theirs := sourceNames(original)
		if len(theirs) == 0 { // it is not there, as go says
			return true
		}
		if strings.Join(ours, "/") != strings.Join(theirs, "/") {
			return false
		}
		for _, name := range ours {
			a, errA := safefile.ReadSource(filepath.Join(copied, name), safefile.MaxSource)
			b, errB := safefile.ReadSource(filepath.Join(original, name), safefile.MaxSource)
			if errA == nil && errB == nil && !bytes.Equal(a, b) {
				return false
			}
		}
	}
	return true
}

// sourceNames returns the sorted names of the Go files in folder that are no tests.
func sourceNames(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		if name := entry.Name(); filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	return names
}

// problem says what is wrong, and advice what to do about it.
func (v *vendoredSDK) problem(s Streams) string {
	return fmt.Sprintf("the SDK in %s is not the one in %s, and go builds the program with it",
		s.short(v.folder), s.short(v.from))
}

func (v *vendoredSDK) advice() string { return fmt.Sprintf("run `%s` in %s", v.command, v.where) }
