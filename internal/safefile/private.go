package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// An Exposed is the error for a folder or file that somebody else can change, or has made.
type Exposed struct {
	Path string
	Why  string // such as "belongs to another user"
}

func (e *Exposed) Error() string { return e.Path + " " + e.Why }

// exposed returns an *Exposed unless what info describes is this user's, and only this user can
// change it.
func exposed(path string, info fs.FileInfo) error {
	switch {
	case !isOwn(info):
		return &Exposed{path, "belongs to another user"}
	case hasModes && info.Mode().Perm()&0o022 != 0:
		return &Exposed{path, fmt.Sprintf("can be changed by other users: its mode is %04o", info.Mode().Perm())}
	}
	return nil
}

// IsPrivate reports whether path is a folder of this user that only this user can change. It
// follows a symbolic link.
func IsPrivate(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() && exposed(path, info) == nil
}

// OpenPrivate opens the folder below base that names lead to. With create set, it makes those that
// are missing, for this user alone. The error is an *Irregular or an *Exposed if one of names is a
// symbolic link, or if somebody else can change what is in it. base itself may be a link.
//
// What is done in the folder that it returns happens there, even if somebody moves it meanwhile.
func OpenPrivate(base string, create bool, names ...string) (*os.Root, error) {
	if create {
		if err := os.MkdirAll(base, 0o700); err != nil {
			return nil, err
		}
	}
	at, err := os.OpenRoot(base)
	for _, name := range names {
		if err != nil {
			return nil, err
		}
		at, err = openPrivateIn(at, create, name)
	}
	return at, err
}

// openPrivateIn opens a folder in parent, and closes parent.
func openPrivateIn(parent *os.Root, create bool, name string) (*os.Root, error) {
	defer parent.Close()
	if create {
		if err := parent.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	path := filepath.Join(parent.Name(), name)
	found, err := parent.Lstat(name)
	if err == nil && !found.IsDir() {
		err = &Irregular{path, Kind(found.Mode()), "a folder"}
	}
	if err != nil {
		return nil, err
	}
	folder, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	info, err := folder.Stat(".")
	switch {
	case err != nil:
	case !os.SameFile(found, info): // a link has taken its place
		err = &Exposed{path, "was replaced meanwhile"}
	default:
		err = exposed(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder, nil
}

// ReadIn is Read for a file in folder. The file must be this user's, too.
func ReadIn(folder *os.Root, name string, limit int64) ([]byte, error) {
	path := filepath.Join(folder.Name(), name)
	found, err := folder.Lstat(name)
	if err == nil && !found.Mode().IsRegular() {
		err = &Irregular{path, Kind(found.Mode()), "a regular file"}
	}
	if err != nil {
		return nil, err
	}
	f, err := folder.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !os.SameFile(found, info):
		return nil, &Exposed{path, "was replaced meanwhile"}
	}
	if err := exposed(path, info); err != nil {
		return nil, err
	}
	return readAll(f, path, limit)
}

// ReplaceIn is Replace for a file in folder.
func ReplaceIn(folder *os.Root, name, temporary string, content []byte) error {
	if err := folder.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := folder.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = folder.Rename(temporary, name)
	}
	if err != nil {
		folder.Remove(temporary) //nolint:errcheck // the error before says more
	}
	return err
}
