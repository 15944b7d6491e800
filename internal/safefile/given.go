package safefile

import (
	"fmt"
	"io"
	"os"
	"time"
)

// ReadGiven returns the content of at most limit bytes of a file that the user names. It may be a
// named pipe, as password managers make them and a shell does for <(…). Without a writer, a pipe
// would block its reader for ever, so after patience the error says so.
func ReadGiven(path string, limit int64, patience time.Duration) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return readNow(path, limit)
	}
	type content struct {
		data []byte
		err  error
	}
	read := make(chan content, 1)
	go func() { // it stays behind if nobody ever writes
		data, err := readNow(path, limit)
		read <- content{data, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case c := <-read:
		return c.data, c.err
	case <-timer.C:
		return nil, fmt.Errorf("%s is no regular file, and nobody has written to it for %s: "+
			"start what writes to it, or replace it by a file", path, patience)
	}
}

// A TooLarge is the error for a file that has more bytes than it may have.
type TooLarge struct {
	Path  string
	Limit int64 // in bytes
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("%s is larger than %d KiB, the limit of such a file", e.Path, e.Limit>>10)
}

func readNow(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, path, limit)
}

func readAll(file io.Reader, path string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &TooLarge{path, limit}
	}
	return data, err
}
