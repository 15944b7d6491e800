package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// ErrReplaced is the error of a Place whose path leads to another folder now.
var ErrReplaced = errors.New("another folder is there now")

// A Place remembers which folder a path led to, so that its owner notices when somebody deletes,
// moves or replaces it.
type Place struct {
	path string
	info fs.FileInfo
	// held keeps the folder's identity from being used again. It is nil on Windows, where an open
	// folder can't be moved.
	held *os.File
}

// Hold returns the place of a folder, until Close.
func Hold(path string) (*Place, error) {
	folder, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := folder.Stat()
	if err == nil && !info.IsDir() {
		err = &Irregular{path, Kind(info.Mode()), "a folder"}
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	p := &Place{path: path, info: info, held: folder}
	if runtime.GOOS == "windows" {
		p.held = nil
		return p, folder.Close()
	}
	return p, nil
}

// Check returns nil while the path leads to the same folder. Otherwise the error is fs.ErrNotExist
// or ErrReplaced. A path that can't be looked at, for whatever other reason, counts as unchanged.
func (p *Place) Check() error {
	now, err := os.Stat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && !os.SameFile(p.info, now):
		return fmt.Errorf("%s: %w", p.path, ErrReplaced)
	}
	return nil
}

// Close gives the folder up.
func (p *Place) Close() error {
	if p.held == nil {
		return nil
	}
	return p.held.Close()
}
