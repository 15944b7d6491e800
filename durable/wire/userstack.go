package wire

import (
	"path"
	"slices"
	"strings"
)

// UserStack returns the stack of a panic as its user needs it: without frames of the SDK and of the
// runtime's own handling of panics, so that it begins where the user's code has failed. stack is in
// the runtime's format, with any number of goroutines. A goroutine that runs no code of the user is
// left out, except for the first one, which is shown as it is.
//
// broken says that the runtime has found the failure, such as a nil pointer. If that happened in
// the SDK itself, the SDK may be at fault: then its frames above the user's code stay.
func UserStack(stack string, broken bool) string {
	blocks := strings.Split(strings.TrimRight(stack, "\n"), "\n\n")
	var kept []string
	first := true
	for _, block := range blocks {
		if !isGoroutine(block) {
			kept = append(kept, block)
			continue
		}
		if shown, users := userGoroutine(block, broken && first); users {
			kept = append(kept, shown)
		} else if first {
			kept = append(kept, block)
		}
		first = false
	}
	return strings.Join(kept, "\n\n")
}

// isGoroutine reports whether a block of a stack begins with a line like "goroutine 12 [running]:".
func isGoroutine(block string) bool {
	head, _, _ := strings.Cut(block, "\n")
	return strings.HasPrefix(head, "goroutine ") && strings.HasSuffix(strings.TrimRight(head, "\r"), ":")
}

// A stackFrame is a line with a function and the one below it with its position. The latter is
// empty for other lines.
type stackFrame struct{ function, at string }

// userGoroutine returns the stack of one goroutine as UserStack shows it. users reports whether the
// user's code is in it.
func userGoroutine(block string, broken bool) (shown string, users bool) {
	head, rest, _ := strings.Cut(block, "\n")
	frames := withoutCatch(framesOf(rest))
	var kept []stackFrame
	last := 0 // the frames up to the user's last one
	for _, f := range frames {
		switch {
		case f.isMachinery():
			continue
		case f.isSDK():
			if !broken || users {
				continue
			}
		case f.isUsers():
			users = true
		}
		kept = append(kept, f)
		if f.isUsers() {
			last = len(kept)
		}
	}
	var b strings.Builder
	b.WriteString(head)
	for _, f := range kept[:last] {
		b.WriteString("\n" + f.function)
		if f.at != "" {
			b.WriteString("\n" + f.at)
		}
	}
	return b.String(), users
}

// withoutCatch removes the frames of the SDK that has caught a panic and asked for the stack: they
// stand above the panic.
func withoutCatch(frames []stackFrame) []stackFrame {
	for i, f := range frames {
		switch {
		case strings.HasPrefix(f.function, "panic("):
			return frames[i+1:]
		case !f.isMachinery() && !f.isSDK():
			return frames
		}
	}
	return frames
}

func framesOf(text string) []stackFrame {
	var frames []stackFrame
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if n := len(frames); strings.HasPrefix(line, "\t") && n > 0 && frames[n-1].at == "" {
			frames[n-1].at = line
			continue
		}
		frames = append(frames, stackFrame{function: line})
	}
	return frames
}

// isMachinery reports whether the frame belongs to the runtime, which raises and catches panics.
func (f stackFrame) isMachinery() bool {
	of := []string{"panic(", "runtime.", "runtime/", "internal/runtime/", "[signal "}
	return slices.ContainsFunc(of, func(p string) bool { return strings.HasPrefix(f.function, p) })
}

// sdkPackages begin the functions of the SDK's packages.
var sdkPackages = []string{
	"devtool.internal/durable.", "devtool.internal/durable/", "devtool.internal/durabletest.",
	"devtool.internal/internal/",
}

// isSDK reports whether the frame belongs to the SDK, or says that it has started the goroutine.
func (f stackFrame) isSDK() bool {
	function := strings.TrimPrefix(f.function, createdBy)
	return slices.ContainsFunc(sdkPackages, func(p string) bool { return strings.HasPrefix(function, p) })
}

const createdBy = "created by "

// isUsers reports whether the frame is neither of the SDK nor of the standard library, whose
// packages lie in folders of the same path below "src".
func (f stackFrame) isUsers() bool {
	if f.isSDK() || f.isMachinery() || f.at == "" {
		return false
	}
	function := strings.TrimPrefix(f.function, createdBy)
	slash := strings.LastIndexByte(function, '/') + 1
	dot := strings.IndexByte(function[slash:], '.')
	if dot < 0 {
		return false
	}
	file := strings.TrimSpace(f.at)
	file = file[:max(strings.LastIndexByte(file, ':'), 0)] // the path may have a colon, after a drive
	return !strings.HasSuffix(path.Dir(file), "/src/"+function[:slash+dot])
}
