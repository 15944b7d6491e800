//go:build !js

package durable

import (
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"devtool.internal/durable/wire"
)

// The emulator asks where a handler that takes long stands. Handlers must not pay for that as long
// as nobody asks, so the SDK keeps no record of goroutines. Instead the number of the event is an
// argument of a frame on the handler's stack, and is read from the stacks of all goroutines.

// A mark identifies an event in stacks: by its connection, by its number there, and by the number
// of the instance, or 0, that the event runs in. It is an array: the
// runtime prints the elements of an array as they are, because they are never passed in registers.
// The emulator looks for the frame of guard as well, in the output of a program that crashed.
type mark [3]uint64

func markOf(conn *wire.Conn, number uint64) mark {
	return mark{uint64(reflect.ValueOf(conn).Pointer()), number, 0}
}

// guard runs a handler of the event and returns its panic as an error. stackOf finds the goroutine
// by guard's frame.
//
//go:noinline
func (m mark) guard(handler func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if f, ok := v.(failure); ok {
			err = f.err
			return
		}
		err = &panicError{value: v, stack: debug.Stack()}
	}()
	return handler()
}

// frame returns how the frame of guard begins in a stack.
func (m mark) frame() string { return fmt.Sprintf("%s%#x, ", m.connection(), m[1]) }

// connection returns how the frames of guard begin for all events of a connection.
func (m mark) connection() string { return fmt.Sprintf("durable.mark.guard({%#x, ", m[0]) }

// The limits of a stack. If not all goroutines of the program fit into maxStacks, the stack of the
// handler may be missing.
const (
	maxStacks     = 64 << 20 // bytes of all goroutines
	maxGoroutines = 16       // of one event
	maxStackText  = 64 << 10 // bytes of the answer
)

func allStacks() string {
	for size := 1 << 20; ; size *= 2 {
		b := make([]byte, size)
		if n := runtime.Stack(b, true); n < size || size >= maxStacks {
			return string(b[:n])
		}
	}
}

// stackOf picks two kinds of stacks from all, the stacks of all goroutines: first that of the
// handler of m, then those of the goroutines that it has started, directly or not. It returns
// nothing if the handler is not there.
func stackOf(all string, m mark) string {
	blocks := strings.Split(strings.TrimRight(all, "\n"), "\n\n")
	handler := slices.IndexFunc(blocks, func(b string) bool { return strings.Contains(b, m.frame()) })
	if handler < 0 {
		return ""
	}
	picked := []string{cutBelow(blocks[handler], m)}
	family := map[string]bool{goroutineOf(blocks[handler]): true}
	for grown := true; grown; { // a goroutine may come before the one that has started it
		grown = false
		for _, b := range blocks {
			id, by := goroutineOf(b), startedBy(b)
			if by == "" || family[id] || !family[by] {
				continue
			}
			family[id], grown = true, true
			if !ours(b[strings.LastIndex(b, createdBy)+len(createdBy):]) {
				picked = append(picked, b)
			}
		}
	}
	if more := len(picked) - maxGoroutines; more > 0 {
		picked = append(picked[:maxGoroutines], fmt.Sprintf("…and %d more goroutines", more))
	}
	text := strings.Join(picked, "\n\n")
	if len(text) > maxStackText {
		text = text[:strings.LastIndexByte(text[:maxStackText], '\n')+1] + "…"
	}
	return text
}

// goroutineOf returns the id in a stack's first line, "goroutine 12 [select]:".
func goroutineOf(block string) string {
	rest, ok := strings.CutPrefix(block, "goroutine ")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, " ")
	return id
}

const createdBy = "\ncreated by "

// startedBy returns the id in a stack's last lines, "created by main.f in goroutine 12", or
// nothing.
func startedBy(block string) string {
	i := strings.LastIndex(block, createdBy)
	if i < 0 {
		return ""
	}
	line, _, _ := strings.Cut(block[i+1:], "\n")
	i = strings.LastIndex(line, " in goroutine ")
	if i < 0 {
		return ""
	}
	return line[i+len(" in goroutine "):]
}

// ours reports whether a line of a stack names a function of this package that calls handlers or
// carries their bodies.
func ours(line string) bool {
	for _, prefix := range []string{
		"devtool.internal/durable.(*server).",
		"devtool.internal/durable.(*wireHost).",
		"net/http.HandlerFunc.",
	} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// cutBelow removes the callers of the handler from its stack.
func cutBelow(block string, m mark) string {
	lines := strings.Split(block, "\n")
	end := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, m.frame()) })
	// Below the first line each frame has two lines, the function and its position.
	for end > 2 && ours(lines[end-2]) {
		end -= 2
	}
	return strings.Join(lines[:end], "\n")
}
