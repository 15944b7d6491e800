package safefile

import "os"

// MaxSource bounds a source file, in bytes. It is far above what anybody writes or generates.
const MaxSource = 256 << 20

// CheckSource returns an error if something has the name of a source file and can't be read as one:
// what is no regular file, or one of more than MaxSource bytes. A reader would wait for the writer
// of a pipe, and read a device until the memory is full. It follows symbolic links, as the go
// command does.
func CheckSource(path string) error { return checkSource(path, MaxSource) }

func checkSource(path string, limit int64) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &Irregular{path, Kind(info.Mode()), "a regular file"}
	case info.Size() > limit:
		return &TooLarge{path, limit}
	}
	return nil
}

// ReadSource is Read for a file of the user's project, of at most limit bytes: it follows symbolic
// links.
func ReadSource(path string, limit int64) ([]byte, error) {
	if err := checkSource(path, limit); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() { // it was replaced meanwhile
		return nil, &Irregular{path, "no file any more", "a regular file"}
	}
	return readAll(f, path, limit)
}
