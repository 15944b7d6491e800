package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"devtool.internal/emulator"
	"devtool.internal/internal/leftover"
	"devtool.internal/internal/printable"
	"devtool.internal/internal/worlds"
)

func worldsCommand() *command {
	return &command{
		name:    "worlds",
		summary: "Serve worlds to a test harness, by lines of JSON on standard input and output",
		about: `Makes and drops isolated emulators, one for each test, as a program asks on standard
input. Package durabletest runs it. It ends with its input, and leaves nothing behind.
docs/cli.md describes the lines.`,
		hidden: true,
		run: func(ctx context.Context, s Streams, _ []string) error {
			// The reader of the output may have ended, but the state must still be removed.
			defer outliveReaders()()
			collectLess(s)
			return serveWorlds(ctx, s)
		},
	}
}

// serveWorlds answers the requests on s.In until that or ctx ends. Then it drops all worlds.
func serveWorlds(ctx context.Context, s Streams) error {
	folder, err := leftover.Make(os.TempDir(), "devtool-worlds-")
	if err != nil {
		return fmt.Errorf("make folder for the states: %w", err)
	}
	h := &worldsHost{
		s: s, out: newOutlet(raw(s.Out), droppedOf), folder: folder.Path, worlds: make(map[int]context.CancelFunc),
	}
	h.out.keep(lineOf(worlds.Hello{Protocol: worlds.Protocol, Devtool: Version, Folder: folder.Path}), 0)
	requests := make(chan error, 1)
	go func() { requests <- h.receive(ctx) }()
	select {
	case err = <-requests:
	case <-ctx.Done(): // a signal: the goroutine above ends with the process
	}
	h.close()
	h.out.flush(flushPatience, flushLimit)
	return errors.Join(err, removeState(folder))
}

// A worldsHost is the process that serves worlds.
type worldsHost struct {
	s       Streams
	folder  string
	running sync.WaitGroup // the goroutines of worlds

	// out takes the lines for the harness. A harness that does not read loses lines of logs, and
	// nothing else.
	out *outlet

	// mu guards what follows.
	mu     sync.Mutex
	worlds map[int]context.CancelFunc // ends the world of that number
	made   int                        // how many worlds there were, ever
	closed bool
}

// receive handles requests until there are no more.
func (h *worldsHost) receive(ctx context.Context) error {
	for lines := json.NewDecoder(h.s.In); ; {
		var r worlds.Request
		err := lines.Decode(&r)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil // the harness has ended, perhaps within a line
		case err != nil:
			return fmt.Errorf("read request: %w", err)
		case r.Make != nil:
			err = h.make(ctx, *r.Make)
		default:
			err = h.drop(r.Drop)
		}
		if err != nil {
			return err
		}
	}
}

// make makes a world and returns at once. The world ends with ctx at the latest.
func (h *worldsHost) make(ctx context.Context, m worlds.Make) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil
	case m.World <= 0 || h.worlds[m.World] != nil:
		return misuse("choose a number above 0 that no world has", "cannot make world %d", m.World)
	}
	ctx, end := context.WithCancel(ctx)
	h.worlds[m.World] = end
	h.made++
	folder := filepath.Join(h.folder, strconv.Itoa(h.made))
	h.running.Go(func() {
		err := h.emulate(ctx, m, folder)
		h.mu.Lock()
		delete(h.worlds, m.World)
		h.mu.Unlock()
		end()
		ended := &worlds.Ended{}
		if err != nil {
			ended.Error, ended.Hint = explain(err)
		}
		h.out.keep(lineOf(worlds.Event{World: m.World, Ended: ended}), m.World)
		// A test need not wait for this.
		os.RemoveAll(folder) //nolint:errcheck // serveWorlds tries again, and reports the error
	})
	return nil
}

// close drops all worlds and waits for their ends. No world is made any more.
func (h *worldsHost) close() {
	h.mu.Lock()
	h.closed = true
	for _, end := range h.worlds {
		end()
	}
	h.mu.Unlock()
	h.running.Wait()
}

// drop makes a world end. It does nothing if the world has ended meanwhile.
func (h *worldsHost) drop(world int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if end := h.worlds[world]; end != nil {
		end()
	}
	return nil
}

// emulate runs a world's emulator, with its state in folder, until ctx ends or somebody stops the
// emulator.
func (h *worldsHost) emulate(ctx context.Context, m worlds.Make, folder string) error {
	log := safeWriter{raw: worldLog{h, m.World}}
	s := h.s
	if m.Environ != nil {
		s.Environ = func() []string { return m.Environ }
		s.Env = lookUpIn(m.Environ)
	}
	s.Env = withoutColor(s.Env)
	s.Out, s.Err = log, log
	if !filepath.IsAbs(m.Dir) {
		return misuse("", "the folder %q is not absolute", m.Dir)
	}
	var err error
	if s, err = s.in(m.Dir, ""); err != nil {
		return err
	}
	p, err := openProject(s, worldOptions(m), log, log)
	if err != nil {
		return err
	}
	defer p.log.end()
	options := p.options()
	options.Attach = emulator.AttachOnly
	e, err := emulator.StartTemporary(ctx, folder, options)
	switch {
	case err != nil && ctx.Err() != nil: // it was dropped
		return nil
	case err != nil:
		return s.explainDev(log, err)
	}
	ready := worlds.Event{World: m.World, Ready: &worlds.Ready{URL: e.URL, Token: e.Token, Attach: e.Attach}}
	h.out.keep(lineOf(ready), m.World)
	select {
	case <-e.Ended():
	case <-ctx.Done():
	}
	return e.End()
}

// worldOptions returns the options of `devtool dev` for a world.
func worldOptions(m worlds.Make) devOptions {
	o := newDevOptions()
	o.built, o.attach, o.frozen, o.noDotFiles = true, true, onOffOf(!m.Running), !m.DotFiles
	o.config, o.env, o.seed = m.Config, m.Env, int(m.Seed)
	if m.Limits != "" {
		o.limits = m.Limits
	}
	if m.LogLevel != "" {
		o.logLevel = m.LogLevel
	}
	if !m.Time.IsZero() {
		o.time = m.Time.UTC().Format(time.RFC3339Nano)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Vars)) {
		o.vars = append(o.vars, name+":"+m.Vars[name])
	}
	return o
}

// lookUpIn is os.Getenv for an environment. The last entry of a name counts.
func lookUpIn(environ []string) func(string) string {
	return func(name string) string {
		for _, entry := range slices.Backward(environ) {
			if value, ok := strings.CutPrefix(entry, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// lineOf returns a line of JSON, with what a terminal might obey escaped.
func lineOf(value any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.Encode(value) //nolint:errcheck // the types of package worlds have a JSON form
	return printable.Bytes(b.Bytes())
}

// droppedOf returns the line that says how many lines of a world's log were dropped.
func droppedOf(world, lines int) []byte {
	return lineOf(worlds.Event{World: world, Log: string(noticeAs(logText, false)(0, lines))})
}

// A worldLog sends what is written to it as the log of a world.
type worldLog struct {
	host  *worldsHost
	world int
}

func (l worldLog) Write(p []byte) (int, error) {
	if len(p) > 0 {
		lines := max(bytes.Count(p, []byte("\n")), 1)
		l.host.out.take(lineOf(worlds.Event{World: l.world, Log: string(p)}), l.world, lines)
	}
	return len(p), nil
}
