package wire

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// UserStack returns the stack of a panic as its user needs it: without frames of the SDK and of the
// runtime's own handling of panics, so that it begins where the user's code has failed. stack is in
// the runtime's format, with any number of goroutines. A goroutine that runs no code of the user is
// left out. The first one is shown as it is, however, if it is the one that has failed, or if
// nothing else would be shown. A line at the end counts those that exceed maxUserGoroutines.
//
// broken says that the runtime has found the failure, such as a nil pointer. If that happened in
// the SDK itself, the SDK may be at fault: then its frames above the user's code stay.
func UserStack(stack string, broken bool) string {
	blocks := strings.Split(strings.TrimRight(stack, "\n"), "\n\n")
	var kept []string
	goroutines := 0
	first, place := "", 0
	for _, block := range blocks {
		if !isGoroutine(block) {
			if !strings.HasPrefix(block, "runtime stack:\n") && !isRegisters(block) {
				kept = append(kept, block)
			}
			continue
		}
		isFirst := first == ""
		if isFirst {
			first, place = block, len(kept)
		}
		shown, users := userGoroutine(block, broken && isFirst)
		failed := isFirst && isRunning(block)
		switch {
		case users && goroutines < maxUserGoroutines:
			kept = append(kept, shown)
		case failed:
			kept = append(kept, block)
		}
		if users || failed {
			goroutines++
		}
	}
	if goroutines == 0 && first != "" {
		kept = slices.Insert(kept, place, first)
	}
	if more := goroutines - maxUserGoroutines; more > 0 {
		kept = append(kept, fmt.Sprintf("…and %d more goroutines", more))
	}
	return strings.Join(kept, "\n\n")
}

// maxUserGoroutines is how many goroutines of a crash are shown.
const maxUserGoroutines = 16

// isGoroutine reports whether a block of a stack begins with a line like "goroutine 12 [running]:".
func isGoroutine(block string) bool {
	head, _, _ := strings.Cut(block, "\n")
	return strings.HasPrefix(head, "goroutine ") && strings.HasSuffix(strings.TrimRight(head, "\r"), ":")
}

// isRunning reports whether the goroutine of block was running. After a panic or a fatal error,
// that is the one that has failed. A signal from outside finds none, or any.
func isRunning(block string) bool {
	head, _, _ := strings.Cut(block, "\n")
	_, state, _ := strings.Cut(head, " [")
	return strings.HasPrefix(state, "running")
}

// isRegisters reports whether block lists the processor's registers, which the runtime prints at
// the end if a signal has ended the program.
func isRegisters(block string) bool {
	for line := range strings.Lines(block) {
		if !isRegister(line) {
			return false
		}
	}
	return true
}

// isRegister reports whether line has the name of a register and its value, as in "rbx    0x5fe7".
func isRegister(line string) bool {
	words := strings.Fields(line)
	return len(words) == 2 && strings.HasPrefix(words[1], "0x") && !strings.ContainsAny(words[0], ".:/()")
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
		if strings.HasPrefix(f.function, "devtool.internal/durable.Serve(") {
			break // its caller is main
		}
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
		if at, _, _ := strings.Cut(f.at, " fp=0x"); at != "" { // without the registers of a fatal error
			b.WriteString("\n" + at)
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
	function := strings.TrimPrefix(f.function, createdBy)
	return slices.ContainsFunc(of, func(p string) bool { return strings.HasPrefix(function, p) })
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

// isUsers reports whether the frame is neither of the SDK nor of the standard library.
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
	return !isStandard(function[:slash+dot], path.Dir(file))
}

// isStandard reports whether a package with its files in folder is one of the standard library. Its
// packages lie in folders of the same path below "src". A program that is built with -trimpath, as
// devtool does, has that path alone, as it has for the user's own packages. Some functions of other
// packages, such as time.Sleep, are in the runtime's folder.
func isStandard(pkg, folder string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	if strings.HasSuffix(folder, "/src/"+pkg) {
		return true
	}
	known := folder == pkg || folder == "runtime" || strings.HasSuffix(folder, "/src/runtime")
	return known && slices.Contains(standard, first)
}

// standard holds the first elements of the paths of the standard library's packages.
var standard = strings.Fields("archive bufio bytes cmp compress container context crypto database debug embed " +
	"encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net os path " +
	"plugin reflect regexp runtime slices sort strconv strings structs sync syscall testing text time unicode " +
	"unique vendor weak")
