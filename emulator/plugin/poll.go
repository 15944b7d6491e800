package plugin

import (
	"context"
	"io/fs"
	"os"
	"time"
)

// poller is the source that works without file notifications: it compares the files at each look
// with those of the look before.
type poller struct {
	scope  *scope
	ticker *time.Ticker
	seen   map[string]stamp
}

var _ source = (*poller)(nil)

// stamp is the part of a file's status that changes when the file does. It is the zero stamp for a
// folder, whose own time and size mean nothing here.
type stamp struct {
	modified time.Time
	size     int64
}

func newPoller(s *scope, interval time.Duration) *poller {
	return &poller{scope: s, ticker: time.NewTicker(interval), seen: s.snapshot()}
}

// snapshot returns the stamps of all existing files and folders.
func (s *scope) snapshot() map[string]stamp {
	found := make(map[string]stamp)
	add := func(path string, info fs.FileInfo, err error) {
		if err == nil && !info.IsDir() {
			found[path] = stamp{info.ModTime(), info.Size()}
		}
	}
	for _, root := range s.roots {
		// The walk passes over paths that are gone or not readable. Only an error of the disk
		// stops it, and then there is nothing to compare either.
		_ = s.walk(root,
			func(folder string) error { found[folder] = stamp{}; return nil },
			func(path string, entry fs.DirEntry) {
				info, err := entry.Info()
				add(path, info, err)
			})
	}
	s.flatFiles(func(path string, entry fs.DirEntry) {
		info, err := entry.Info()
		if entry.IsDir() {
			found[path] = stamp{size: -1} // it comes and goes, and does not change
			return
		}
		add(path, info, err)
	})
	for file := range s.files {
		info, err := os.Stat(file)
		add(file, info, err)
	}
	return found
}

// next waits for the next look and returns the paths that differ from the look before.
func (p *poller) next(ctx context.Context) ([]string, error) {
	select {
	case <-ctx.Done():
		return nil, nil
	case <-p.ticker.C:
	}
	before, now := p.seen, p.scope.snapshot()
	p.seen = now
	var changed []string
	for path, s := range now {
		old, known := before[path]
		isNewFolder := !known && s == (stamp{})
		if !isNewFolder && (!known || s.size != old.size || !s.modified.Equal(old.modified)) {
			changed = append(changed, path)
		}
	}
	for path := range before {
		if _, there := now[path]; !there {
			changed = append(changed, path)
		}
	}
	return changed, nil
}

// files returns all files of the last look.
func (p *poller) files() []string {
	var found []string
	for path, s := range p.seen {
		if s != (stamp{}) {
			found = append(found, path)
		}
	}
	return found
}

func (p *poller) close() { p.ticker.Stop() }
