package plugin

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// progressInterval is how often a long build reports progress. A faster build reports nothing.
const progressInterval = 2 * time.Second

// maxBuildOutput bounds the messages of a build that are kept, in bytes.
const maxBuildOutput = 1 << 20

// Progress describes how far a build has come.
type Progress struct {
	Compiled   int           // packages compiled so far
	Downloaded int           // modules fetched so far
	Elapsed    time.Duration // real time since the build began
}

// buildOutput receives the output of `go build -v`. It separates progress (names of compiled
// packages and fetched modules) from messages (errors). The go command writes all of them to one
// stream.
type buildOutput struct {
	mu         sync.Mutex
	partial    []byte
	messages   []byte
	compiled   int
	downloaded int
}

// Write always succeeds.
func (o *buildOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if room := maxBuildOutput - len(o.partial); room < len(line) {
			line = line[:room]
		}
		o.partial = append(o.partial, line...)
		if whole {
			o.endLineLocked()
		}
		rest = after
	}
	return len(p), nil
}

// text returns the messages without the progress.
func (o *buildOutput) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.partial) > 0 {
		o.endLineLocked()
	}
	return string(o.messages)
}

// progress returns the counts so far.
func (o *buildOutput) progress() Progress {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Progress{Compiled: o.compiled, Downloaded: o.downloaded}
}

func (o *buildOutput) endLineLocked() {
	line := strings.TrimSuffix(string(o.partial), "\r")
	o.partial = o.partial[:0]
	switch {
	case isPackageName(line):
		o.compiled++
	case strings.HasPrefix(line, "go: downloading "):
		o.downloaded++
	case len(o.messages)+len(line) < maxBuildOutput:
		o.messages = append(append(o.messages, line...), '\n')
	}
}

// isPackageName reports whether line is an import path that -v printed. No message of the go
// command or the compiler is a single word without a colon.
func isPackageName(line string) bool {
	return line != "" && line[0] != '#' && !strings.ContainsAny(line, " \t:")
}
