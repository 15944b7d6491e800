package durabletest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"devtool.internal/internal/worlds"
)

// A world is an emulator in a host, for one test.
type world struct {
	host   *host
	number int
	log    io.Writer
	ready  chan worlds.Ready // gets a value, unless the world ends first
	ended  chan struct{}     // closed when the world has ended

	// What follows is set when ended is closed.
	err     error // why it ended; nil if it was dropped or stopped
	lost    bool  // it ended because its host has ended
	unheard bool  // its host had ended, unnoticed, before the world was requested
}

// makeWorld makes a world as m says, and returns when it is ready. The devtool at path serves it,
// and its log goes to log. m lacks the number and the environment.
func makeWorld(path string, m worlds.Make, log io.Writer) (*world, worlds.Ready, error) {
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	for {
		w, err := requestWorld(path, m, log)
		if err != nil {
			return nil, worlds.Ready{}, err
		}
		select {
		case ready := <-w.ready:
			return w, ready, nil
		case <-w.ended:
			if !w.unheard {
				return nil, worlds.Ready{}, w.err
			}
			fmt.Fprintf(log, "started devtool again, because it ended while no test used it: %v\n", w.err)
		case <-timer.C:
			w.drop()
			return nil, worlds.Ready{}, fmt.Errorf("the emulator was not ready within %s", startTimeout)
		}
	}
}

// requestWorld requests a world from the host of this process.
func requestWorld(path string, m worlds.Make, log io.Writer) (*world, error) {
	for {
		h, err := currentHost(path)
		if err != nil {
			return nil, err
		}
		w := h.add(log)
		if w == nil { // the host has ended meanwhile
			continue
		}
		m.World = w.number
		if environ := os.Environ(); !slices.Equal(environ, h.environ) {
			m.Environ = environ
		}
		return w, h.send(worlds.Request{Make: &m})
	}
}

// drop makes the world end. It does not wait.
func (w *world) drop() {
	w.host.send(worlds.Request{Drop: w.number}) //nolint:errcheck // a number can be encoded
}

// hasEnded reports whether the world has ended.
func (w *world) hasEnded() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// end notes that the world has ended.
func (w *world) end(how worlds.Ended) {
	switch {
	case how.Hint != "":
		w.err = fmt.Errorf("%s (%s)", how.Error, how.Hint)
	case how.Error != "":
		w.err = errors.New(how.Error)
	}
	close(w.ended)
}
