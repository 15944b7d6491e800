package cli

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"devtool.internal/config"
	"devtool.internal/internal/safefile"
)

// The binary contains the source of the SDK, which handlers import as devtool.internal/durable.
// Each project has a copy of it, and a replace directive in its go.mod names the copy. So a project
// builds with plain go commands, offline.

const (
	sdkDir   = ".devtool/sdk" // in the project, slash-separated
	sdkGoMod = "module " + sdkModule + "\n\ngo " + sdkGo + "\n"

	// schemaFile, in sdkDir, is the schema for editors. The templates' configuration names it.
	schemaFile = "config-schema.json"
)

// sdkFolders are the packages of the SDK. main.go embeds the same ones.
var sdkFolders = []string{
	"durable", "durable/objectid", "durable/stored", "durable/wire", "durabletest",
	"internal/inherited", "internal/inside", "internal/worlds",
}

// sdkFiles returns the files of the copy, by slash-separated path below sdkDir.
func sdkFiles(fsys fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{"go.mod": []byte(sdkGoMod), schemaFile: config.Schema()}
	for _, folder := range sdkFolders {
		names, err := fs.Glob(fsys, path.Join(folder, "*.go"))
		if err != nil {
			return nil, fmt.Errorf("list SDK: %w", err)
		}
		found := false
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			if files[name], err = fs.ReadFile(fsys, name); err != nil {
				return nil, fmt.Errorf("read SDK: %w", err)
			}
			found = true
		}
		if !found {
			return nil, fmt.Errorf("this build of devtool does not contain the SDK package %s", folder)
		}
	}
	return files, nil
}

// writeSDK makes the copy of the SDK in project, an existing folder, equal to fsys. It reports
// whether it wrote or removed anything. Each file changes in one step, so a build that runs
// meanwhile sees the old one or the new one.
func writeSDK(fsys fs.FS, project string) (changed bool, err error) {
	files, err := sdkFiles(fsys)
	if err != nil {
		return false, err
	}
	// Nothing below .devtool may lead out of it: a link there would let others choose what is
	// overwritten and removed.
	folder, err := safefile.DotFolder(project, path.Base(sdkDir))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) { // the copy may be up to date
		folder = filepath.Join(project, filepath.FromSlash(sdkDir))
		err = safefile.InDotFolder(folder)
	}
	if err != nil {
		return false, fmt.Errorf("write SDK: %w", err)
	}
	root, err := os.OpenRoot(filepath.Dir(folder))
	if err != nil {
		return false, fmt.Errorf("write SDK: %w", err)
	}
	defer root.Close()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		target := path.Join(path.Base(sdkDir), name)
		if sameSDKFile(root, target, files[name]) {
			continue
		}
		if err := replaceSDKFile(root, target, files[name]); err != nil {
			return changed, fmt.Errorf("write SDK: %w", err)
		}
		changed = true
	}
	removed, err := sweep(root, files)
	if err != nil {
		return changed, fmt.Errorf("clean SDK: %w", err)
	}
	return changed || removed, nil
}

// sameSDKFile reports whether a file of the copy has this content already.
func sameSDKFile(root *os.Root, name string, content []byte) bool {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	present, err := root.ReadFile(name)
	return err == nil && bytes.Equal(present, content)
}

// replaceSDKFile writes a file of the copy in one step, through a temporary file beside the copy: a
// build must not see it, and another devtool must not sweep it away.
func replaceSDKFile(root *os.Root, name string, content []byte) error {
	for at := path.Dir(name); at != "."; at = path.Dir(at) {
		if info, err := root.Lstat(at); err == nil && !info.IsDir() {
			if err := root.Remove(at); err != nil {
				return err
			}
		}
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	scratch := "sdk-" + rand.Text() + ".tmp"
	temporary, err := root.OpenFile(scratch, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Close())
	if err == nil {
		err = root.Rename(scratch, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(scratch))
	}
	return nil
}

// refreshSDK updates the copies of the SDK that the go command may build project with. It returns
// the folders that it changed. It leaves a module alone that replaces the SDK by anything but such
// a copy.
func refreshSDK(s Streams, project string) (updated []string, err error) {
	m, err := findModule(s, project)
	if err != nil || m == nil {
		return nil, nil //nolint:nilerr // the go command says what is wrong with go.mod
	}
	copies := []string{replacedSDK(m.dir, m.file.Replace)}
	if w := findWorkspace(s, project); w != nil {
		copies = append(copies, w.sharedSDK()) // which the go command prefers
	}
	for i, folder := range copies {
		owner, ours := strings.CutSuffix(folder, string(filepath.Separator)+filepath.FromSlash(sdkDir))
		if info, err := os.Stat(owner); !ours || slices.Contains(copies[:i], folder) || err != nil || !info.IsDir() {
			continue
		}
		changed, err := writeSDK(s.SDK, owner)
		if changed {
			updated = append(updated, folder)
		}
		if err != nil {
			return updated, err
		}
	}
	return updated, nil
}

// replaceFile writes content to target in one step, through a temporary file in scratch, which is a
// folder of the same file system. It creates the folder of target if necessary.
func replaceFile(target, scratch string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return putFile(target, scratch, content, 0o644)
}

// putFile is replaceFile for an existing folder and a given file mode.
func putFile(target, scratch string, content []byte, mode fs.FileMode) error {
	temporary, err := os.CreateTemp(scratch, "sdk-*.tmp")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), target)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// sweep removes everything in the copy that is not one of files.
func sweep(root *os.Root, files map[string][]byte) (removed bool, err error) {
	var folders []string
	top := path.Base(sdkDir)
	err = fs.WalkDir(root.FS(), top, func(found string, entry fs.DirEntry, err error) error {
		if err != nil || found == top {
			return err
		}
		if entry.IsDir() {
			folders = append(folders, found)
			return nil
		}
		if _, wanted := files[strings.TrimPrefix(found, top+"/")]; wanted {
			return nil
		}
		removed = true
		return root.Remove(found)
	})
	for _, folder := range slices.Backward(folders) {
		// This fails unless the folder is empty, as it should.
		_ = root.Remove(folder)
	}
	return removed, err
}
